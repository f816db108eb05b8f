// weir/mpsc.hpp: several slots at once, and permits that own their sender.

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;

static_assert(!std::is_copy_constructible_v<mpsc::permits<int>>);
static_assert(!std::is_copy_constructible_v<mpsc::owned_permit<int>>);
static_assert(std::is_nothrow_move_constructible_v<mpsc::owned_permit<int>>);
static_assert(std::is_nothrow_move_assignable_v<mpsc::owned_permit<int>>);

TEST_SUITE("mpsc reserve_many") {
    TEST_CASE_TEMPLATE("all slots come at once and are filled one by one", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            auto permits = co_await tx.reserve_many(3);
            REQUIRE(permits.has_value());
            CHECK(permits->size() == 3);
            CHECK(tx.capacity() == 1);
            for (int i = 0; i < 3; ++i) permits->send(i);
            CHECK(permits->empty());
            CHECK_THROWS_AS(permits->send(3), std::logic_error);
            for (int i = 0; i < 3; ++i) CHECK(rx.try_recv() == i);
            CHECK(tx.capacity() == 4);
        }());
    }

    TEST_CASE_TEMPLATE("it waits for all of them, and nobody behind it is served before", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(3);
            for (int i = 0; i < 3; ++i) CHECK(tx.try_send(i).has_value());
            auto three = co_await start(tx.reserve_many(3));
            auto one = co_await start(tx.reserve());
            CHECK(rx.try_recv() == 0);
            CHECK(rx.try_recv() == 1);
            CHECK(tx.capacity() == 2);
            CHECK_WAITS(three);
            CHECK_WAITS(one);
            CHECK(tx.try_reserve().error().is_full());
            CHECK(rx.try_recv() == 2);
            REQUIRE_COMPLETES(three);
            auto permits = co_await three.handle;
            REQUIRE(permits.has_value());
            CHECK(permits->size() == 3);
            CHECK_WAITS(one);
            { auto dropped = std::move(*permits); }
            CHECK_COMPLETES(one);
        }());
    }

    TEST_CASE_TEMPLATE("one that is cancelled lets the smaller ones behind it through", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            CHECK(tx.try_send(1).has_value());
            auto two = co_await start(tx.reserve_many(2));
            auto one = co_await start(tx.reserve());
            CHECK_WAITS(one);
            co_await two.abort();
            REQUIRE_COMPLETES(one);
            auto permit = co_await one.handle;
            CHECK(permit.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("what is left goes back when the permits are dropped", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(3);
            {
                auto permits = co_await tx.reserve_many(3);
                REQUIRE(permits.has_value());
                auto waiting = co_await start(tx.send(9));
                CHECK_WAITS(waiting);
                permits->send(1);
                CHECK(rx.size() == 1);
                auto moved = std::move(*permits);
                CHECK(permits->size() == 0);
                CHECK(moved.size() == 2);
                moved = std::move(tx.try_reserve_many(0).value());
                REQUIRE_COMPLETES(waiting);
            }
            CHECK(tx.capacity() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("none are granted at once, and too many never", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            CHECK(tx.try_send(1).has_value());
            CHECK(tx.try_send(2).has_value());
            auto waiting = co_await start(tx.reserve());
            auto none = co_await tx.reserve_many(0);
            REQUIRE(none.has_value());
            CHECK(none->empty());
            auto too_many = co_await tx.reserve_many(3);
            CHECK_FALSE(too_many.has_value());
            auto far_too_many = co_await tx.reserve_many(static_cast<std::size_t>(-1));
            CHECK_FALSE(far_too_many.has_value());
            CHECK(tx.try_reserve_many(0).has_value());
            CHECK(tx.try_reserve_many(3).error().is_full());
            rx.close();
            REQUIRE_COMPLETES(waiting);
            auto closed = co_await tx.reserve_many(0);
            CHECK_FALSE(closed.has_value());
            CHECK(tx.try_reserve_many(0).error().is_closed());
        }());
    }

    TEST_CASE("try_reserve_many is full when fewer are free, and closed after the receiver") {
        auto [tx, rx] = mpsc::channel<int>(4);
        auto three = tx.try_reserve_many(3);
        REQUIRE(three.has_value());
        auto two = tx.try_reserve_many(2);
        REQUIRE_FALSE(two.has_value());
        CHECK(two.error().is_full());
        CHECK_FALSE(two.error().is_closed());
        CHECK(tx.try_reserve_many(1).has_value());
        { auto gone = std::move(rx); }
        auto closed = tx.try_reserve_many(1);
        REQUIRE_FALSE(closed.has_value());
        CHECK(closed.error().is_closed());
    }

    TEST_CASE_TEMPLATE("permits keep a closed channel from its end until the last is gone", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(3);
            auto permits = co_await tx.reserve_many(3);
            REQUIRE(permits.has_value());
            rx.close();
            permits->send(1);
            CHECK(rx.try_recv() == 1);
            CHECK(rx.try_recv().error() == mpsc::try_recv_error::empty);
            auto waiting = co_await start(rx.recv());
            CHECK_WAITS(waiting);
            permits->send(2);
            REQUIRE_COMPLETES(waiting);
            const auto value = co_await waiting.handle;
            CHECK(value == 2);
            auto last = co_await start(rx.recv());
            CHECK_WAITS(last);
            { auto dropped = std::move(*permits); }
            REQUIRE_COMPLETES(last);
            const auto end = co_await last.handle;
            CHECK_FALSE(end.has_value());
        }());
    }
}

