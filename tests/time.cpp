// weir/time.hpp: sleeping, on the paused clock and on the real one.

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/join.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::runtime_options paused() {
    weir::runtime_options o;
    o.start_paused = true;
    return o;
}

weir::task<> appends_after(std::chrono::nanoseconds d, std::vector<int>& order, int n) {
    co_await weir::sleep_for(d);
    order.push_back(n);
}

weir::task<> sleeps_randomly(unsigned seed, std::string& timeline, char name) {
    for (int i = 0; i < 20; ++i) {
        seed = seed * 1103515245u + 12345u;
        co_await weir::sleep_for(std::chrono::milliseconds(seed / 65536 % 50));
        timeline += name;
    }
}

}  // namespace

TEST_SUITE("sleep") {
    TEST_CASE("a sleep is never early and at most a millisecond late") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            for (const auto d : {1ms, 5ms, 10ms, 60ms, 63ms, 64ms, 65ms, 4096ms, 300000ms}) {
                const auto begin = weir::clock::now();
                co_await weir::sleep_for(d);
                const auto took = weir::clock::now() - begin;
                CHECK(took >= d);
                CHECK(took <= d + 1ms);
            }
        }());
    }

    TEST_CASE("parts of a millisecond are not cut off") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            for (const auto d : {1ns, 1000ns, 1500000ns, 999999ns, 12345678ns}) {
                const auto begin = weir::clock::now();
                co_await weir::sleep_for(d);
                const auto took = weir::clock::now() - begin;
                CHECK(took >= d);
                CHECK(took <= d + 1ms);
            }
        }());
    }

    TEST_CASE_TEMPLATE("a sleep of nothing, and one that ended before it began, complete", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            co_await weir::sleep_for(0ms);
            co_await weir::sleep_for(-1h);
            co_await weir::sleep_until(weir::clock::now() - 1s);
        }());
    }

    TEST_CASE_TEMPLATE("a sleep on the real clock is never early", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 5; ++i) {
                const auto begin = std::chrono::steady_clock::now();
                co_await weir::sleep_for(2ms);
                CHECK(std::chrono::steady_clock::now() - begin >= 2ms);
            }
        }());
    }

    TEST_CASE("sleeps end in the order of their deadlines, in no real time") {
        rt_current_thread rt(paused());
        const auto real = std::chrono::steady_clock::now();
        rt.block_on([]() -> weir::task<> {
            std::vector<int> order;
            auto a = weir::spawn(appends_after(3h, order, 3));
            auto b = weir::spawn(appends_after(1h, order, 1));
            auto c = weir::spawn(appends_after(2h, order, 2));
            auto d = weir::spawn(appends_after(400h, order, 4));
            co_await d;
            CHECK(order == std::vector<int>{1, 2, 3, 4});
            co_await a;
            co_await b;
            co_await c;
        }());
        CHECK(std::chrono::steady_clock::now() - real < 30s);
    }

    TEST_CASE("very long sleeps do not overflow") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            co_await weir::sleep_for(24h * 365 * 5);
            CHECK(weir::clock::now() - begin >= 24h * 365 * 5);
            auto year = co_await start(weir::sleep_for(24h * 365 * 10));
            CHECK_WAITS(year);
            auto ever = co_await start(weir::sleep_for(std::chrono::nanoseconds::max()));
            CHECK_WAITS(ever);
            auto until_end = co_await start(weir::sleep_until(weir::clock::time_point::max()));
            CHECK_WAITS(until_end);
            co_await year.abort();
            co_await ever.abort();
            co_await until_end.abort();
        }());
    }

    TEST_CASE("the paused clock stands still while a task is ready") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            auto sleeper = co_await start(weir::sleep_for(1ms));
            const auto begin = weir::clock::now();
            for (int i = 0; i < 1000; ++i) co_await weir::yield_now();
            CHECK(weir::clock::now() == begin);
            CHECK_WAITS(sleeper);
            co_await sleeper.handle;
            CHECK(weir::clock::now() - begin <= 2ms);
        }());
    }

    TEST_CASE("a cancelled sleep is forgotten") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            for (int i = 0; i < 100; ++i) {
                auto cancelled = co_await start(weir::sleep_for(1h));
                co_await cancelled.abort();
            }
            co_await weir::sleep_for(2h);
            CHECK(weir::clock::now() - begin <= 2h + 1ms);
        }());
    }

    TEST_CASE("two runs on the paused clock have the same timeline") {
        auto run = [] {
            rt_current_thread rt(paused());
            return rt.block_on([]() -> weir::task<std::string> {
                std::string timeline;
                std::vector<weir::join_handle<void>> tasks;
                for (int i = 0; i < 10; ++i) {
                    const char name = static_cast<char>('a' + i);
                    tasks.push_back(weir::spawn(
                        sleeps_randomly(static_cast<unsigned>(i), timeline, name)));
                }
                for (auto& t : tasks) co_await t;
                co_return timeline;
            }());
        };
        const std::string first = run();
        CHECK(first.size() == 200);
        CHECK(first == run());
    }

    TEST_CASE_TEMPLATE("a thousand timers at one time all fire", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            const auto deadline = weir::clock::now() + 5ms;
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 1000; ++i) {
                tasks.push_back(weir::spawn(run_operation(weir::sleep_until(deadline))));
            }
            for (auto& t : tasks) co_await t;
            CHECK(weir::clock::now() >= deadline);
        }());
    }

    TEST_CASE("a sleep can be moved to later, to earlier and into the past, before and after its end") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            weir::sleep s(10ms);
            CHECK(s.deadline() == begin + 10ms);
            CHECK_FALSE(s.is_elapsed());
            s.reset(begin + 50ms);
            co_await s;
            CHECK(weir::clock::now() == begin + 50ms);
            CHECK(s.is_elapsed());
            s.reset(begin + 100ms);
            CHECK_FALSE(s.is_elapsed());
            CHECK(s.deadline() == begin + 100ms);
            s.reset(begin + 70ms);
            co_await s;
            CHECK(weir::clock::now() == begin + 70ms);
            s.reset(begin);
            CHECK(s.is_elapsed());
            co_await s;
            co_await s;
            CHECK(weir::clock::now() == begin + 70ms);
        }());
    }

    TEST_CASE("a sleep that lost a race can be moved and awaited again") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            weir::sleep s(10ms);
            for (int i = 1; i <= 3; ++i) {
                auto won = co_await weir::select(s, weir::sleep_for(5ms));
                CHECK(won.index() == 1);
                s.reset(weir::clock::now() + 10ms);
            }
            co_await s;
            CHECK(weir::clock::now() == begin + 25ms);
        }());
    }

    TEST_CASE_TEMPLATE("timers of many tasks fire among others that are always ready", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::atomic<bool> stop{false};
            std::vector<weir::join_handle<void>> busy;
            for (int i = 0; i < 8; ++i)
                busy.push_back(weir::spawn([](std::atomic<bool>& s) -> weir::task<> {
                    while (!s) co_await weir::yield_now();
                }(stop)));
            std::vector<weir::join_handle<void>> timers;
            for (int i = 0; i < 50; ++i)
                timers.push_back(weir::spawn(run_operation(weir::sleep_for(1ms))));
            for (auto& t : timers) co_await t;
            stop = true;
            for (auto& t : busy) co_await t;
        }());
    }
}

