#include "runtime.hpp"

#include <doctest/doctest.h>

#include <weir/join_set.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

namespace {

// Members that end on a thread of their own.
weir::task<int> join_two() {
    weir::join_set<int> set;
    set.spawn_blocking([] { return 1; });
    set.spawn_blocking([] { return 2; });
    int sum = 0;
    while (auto const ended = co_await set.join_next()) sum += ended->value();
    co_return sum;
}
weir::task<int> give_up_and_join() {
    weir::join_set<int> set;
    set.spawn_blocking([] { return 3; });
    int sum = 0;
    auto const first = co_await weir::select(set.join_next(), weir::yield_now());
    if (first.index() == 0) sum += std::get<0>(first)->value();
    while (auto const ended = co_await set.join_next()) sum += ended->value();
    co_return sum;
}
weir::task<int> leave_it() {
    weir::join_set<int> set;
    set.spawn_blocking([] { return 3; });
    co_return 3;
}

}  // namespace

TEST_SUITE("join_set") {
    TEST_CASE("every member is joined once, and a wait that is given up takes none") {
        model::check("join_set: two members end against join_next", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            model::expect(rt.block_on(join_two()) == 3, "a member was lost");
        }, 1);
        model::check("join_set: a member ends against a join_next that is cancelled", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            model::expect(rt.block_on(give_up_and_join()) == 3, "a member was lost");
        });
        model::check("join_set: a member ends against the end of the set", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            model::expect(rt.block_on(leave_it()) == 3, "another value");
        }, 1);
    }
}