TEST_SUITE("mpsc owned permits") {
    TEST_CASE_TEMPLATE("send and release give the sender back", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [first, rx] = mpsc::channel<int>(1);
            auto permit = co_await std::move(first).reserve_owned();
            REQUIRE(permit.has_value());
            CHECK(rx.sender_strong_count() == 1);
            auto tx = permit->send(4);
            CHECK(rx.try_recv() == 4);
            CHECK_THROWS_AS(static_cast<void>(permit->send(5)), std::logic_error);
            auto again = std::move(tx).try_reserve_owned();
            REQUIRE(again.has_value());
            CHECK(rx.capacity() == 0);
            auto back = again->release();
            CHECK(rx.capacity() == 1);
            CHECK(back.try_send(6).has_value());
            CHECK(rx.sender_strong_count() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("it counts as a sender, and dropping it drops both", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            auto permit = co_await std::move(tx).reserve_owned();
            REQUIRE(permit.has_value());
            CHECK_FALSE(rx.is_closed());
            auto waiting = co_await start(rx.recv());
            CHECK_WAITS(waiting);
            { auto dropped = std::move(*permit); }
            REQUIRE_COMPLETES(waiting);
            const auto end = co_await waiting.handle;
            CHECK_FALSE(end.has_value());
            CHECK(rx.is_closed());
        }());
    }

    TEST_CASE("a permit without a sender leaves the channel closed but not at its end") {
        auto [tx, rx] = mpsc::channel<int>(1);
        auto permit = tx.try_reserve();
        REQUIRE(permit.has_value());
        { auto gone = std::move(tx); }
        CHECK_FALSE(rx.is_closed());  // something may still come
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::empty);
        permit->send(1);
        CHECK(rx.is_closed());
        CHECK(rx.try_recv() == 1);
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::disconnected);
    }

    TEST_CASE("try_reserve_owned gives the sender back when it fails") {
        auto [tx, rx] = mpsc::channel<int>(1);
        auto other = tx;
        auto held = std::move(other).try_reserve_owned();
        REQUIRE(held.has_value());
        auto full = std::move(tx).try_reserve_owned();
        REQUIRE_FALSE(full.has_value());
        CHECK(full.error().is_full());
        auto back = std::move(full.error().value);
        CHECK(held->same_channel(back));
        { auto gone = std::move(rx); }
        auto closed = std::move(back).try_reserve_owned();
        REQUIRE_FALSE(closed.has_value());
        CHECK(closed.error().is_closed());
        CHECK(closed.error().value.is_closed());
    }

    TEST_CASE("same_channel tells the channels of permits and senders apart") {
        auto [tx, rx] = mpsc::channel<int>(2);
        auto [tx2, rx2] = mpsc::channel<int>(2);
        auto copy = tx;
        auto copy2 = tx2;
        auto a = std::move(tx).try_reserve_owned();
        auto b = mpsc::sender<int>(copy).try_reserve_owned();
        auto c = std::move(tx2).try_reserve_owned();
        CHECK(a->same_channel(*b));
        CHECK_FALSE(a->same_channel(*c));
        CHECK(a->same_channel(copy));
        CHECK_FALSE(a->same_channel(copy2));
        *a = std::move(*c);  // gives the slot of the first channel back
        CHECK(rx.capacity() == 1);
        CHECK(rx2.capacity() == 1);
        CHECK(a->same_channel(copy2));
    }

    TEST_CASE_TEMPLATE("a cancelled reserve_owned drops its sender; one that lost a race keeps it", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            auto copy = tx;
            auto cancelled = co_await start(std::move(copy).reserve_owned());
            CHECK(tx.strong_count() == 2);
            co_await cancelled.abort();
            CHECK(tx.strong_count() == 1);
            auto reserve = std::move(tx).reserve_owned();
            for (int i = 0; i < 3; ++i) {
                auto raced = co_await weir::select(reserve, weir::yield_now());
                CHECK(raced.index() == 1);
                CHECK(rx.sender_strong_count() == 1);
            }
            CHECK(rx.try_recv() == 1);
            auto permit = co_await reserve;
            REQUIRE(permit.has_value());
            auto back = permit->release();
            CHECK(rx.capacity() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("every way to end one wakes the recv of a closed channel", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const char way : {'s', 'r', 'd'}) {
                auto [tx, rx] = mpsc::channel<int>(1);
                auto keep = tx;
                auto permit = co_await std::move(tx).reserve_owned();
                REQUIRE(permit.has_value());
                rx.close();
                auto waiting = co_await start(rx.recv());
                CHECK_WAITS(waiting);
                if (way == 's') static_cast<void>(permit->send(7));
                if (way == 'r') static_cast<void>(permit->release());
                if (way == 'd') auto dropped = std::move(*permit);
                REQUIRE_COMPLETES(waiting);
                const auto value = co_await waiting.handle;
                CHECK(value.has_value() == (way == 's'));
            }
        }());
    }

    TEST_CASE_TEMPLATE("reserving on a closed channel fails", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            { auto gone = std::move(rx); }
            auto many = co_await tx.reserve_many(2);
            CHECK_FALSE(many.has_value());
            auto owned = co_await std::move(tx).reserve_owned();
            CHECK_FALSE(owned.has_value());
        }());
    }
}
