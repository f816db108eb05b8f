// weir/timeout.hpp: the operation is tried first, and destroyed when the time is over.

#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <type_traits>

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::runtime_options paused() {
    weir::runtime_options o;
    o.start_paused = true;
    return o;
}

weir::task<int> ready(int n) { co_return n; }

weir::task<> holds_for_ever(counted) {
    auto [tx, rx] = weir::oneshot::channel<int>();
    static_cast<void>(co_await rx);  // nobody sends: waits for ever
}

weir::task<std::unique_ptr<int>> after(std::chrono::milliseconds d) {
    co_await weir::sleep_for(d);
    co_return std::make_unique<int>(1);
}

weir::task<> throws_after(std::chrono::milliseconds d) {
    co_await weir::sleep_for(d);
    throw std::runtime_error("inside the timeout");
}

}  // namespace

TEST_SUITE("timeout") {
    TEST_CASE_TEMPLATE("a ready operation wins even when no time is left", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto r = co_await weir::timeout(0ms, ready(3));
            static_assert(std::is_same_v<decltype(r), weir::expected<int, weir::elapsed>>);
            REQUIRE(r.has_value());
            CHECK(*r == 3);
            auto negative = co_await weir::timeout(-5ms, ready(4));
            CHECK(negative.has_value());
            auto past = co_await weir::timeout_at(weir::clock::now() - 1h, ready(5));
            CHECK(past.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("an operation that waits with no time left times out", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            auto r = co_await weir::timeout(0ms, rx);
            CHECK_FALSE(r.has_value());
            auto past = co_await weir::timeout_at(weir::clock::now() - 1h, rx);
            CHECK_FALSE(past.has_value());
            CHECK(tx.send(1).has_value());
            auto value = co_await rx;
            CHECK(value == 1);
        }());
    }

    TEST_CASE("what is done in time passes its value through") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            auto r = co_await weir::timeout(10ms, after(5ms));
            REQUIRE(r.has_value());
            CHECK(**r == 1);
            auto nothing = co_await weir::timeout(10ms, weir::sleep_for(1ms));
            static_assert(std::is_same_v<decltype(nothing), weir::expected<void, weir::elapsed>>);
            CHECK(nothing.has_value());
        }());
    }

    TEST_CASE("what is late is destroyed at the deadline, before the caller goes on") {
        ledger l;
        rt_current_thread rt(paused());
        rt.block_on([](ledger& book) -> weir::task<> {
            const auto begin = weir::clock::now();
            auto r = co_await weir::timeout(100ms, holds_for_ever(counted(book)));
            CHECK_FALSE(r.has_value());
            CHECK(book.live() == 0);
            const auto took = weir::clock::now() - begin;
            CHECK(took >= 100ms);
            CHECK(took <= 101ms);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE("an exception of the operation travels through") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            bool caught = false;
            try {
                auto r = co_await weir::timeout(10ms, throws_after(1ms));
                static_cast<void>(r);
            } catch (const std::runtime_error&) {
                caught = true;
            }
            CHECK(caught);
        }());
    }

    TEST_CASE("timeout_at ends at its time point") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto deadline = weir::clock::now() + 50ms;
            auto r = co_await weir::timeout_at(deadline, weir::sleep_for(1h));
            CHECK_FALSE(r.has_value());
            CHECK(weir::clock::now() >= deadline);
            CHECK(weir::clock::now() <= deadline + 1ms);
        }());
    }

    TEST_CASE("timeouts nest, and the shortest ends its part alone") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            auto outer = co_await weir::timeout(1s, weir::timeout(10ms, weir::sleep_for(1h)));
            REQUIRE(outer.has_value());
            CHECK_FALSE(outer->has_value());
            CHECK(weir::clock::now() - begin < 12ms);
            auto cut = co_await weir::timeout(10ms, weir::timeout(1s, weir::sleep_for(1h)));
            CHECK_FALSE(cut.has_value());
        }());
    }

    TEST_CASE("a recv that timed out has taken nothing") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            for (int i = 0; i < 3; ++i) {
                auto r = co_await weir::timeout(5ms, rx.recv());
                CHECK_FALSE(r.has_value());
            }
            CHECK(tx.try_send(1).has_value());
            auto r = co_await weir::timeout(5ms, rx.recv());
            REQUIRE(r.has_value());
            CHECK(*r == 1);
        }());
    }

    TEST_CASE("a caller that gave up is seen by who would answer") {
        rt_current_thread rt(paused());
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            {
                auto r = co_await weir::timeout(5ms, std::move(rx));
                CHECK_FALSE(r.has_value());
            }
            CHECK(tx.is_closed());
            auto back = tx.send(1);
            REQUIRE_FALSE(back.has_value());
            CHECK(back.error() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("a timeout that is long enough never ends the operation", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 1000; ++i) {
                auto r = co_await weir::timeout(1h, weir::yield_now());
                CHECK(r.has_value());
            }
            auto longest = co_await weir::timeout(std::chrono::nanoseconds::max(), ready(1));
            CHECK(longest.has_value());
        }());
    }
}
