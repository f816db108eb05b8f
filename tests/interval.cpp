// weir/interval.hpp: ticks, those that are missed, and changing the schedule.

#include <chrono>
#include <doctest/doctest.h>
#include <stdexcept>
#include <vector>

#include <weir/interval.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

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

std::chrono::milliseconds since(weir::clock::time_point begin, weir::clock::time_point t) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(t - begin);
}

using milliseconds = std::vector<std::chrono::milliseconds>;

// The times of ticks of 300 ms, where the second one is taken 640 ms late.
struct taken {
    milliseconds due;
    milliseconds at;
};
weir::task<taken> with_a_late_tick(weir::missed_tick m) {
    taken t;
    const auto begin = weir::clock::now();
    weir::interval every(300ms, m);
    for (int i = 0; i < 6; ++i) {
        if (i == 1) weir::clock::advance(940ms);
        const auto due = co_await every.tick();
        t.due.push_back(since(begin, due));
        t.at.push_back(since(begin, weir::clock::now()));
    }
    co_return t;
}

}  // namespace

TEST_SUITE("interval") {
    TEST_CASE("the first tick comes at once, the others one period apart") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            weir::interval every(100ms);
            CHECK(every.period() == 100ms);
            for (int i = 0; i < 5; ++i) {
                const auto due = co_await every.tick();
                CHECK(due == begin + i * 100ms);
                CHECK(weir::clock::now() == due);
            }
        }());
    }

    TEST_CASE_TEMPLATE("ticks come on every runtime, never early", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            weir::interval every(1ms);
            for (int i = 0; i < 5; ++i) {
                const auto due = co_await every.tick();
                CHECK(due >= begin + i * 1ms);
                CHECK(weir::clock::now() >= due);
            }
        }());
    }

    TEST_CASE("a period that is not positive is an error") {
        CHECK_THROWS_AS(weir::interval(0ms), std::invalid_argument);
        CHECK_THROWS_AS(weir::interval(-1s), std::invalid_argument);
        CHECK_THROWS_AS(static_cast<void>(weir::interval_at(weir::clock::now(), 0s)),
                        std::invalid_argument);
    }

    TEST_CASE("burst makes up for missed ticks, back to back") {
        rt_current_thread rt(paused());
        const taken t = rt.block_on(with_a_late_tick(weir::missed_tick::burst));
        CHECK(t.due == milliseconds{0ms, 300ms, 600ms, 900ms, 1200ms, 1500ms});
        CHECK(t.at == milliseconds{0ms, 940ms, 940ms, 940ms, 1200ms, 1500ms});
    }

    TEST_CASE("delay goes on one period after the late tick") {
        rt_current_thread rt(paused());
        const taken t = rt.block_on(with_a_late_tick(weir::missed_tick::delay));
        CHECK(t.due == milliseconds{0ms, 300ms, 1240ms, 1540ms, 1840ms, 2140ms});
        CHECK(t.at == milliseconds{0ms, 940ms, 1240ms, 1540ms, 1840ms, 2140ms});
    }

    TEST_CASE("skip goes on with the next multiple of the period") {
        rt_current_thread rt(paused());
        const taken t = rt.block_on(with_a_late_tick(weir::missed_tick::skip));
        CHECK(t.due == milliseconds{0ms, 300ms, 1200ms, 1500ms, 1800ms, 2100ms});
        CHECK(t.at == milliseconds{0ms, 940ms, 1200ms, 1500ms, 1800ms, 2100ms});
    }

    TEST_CASE("a few milliseconds are no missed tick") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            weir::interval every(100ms, weir::missed_tick::delay);
            co_await every.tick();
            weir::clock::advance(105ms);
            co_await every.tick();
            const auto due = co_await every.tick();
            CHECK(due == begin + 200ms);
            CHECK(every.on_missed() == weir::missed_tick::delay);
            every.set_on_missed(weir::missed_tick::skip);
            weir::clock::advance(250ms);  // 450 ms
            co_await every.tick();        // of 300 ms
            const auto next = co_await every.tick();
            CHECK(next == begin + 500ms);
        }());
    }

    TEST_CASE("an interval that starts later") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            auto every = weir::interval_at(begin + 30ms, 10ms);
            const auto first = co_await every.tick();
            const auto second = co_await every.tick();
            CHECK(first == begin + 30ms);
            CHECK(second == begin + 40ms);
        }());
    }

    TEST_CASE("the reset family moves the next tick, and the others with it") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            weir::interval every(100ms);
            co_await every.tick();
            weir::clock::advance(30ms);
            every.reset();
            auto due = co_await every.tick();
            CHECK(due == begin + 130ms);
            weir::clock::advance(20ms);
            every.reset_immediately();
            due = co_await every.tick();
            CHECK(due == begin + 150ms);
            every.reset_after(7ms);
            due = co_await every.tick();
            CHECK(due == begin + 157ms);
            every.reset_at(begin + 500ms);
            due = co_await every.tick();
            CHECK(due == begin + 500ms);
            due = co_await every.tick();
            CHECK(due == begin + 600ms);
        }());
    }

    TEST_CASE("a tick that lost a race is still due") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            weir::interval every(100ms);
            co_await every.tick();
            for (int i = 0; i < 3; ++i) {
                auto won = co_await weir::select(every.tick(), weir::sleep_for(30ms));
                CHECK(won.index() == 1);
            }
            auto late = co_await weir::timeout(1ms, every.tick());
            CHECK_FALSE(late.has_value());
            const auto due = co_await every.tick();
            CHECK(due == begin + 100ms);
        }());
    }

    TEST_CASE("a period without an end does not overflow") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            weir::interval every(std::chrono::hours::max(), weir::missed_tick::skip);
            co_await every.tick();
            auto next = co_await start(every.tick());
            CHECK_WAITS(next);
            co_await next.abort();
        }());
    }

    TEST_CASE_TEMPLATE("ticks that are due do not starve other tasks", R, WEIR_ORDERED_RUNTIMES) {
        R rt(paused());
        rt.block_on([]() -> weir::task<> {
            weir::interval every(1ns);
            weir::clock::advance(1h);
            bool other_ran = false;
            int ticks = 0;
            auto other = weir::spawn([](bool& ran) -> weir::task<> {
                ran = true;
                co_return;
            }(other_ran));
            for (; !other_ran && ticks < 1000; ++ticks) co_await every.tick();
            CHECK(ticks <= 129);
            co_await other;
        }());
    }
}
