// weir/broadcast.hpp: how a channel ends, and who keeps it open.

#include <doctest/doctest.h>

#include <optional>
#include <utility>
#include <weir/broadcast.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/broadcast.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace broadcast = weir::broadcast;

TEST_SUITE("broadcast closed by its senders") {
    TEST_CASE_TEMPLATE("what is kept is received before the end, and the end again and again", T,
                       WEIR_ELEMENTS) {
        auto [tx, rx] = broadcast::channel<T>(2);
        for (int i = 0; i < 3; ++i) static_cast<void>(tx.send(T(i)));
        CHECK_FALSE(rx.is_closed());
        { auto gone = std::move(tx); }
        CHECK(rx.is_closed());
        CHECK(show(rx.try_recv()) == "lagged 1");
        CHECK(show(rx.try_recv()) == "1");
        CHECK(show(rx.try_recv()) == "2");
        CHECK(show(rx.try_recv()) == "closed");
        CHECK(show(rx.try_recv()) == "closed");
    }

    TEST_CASE_TEMPLATE("the last sender to go wakes everybody who waits", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            auto copy = tx;
            auto other = tx.subscribe();
            auto a = co_await start(rx.recv());
            auto b = co_await start(other.recv());
            { auto gone = std::move(tx); }
            CHECK_WAITS(a);
            CHECK_WAITS(b);
            { auto gone = std::move(copy); }
            REQUIRE_COMPLETES(a);
            REQUIRE_COMPLETES(b);
            const auto ra = co_await a.handle;
            const auto rb = co_await b.handle;
            CHECK(ra.is_closed());
            CHECK(rb.is_closed());
        }());
    }

    TEST_CASE("a new receiver of a closed channel reports the end") {
        auto [tx, rx] = broadcast::channel<int>(2);
        static_cast<void>(tx.send(1));
        { auto gone = std::move(tx); }
        auto again = rx.resubscribe();
        CHECK(show(again.try_recv()) == "closed");
        CHECK(show(rx.try_recv()) == "1");
    }

    TEST_CASE("a weak sender does not keep the channel open") {
        auto [tx, rx] = broadcast::channel<int>(2);
        auto weak = tx.downgrade();
        auto weaker = weak;
        CHECK(tx.strong_count() == 1);
        CHECK(tx.weak_count() == 2);
        {
            auto strong = weak.upgrade();
            REQUIRE(strong.has_value());
            CHECK(strong->same_channel(tx));
            CHECK(rx.sender_strong_count() == 2);
            CHECK(strong->send(4).value() == 1);
        }
        CHECK(rx.sender_weak_count() == 2);
        { auto gone = std::move(tx); }
        CHECK(rx.sender_strong_count() == 0);
        CHECK_FALSE(weaker.upgrade().has_value());
        CHECK(show(rx.try_recv()) == "4");
        CHECK(show(rx.try_recv()) == "closed");
        { auto gone = std::move(rx); }
        CHECK_FALSE(weak.upgrade().has_value());
    }

    TEST_CASE("a sender that was moved from says so") {
        auto [tx, rx] = broadcast::channel<int>(2);
        auto moved = std::move(tx);
        CHECK_THROWS_AS(static_cast<void>(tx.send(1)), weir::already_consumed_error);
        tx = moved;
        CHECK(tx.same_channel(moved));
        CHECK(tx.strong_count() == 2);
        CHECK_FALSE(tx.same_channel(broadcast::sender<int>(2)));
    }
}

TEST_SUITE("broadcast without receivers") {
    TEST_CASE_TEMPLATE("closed waits for every receiver to go", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            auto other = tx.subscribe();
            auto waiting = co_await start(tx.closed());
            { auto gone = std::move(rx); }
            CHECK_WAITS(waiting);
            { auto gone = std::move(other); }
            CHECK_COMPLETES(waiting);
            co_await waiting.handle;
        }());
    }

    TEST_CASE_TEMPLATE("closed is ready for a channel that never had a receiver", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            broadcast::sender<int> tx(1);
            co_await tx.closed();
            CHECK(tx.receiver_count() == 0);
        }());
    }

    TEST_CASE_TEMPLATE("closed waits on when somebody subscribes before it was observed", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            auto waiting = co_await start(tx.closed());
            for (int i = 0; i < 3; ++i) {
                { auto gone = std::move(rx); }
                rx = tx.subscribe();
                CHECK_WAITS(waiting);
            }
            { auto gone = std::move(rx); }
            CHECK_COMPLETES(waiting);
            co_await waiting.handle;
        }());
    }

    TEST_CASE_TEMPLATE("closed can lose a race, and be aborted while it waits again", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            {
                const auto r = co_await weir::select(weir::biased, tx.closed(), weir::yield_now());
                CHECK(r.index() == 1);
            }
            auto waiting = co_await start(tx.closed());
            { auto gone = std::move(rx); }
            rx = tx.subscribe();
            CHECK_WAITS(waiting);
            co_await waiting.abort();
            { auto gone = std::move(rx); }
            co_await tx.closed();
        }());
    }

    TEST_CASE("a foreign coroutine waits for the receivers to go") {
        auto [tx, rx] = broadcast::channel<int>(2);
        auto waiting = start_foreign(tx.closed());
        auto given_up = start_foreign(tx.closed());
        CHECK_FALSE(waiting.done());
        given_up.cancel();
        { auto gone = std::move(rx); }
        CHECK(waiting.done());
    }

    TEST_CASE("subscribing opens the channel again") {
        auto [tx, rx] = broadcast::channel<int>(2);
        { auto gone = std::move(rx); }
        CHECK_FALSE(tx.send(1).has_value());
        auto again = tx.subscribe();
        CHECK(tx.send(2).value() == 1);
        CHECK(show(again.try_recv()) == "2");
    }
}