TEST_SUITE("clock") {
    TEST_CASE("pause stops it, advance moves it exactly, resume lets it run on without a jump back") {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            weir::clock::pause();
            const auto begin = weir::clock::now();
            CHECK(weir::clock::now() == begin);
            for (const auto d : {std::chrono::nanoseconds(1), std::chrono::nanoseconds(3'140'000),
                                 std::chrono::nanoseconds(1ms), std::chrono::nanoseconds(0)}) {
                const auto before = weir::clock::now();
                weir::clock::advance(d);
                CHECK(weir::clock::now() == before + d);
            }
            weir::clock::advance(1h);
            const auto stopped = weir::clock::now();
            weir::clock::resume();
            CHECK(weir::clock::now() >= stopped);
            CHECK(weir::clock::now() < stopped + 1h);
            co_await weir::sleep_for(1ms);
            CHECK(weir::clock::now() >= stopped + 1ms);
        }());
    }

    TEST_CASE("advance wakes what is due by then, and nothing else") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            auto soon = co_await start(weir::sleep_for(10ms));
            auto late = co_await start(weir::sleep_for(30ms));
            weir::clock::advance(20ms);
            CHECK_COMPLETES(soon);
            CHECK_WAITS(late);
            co_await late.abort();
        }());
    }

    TEST_CASE("in the wrong state it says so") {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            CHECK_THROWS_AS(weir::clock::resume(), std::logic_error);
            CHECK_THROWS_AS(weir::clock::advance(1ms), std::logic_error);
            weir::clock::pause();
            CHECK_THROWS_AS(weir::clock::pause(), std::logic_error);
            CHECK_THROWS_AS(weir::clock::advance(-1ms), std::logic_error);
            weir::clock::resume();
            co_return;
        }());
        CHECK_THROWS_AS(weir::clock::pause(), weir::no_runtime_error);
    }

    TEST_CASE("with several threads it cannot be paused") {
        rt_multi_thread<2> rt;
        rt.block_on([]() -> weir::task<> {
            CHECK_THROWS_AS(weir::clock::pause(), std::logic_error);
            co_return;
        }());
    }
}
