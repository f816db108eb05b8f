// weir/mutex.hpp: fair hand-off, cancellation, data that lives in the lock.

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <weir/mutex.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<weir::mutex<int>>);
static_assert(!std::is_move_constructible_v<weir::mutex<int>>);

namespace {

weir::task<> append(weir::mutex<std::vector<int>>& m, int n) {
    auto g = co_await m.lock();
    g->push_back(n);
    co_await weir::yield_now();
}

weir::task<> add_slowly(weir::mutex<int>& m, int times) {
    for (int i = 0; i < times; ++i) {
        auto g = co_await m.lock();
        const int before = *g;
        co_await weir::yield_now();
        *g = before + 1;
    }
}

weir::task<> throws_inside(weir::mutex<int>& m) {
    auto g = co_await m.lock();
    *g = 7;
    throw std::runtime_error("inside the lock");
}

}  // namespace

TEST_SUITE("mutex") {
    TEST_CASE_TEMPLATE("lock of a free mutex completes at once and gives the data", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<std::string> m("data");
            {
                auto g = co_await m.lock();
                CHECK(*g == "data");
                CHECK(g->size() == 4);
                *g += "!";
            }
            auto g = co_await m.lock();
            CHECK(*g == "data!");
        }());
    }

    TEST_CASE_TEMPLATE("a mutex without data only locks", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<> m;
            std::optional held(co_await m.lock());
            CHECK_FALSE(m.try_lock().has_value());
            auto waiting = co_await start(m.lock());
            CHECK_WAITS(waiting);
            held.reset();
            REQUIRE_COMPLETES(waiting);
        }());
    }

    TEST_CASE("try_lock takes a free mutex and refuses a held one") {
        weir::mutex<int> m(1);
        {
            auto g = m.try_lock();
            REQUIRE(g.has_value());
            **g = 2;
            CHECK_FALSE(m.try_lock().has_value());
        }
        auto g = m.try_lock();
        REQUIRE(g.has_value());
        CHECK(**g == 2);
    }

    TEST_CASE("get_mut gives the data to who owns the mutex alone") {
        weir::mutex<int> m(1);
        m.get_mut() = 5;
        auto g = m.try_lock();
        REQUIRE(g.has_value());
        CHECK(**g == 5);
    }

    TEST_CASE_TEMPLATE("waiters get the lock in the order in which they asked", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<std::vector<int>> m;
            std::optional held(co_await m.lock());
            auto a = co_await start(append(m, 1));
            auto b = co_await start(append(m, 2));
            auto c = co_await start(append(m, 3));
            CHECK_WAITS(a);
            held.reset();
            REQUIRE_COMPLETES(c);
            auto g = co_await m.lock();
            CHECK(*g == std::vector<int>{1, 2, 3});
        }());
    }

    TEST_CASE_TEMPLATE("unlock hands over: nobody can take the lock in between", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            std::optional held(co_await m.lock());
            auto first = co_await start(m.lock());
            held.reset();
            CHECK_FALSE(m.try_lock().has_value());  // although first had no turn yet
            auto second = co_await start(m.lock());
            CHECK_COMPLETES(first);
            CHECK_WAITS(second);
            { auto g = co_await std::move(first.handle); }
            REQUIRE_COMPLETES(second);
        }());
    }

    TEST_CASE_TEMPLATE("a cancelled waiter does not hold the next one up", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            std::optional held(co_await m.lock());
            auto cancelled = co_await start(m.lock());
            auto next = co_await start(m.lock());
            co_await cancelled.abort();
            CHECK_WAITS(next);
            held.reset();
            REQUIRE_COMPLETES(next);
        }());
    }

    TEST_CASE_TEMPLATE("a waiter cancelled after it was granted the lock passes it on", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            std::optional held(co_await m.lock());
            auto granted = co_await start(m.lock());
            auto next = co_await start(m.lock());
            held.reset();
            co_await granted.abort();  // before the task had a turn
            REQUIRE_COMPLETES(next);
            { auto g = co_await std::move(next.handle); }
            CHECK(m.try_lock().has_value());
        }());
    }

    TEST_CASE("a timeout around lock leaves the mutex usable") {
        weir::runtime_options o;
        o.start_paused = true;
        rt_current_thread rt(o);
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            std::optional held(co_await m.lock());
            {
                auto r = co_await weir::timeout(1s, m.lock());
                CHECK_FALSE(r.has_value());
            }
            held.reset();
            auto r = co_await weir::timeout(1s, m.lock());
            CHECK(r.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("increments with an await inside give the exact sum", R, WEIR_RUNTIMES) {
        R rt;
        weir::mutex<int> m(0);
        rt.block_on([](weir::mutex<int>& shared) -> weir::task<> {
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 10; ++i) tasks.push_back(weir::spawn(add_slowly(shared, 100)));
            for (auto& t : tasks) co_await t;
        }(m));
        CHECK(m.get_mut() == 1000);
    }

    TEST_CASE_TEMPLATE("an exception unlocks, and the next one sees the data as left", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            auto h = weir::spawn(throws_inside(m));
            auto failed = co_await h.result();
            CHECK_FALSE(failed.has_value());
            auto g = co_await m.lock();
            CHECK(*g == 7);
        }());
    }

    TEST_CASE_TEMPLATE("an aborted task gives its lock back", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            auto holder = co_await start([](weir::mutex<int>& shared) -> weir::task<> {
                auto g = co_await shared.lock();
                for (;;) co_await weir::yield_now();
            }(m));
            auto waiting = co_await start(m.lock());
            CHECK_WAITS(waiting);
            co_await holder.abort();
            REQUIRE_COMPLETES(waiting);
        }());
    }

    TEST_CASE_TEMPLATE("a guard may be moved into a task and dropped there", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            auto g = co_await m.lock();
            using guard = decltype(g);
            static_assert(!std::is_copy_constructible_v<guard>);
            static_assert(std::is_nothrow_move_constructible_v<guard>);
            auto h = weir::spawn([](guard moved) -> weir::task<> {
                *moved = 3;
                co_await weir::yield_now();
            }(std::move(g)));
            co_await h;
            auto again = co_await m.lock();
            CHECK(*again == 3);
        }());
    }

    TEST_CASE_TEMPLATE("a guard may be dropped on another thread", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            auto g = co_await m.lock();
            auto waiting = co_await start(m.lock());
            std::thread other([moved = std::move(g)]() mutable { auto gone = std::move(moved); });
            other.join();
            const bool granted = co_await until([&] { return waiting.handle.is_finished(); });
            CHECK(granted);
        }());
    }
}

TEST_SUITE("mutex threads") {
    TEST_CASE("threads and tasks share one mutex") {
        rt_current_thread rt;
        weir::mutex<int> m(0);
        std::thread other([&m] {
            for (int i = 0; i < 500; ++i) {
                auto g = m.blocking_lock();
                ++*g;
            }
        });
        rt.block_on(add_slowly(m, 500));
        other.join();
        CHECK(m.get_mut() == 1000);
    }

    TEST_CASE_TEMPLATE("blocking_lock refuses to block a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            CHECK_THROWS_AS(static_cast<void>(m.blocking_lock()), std::logic_error);
            CHECK(m.try_lock().has_value());
            co_return;
        }());
    }

    TEST_CASE("a coroutine that is not ours waits for the lock") {
        weir::mutex<int> m(4);
        auto held = m.try_lock();
        auto cancelled = start_foreign(m.lock());
        auto waiting = start_foreign(m.lock());
        CHECK_FALSE(waiting.done());
        cancelled.cancel();
        held.reset();
        REQUIRE(waiting.done());
        CHECK(*waiting.value() == 4);
    }
}
