// Stack depth: ready awaits in a loop, deep nesting, in every build mode and under every sanitizer.

#include <doctest/doctest.h>

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/task.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<int> ready_child() { co_return 1; }

weir::task<int> nested(int depth) {
    if (depth == 0) co_return 0;
    const int below = co_await nested(depth - 1);
    co_return below + 1;
}

weir::task<int> nested_and_suspended(int depth) {
    if (depth == 0) {
        co_await weir::yield_now();
        co_return 0;
    }
    const int below = co_await nested_and_suspended(depth - 1);
    co_return below + 1;
}

weir::task<int> nested_throw(int depth) {
    if (depth == 0) throw depth;
    co_return co_await nested_throw(depth - 1);
}

}  // namespace

TEST_SUITE("stack depth") {
    TEST_CASE_TEMPLATE("a million awaits of a ready task do not grow the stack", R, WEIR_RUNTIMES) {
        R rt;
        const int sum = rt.block_on([]() -> weir::task<int> {
            int n = 0;
            for (int i = 0; i < 1'000'000; ++i) n += co_await ready_child();
            co_return n;
        }());
        CHECK(sum == 1'000'000);
    }

    TEST_CASE_TEMPLATE("a million ready receives do not grow the stack", R, WEIR_RUNTIMES) {
        R rt;
        const int received = rt.block_on([]() -> weir::task<int> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            int n = 0;
            for (int i = 0; i < 1'000'000; ++i) {
                static_cast<void>(tx.try_send(i));
                auto m = co_await rx.recv();
                if (m && *m == i) ++n;
            }
            co_return n;
        }());
        CHECK(received == 1'000'000);
    }

    TEST_CASE_TEMPLATE("a hundred thousand nested tasks complete", R, WEIR_RUNTIMES) {
        R rt;
        const int depth = rt.block_on(nested(100'000));
        CHECK(depth == 100'000);
        const int suspended = rt.block_on(nested_and_suspended(100'000));
        CHECK(suspended == 100'000);
    }

    TEST_CASE_TEMPLATE("an exception passes through ten thousand nested tasks", R, WEIR_RUNTIMES) {
        R rt;
        CHECK_THROWS_AS(rt.block_on(nested_throw(10'000)), int);
    }

    TEST_CASE_TEMPLATE("a chain of a hundred thousand tasks, each joining the next, completes", R,
                       WEIR_RUNTIMES) {
        R rt;
        const int length = rt.block_on([]() -> weir::task<int> {
            auto last = weir::spawn(ready_child());
            for (int i = 1; i < 100'000; ++i) {
                last = weir::spawn([](weir::join_handle<int> before) -> weir::task<int> {
                    const int n = co_await before;
                    co_return n + 1;
                }(std::move(last)));
            }
            co_return co_await last;
        }());
        CHECK(length == 100'000);
    }

    TEST_CASE("a foreign coroutine awaits a million ready operations") {
        watchdog bounded;
        auto f = start_foreign([]() -> weir::task<int> {
            int n = 0;
            for (int i = 0; i < 1'000'000; ++i) n += co_await ready_child();
            co_return n;
        }());
        REQUIRE(f.done());
        CHECK(f.value() == 1'000'000);
    }
}
