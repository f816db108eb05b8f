// weir/mpsc.hpp: reserve and permits.

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;

TEST_SUITE("mpsc permits") {
    TEST_CASE_TEMPLATE("a permit sends at once although the channel is full", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            auto permit = co_await tx.reserve();
            REQUIRE(permit.has_value());
            CHECK(tx.capacity() == 1);
            CHECK(rx.empty());
            CHECK(tx.try_send(1).has_value());
            CHECK_FALSE(tx.try_send(2).has_value());
            std::move(*permit).send(3);
            CHECK(rx.size() == 2);
            const auto a = co_await rx.recv();
            const auto b = co_await rx.recv();
            CHECK(a == 1);
            CHECK(b == 3);
            CHECK(tx.capacity() == 2);
        }());
    }

    TEST_CASE_TEMPLATE("a recv gives its slot to the reserve that waits", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            {
                auto permit = co_await tx.reserve();
                REQUIRE(permit.has_value());
                std::move(*permit).send(1);
            }
            auto second = co_await start(tx.reserve());
            CHECK_WAITS(second);
            const auto value = co_await rx.recv();
            CHECK(value == 1);
            auto refused = tx.try_send(2);
            REQUIRE_FALSE(refused.has_value());
            CHECK(refused.error().is_full());
            REQUIRE_COMPLETES(second);
            auto permit = co_await second.handle;
            REQUIRE(permit.has_value());
            std::move(*permit).send(3);
            CHECK(rx.try_recv() == 3);
        }());
    }

    TEST_CASE_TEMPLATE("dropping a permit gives the slot back and wakes who waits", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            auto permit = co_await tx.reserve();
            REQUIRE(permit.has_value());
            auto send = co_await start(tx.send(1));
            CHECK_WAITS(send);
            { auto dropped = std::move(*permit); }
            CHECK_COMPLETES(send);
            CHECK(rx.try_recv() == 1);
            CHECK(tx.capacity() == 1);
        }());
    }

    TEST_CASE("try_reserve takes a slot or says that there is none") {
        auto [tx, rx] = mpsc::channel<int>(1);
        {
            auto permit = tx.try_reserve();
            REQUIRE(permit.has_value());
            CHECK_FALSE(tx.try_reserve().has_value());
            CHECK_FALSE(tx.try_send(1).has_value());
            std::move(*permit).send(2);
        }
        CHECK_FALSE(tx.try_reserve().has_value());
        CHECK(rx.try_recv() == 2);
        CHECK(tx.try_reserve().has_value());
        CHECK(tx.capacity() == 1);
    }

    TEST_CASE_TEMPLATE("a cancelled reserve gives its place up", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            auto cancelled = co_await start(tx.reserve());
            auto next = co_await start(tx.reserve());
            co_await cancelled.abort();
            CHECK(rx.try_recv() == 1);
            REQUIRE_COMPLETES(next);
        }());
    }

    TEST_CASE_TEMPLATE("a reserve that loses a race loses no value", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            int value = 2;
            for (int i = 0; i < 3; ++i) {
                auto v = co_await weir::select(tx.reserve(), weir::yield_now());
                CHECK(v.index() == 1);
            }
            CHECK(rx.try_recv() == 1);
            auto v = co_await weir::select(tx.reserve(), settle());
            REQUIRE(v.index() == 0);
            auto& permit = std::get<0>(v);
            REQUIRE(permit.has_value());
            std::move(*permit).send(value);
            CHECK(rx.try_recv() == 2);
        }());
    }

    TEST_CASE("a value sent by a permit after the receiver is gone is dropped once") {
        ledger l;
        {
            auto [tx, rx] = mpsc::channel<counted>(1);
            auto permit = tx.try_reserve();
            REQUIRE(permit.has_value());
            { auto gone = std::move(rx); }
            std::move(*permit).send(counted(l));
        }
        CHECK(l.made == 1);
        CHECK(l.dropped == 1);
        CHECK(l.objects == 0);
    }
}

TEST_SUITE("mpsc permits and close") {
    TEST_CASE_TEMPLATE("a permit sent after close is still received", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            auto permit = co_await tx.reserve();
            REQUIRE(permit.has_value());
            rx.close();
            CHECK(rx.try_recv().error() == mpsc::try_recv_error::empty);  // one may still come
            auto waiting = co_await start(rx.recv());
            CHECK_WAITS(waiting);
            std::move(*permit).send(5);
            REQUIRE_COMPLETES(waiting);
            const auto value = co_await waiting.handle;
            CHECK(value == 5);
            const auto end = co_await rx.recv();
            CHECK_FALSE(end.has_value());
            CHECK(rx.try_recv().error() == mpsc::try_recv_error::disconnected);
        }());
    }

    TEST_CASE_TEMPLATE("the last permit to be dropped after close ends a recv that waits", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            auto a = co_await tx.reserve();
            auto b = co_await tx.reserve();
            REQUIRE(a.has_value());
            REQUIRE(b.has_value());
            rx.close();
            auto waiting = co_await start(rx.recv());
            { auto dropped = std::move(*a); }
            CHECK_WAITS(waiting);
            { auto dropped = std::move(*b); }
            REQUIRE_COMPLETES(waiting);
            const auto end = co_await waiting.handle;
            CHECK_FALSE(end.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("close wakes a reserve that waits, with an error", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            auto held = co_await tx.reserve();
            auto waiting = co_await start(tx.reserve());
            CHECK_WAITS(waiting);
            rx.close();
            REQUIRE_COMPLETES(waiting);
            auto refused = co_await waiting.handle;
            CHECK_FALSE(refused.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("a granted reserve that is cancelled after close ends the recv", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            auto granted = co_await start(tx.reserve());
            CHECK(rx.try_recv() == 1);  // grants the slot
            rx.close();
            auto waiting = weir::spawn(run_operation(rx.recv()));
            co_await granted.abort();
            const bool ended = co_await until([&] { return waiting.is_finished(); });
            REQUIRE(ended);
            const auto end = co_await waiting;
            CHECK_FALSE(end.has_value());
        }());
    }

    TEST_CASE("is_closed is false while a sender lives, whatever was reserved") {
        auto [tx, rx] = mpsc::channel<int>(2);
        auto permit = tx.try_reserve();
        REQUIRE(permit.has_value());
        CHECK_FALSE(rx.is_closed());
        std::move(*permit).send(1);
        CHECK_FALSE(rx.is_closed());
    }
}
