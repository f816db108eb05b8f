// weir/mpsc.hpp: send with a deadline.

#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;
namespace mpsc = weir::mpsc;

static_assert(weir::cancel_safety_v<decltype(std::declval<mpsc::sender<int>&>().send_for(1, 1s))> ==
              weir::cancel_safety::loses_data);

TEST_SUITE("mpsc send_for") {
    TEST_CASE_TEMPLATE("what fits is sent, even with no time at all", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(3);
            auto a = co_await tx.send_for(1, 1h);
            auto b = co_await tx.send_for(2, 0s);
            auto c = co_await tx.send_for(3, -1s);
            CHECK(a.has_value());
            CHECK(b.has_value());
            CHECK(c.has_value());
            auto full = co_await tx.send_for(4, 0s);
            REQUIRE_FALSE(full.has_value());
            CHECK(full.error().is_timeout());
            CHECK(full.error().value == 4);
            CHECK(rx.size() == 3);
        }());
    }

    TEST_CASE_TEMPLATE("a full channel gives the value back when the time is up, not before", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<std::unique_ptr<int>>(1);
            CHECK(tx.try_send(std::make_unique<int>(1)).has_value());
            const auto begin = weir::clock::now();
            auto late = co_await tx.send_for(std::make_unique<int>(2), 20ms);
            REQUIRE_FALSE(late.has_value());
            CHECK(late.error().is_timeout());
            CHECK_FALSE(late.error().is_closed());
            CHECK(*late.error().value == 2);
            CHECK(weir::clock::now() - begin >= 20ms);
            auto first = co_await rx.recv();
            CHECK(**first == 1);
            CHECK(rx.empty());
            CHECK(tx.capacity() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("a slot that becomes free in time is used, in the order of asking", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            auto a = co_await start(tx.send_for(2, 1h));
            auto b = co_await start(tx.send(3));
            CHECK_WAITS(a);
            for (int i = 1; i < 4; ++i) {
                const auto value = co_await rx.recv();
                CHECK(value == i);
            }
            REQUIRE_COMPLETES(a);
            auto sent = co_await a.handle;
            CHECK(sent.has_value());
            CHECK_COMPLETES(b);
        }());
    }

    TEST_CASE_TEMPLATE("a closed channel says so, before and while it waits", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            auto waiting = co_await start(tx.send_for(2, 1h));
            CHECK_WAITS(waiting);
            rx.close();
            REQUIRE_COMPLETES(waiting);
            auto refused = co_await waiting.handle;
            REQUIRE_FALSE(refused.has_value());
            CHECK(refused.error().is_closed());
            CHECK_FALSE(refused.error().is_timeout());
            CHECK(refused.error().value == 2);
            auto at_once = co_await tx.send_for(3, 1h);
            REQUIRE_FALSE(at_once.has_value());
            CHECK(at_once.error().is_closed());
            CHECK(at_once.error().value == 3);
        }());
    }

    TEST_CASE_TEMPLATE("the one that gave up lets the next one through", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            auto permits = co_await tx.reserve_many(1);
            CHECK(tx.try_send(1).has_value());
            auto gave_up = co_await tx.send_for(2, 5ms);
            CHECK_FALSE(gave_up.has_value());
            auto next = co_await start(tx.send(3));
            CHECK_WAITS(next);
            CHECK(rx.try_recv() == 1);
            REQUIRE_COMPLETES(next);
            CHECK(rx.try_recv() == 3);
        }());
    }

    TEST_CASE_TEMPLATE("one that is aborted gives up its place and its timer", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto [tx, rx] = mpsc::channel<counted>(1);
            CHECK(tx.try_send(counted(book)).has_value());
            auto aborted = co_await start(tx.send_for(counted(book), 1h));
            CHECK_WAITS(aborted);
            co_await aborted.abort();
            CHECK(book.live() == 1);
            auto next = co_await start(tx.send(counted(book)));
            CHECK(rx.try_recv().has_value());
            CHECK_COMPLETES(next);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("time and slot at the same moment: sent or given back, once", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sent = 0;
            int received = 0;
            for (int i = 0; i < 200; ++i) {
                auto [tx, rx] = mpsc::channel<int>(1);
                CHECK(tx.try_send(0).has_value());
                auto racing = weir::spawn(run_operation(tx.send_for(1, 100us)));
                co_await weir::sleep_for(std::chrono::microseconds(50 + i));
                received += rx.try_recv().has_value();
                auto result = co_await racing;
                if (result) ++sent;
                CHECK(rx.size() == (result.has_value() ? 1 : 0));
                CHECK((result.has_value() || result.error().is_timeout()));
                CHECK(tx.capacity() + rx.size() == 1);
            }
            CHECK(received == 200);
            CHECK(sent <= 200);
        }());
    }

    TEST_CASE("without a runtime there is no timer") {
        auto [tx, rx] = mpsc::channel<int>(1);
        auto foreign = start_foreign(tx.send_for(1, 1s));
        REQUIRE(foreign.done());
        CHECK_THROWS_AS(static_cast<void>(foreign.value()), weir::no_runtime_error);
        CHECK(rx.empty());
    }

    TEST_CASE_TEMPLATE("an mpmc channel has it too", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpmc::channel<int>(1);
            auto sent = co_await tx.send_for(1, 1ms);
            CHECK(sent.has_value());
            auto late = co_await tx.send_for(2, 1ms);
            REQUIRE_FALSE(late.has_value());
            CHECK(late.error().is_timeout());
        }());
    }
}
