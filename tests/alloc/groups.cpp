// What join_set, task_group, task_tracker and task_local allocate. This program replaces operator
// new, so it stands alone.

#include <doctest/doctest.h>
#include <memory>
#include <utility>

#include <weir/join_set.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/task_group.hpp>
#include <weir/task_local.hpp>
#include <weir/task_tracker.hpp>
#include <weir/unconstrained.hpp>

#include "common/counting_new.hpp"

namespace {

using weir_test::allocation_count;

weir::task<int> number(int turns) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    co_return turns;
}

weir::task<> nothing(int turns) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
}

weir::task_local<int> key;

weir::task<> yields_in_scope(int turns, bool& same) {
    for (int i = 0; i < turns; ++i) {
        co_await weir::yield_now();
        if (key.get() != 3) same = false;
    }
}

}  // namespace

TEST_SUITE("allocations of groups") {
    TEST_CASE("a join_set is one allocation, a task a frame and a node, a wait none") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            const allocation_count empty;
            weir::join_set<int> set;
            auto none = co_await set.join_next();
            CHECK_FALSE(none.has_value());
            CHECK(empty.get() == 0);
            set.spawn(number(0));
            CHECK(empty.get() <= 3);
            static_cast<void>(co_await set.join_next());
            const allocation_count filling;
            for (int i = 0; i < 10; ++i) set.spawn(number(i));
            CHECK(filling.get() <= 20);
            const allocation_count waiting;
            int joined = 0;
            while (auto ended = co_await set.join_next()) ++joined;
            CHECK(waiting.get() == 0);
            CHECK(joined == 10);
        }());
    }

    TEST_CASE("a branch of a task_group is a frame and a node, a wait none") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            const allocation_count all;
            weir::task_group group({.max_concurrency = 2});
            CHECK(all.get() == 0);
            for (int i = 0; i < 10; ++i) co_await group.spawn(nothing(3));
            CHECK(all.get() <= 20);
            const allocation_count waiting;
            while (co_await group.join_next()) {
            }
            co_await group.join();
            CHECK(waiting.get() == 0);
        }());
    }

    TEST_CASE("a task_tracker is one allocation, a token and a wait none") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            const allocation_count all;
            weir::task_tracker tracker;
            CHECK(all.get() == 1);
            auto token = std::make_unique<weir::task_tracker_token>(tracker.token());
            CHECK(all.get() == 2);  // the unique_ptr's
            auto h = tracker.spawn(number(2));
            CHECK(all.get() <= 4);
            const allocation_count waiting;
            tracker.close();
            auto lost = co_await weir::select(weir::biased, tracker.wait(), weir::yield_now());
            CHECK(lost.index() == 1);
            token.reset();
            co_await tracker.wait();
            CHECK(waiting.get() == 0);
            co_await h;
        }());
    }

    TEST_CASE("a scope and unconstrained allocate nothing, nor does anything inside of them") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            bool same = true;
            auto inside = yields_in_scope(100, same);
            auto free = nothing(100);
            const allocation_count all;
            co_await key.scope(3, std::move(inside));
            co_await weir::unconstrained(std::move(free));
            CHECK(all.get() == 0);
            CHECK(same);
        }());
    }
}
