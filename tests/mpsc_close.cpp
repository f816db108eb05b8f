// weir/mpsc.hpp: how a channel ends.

#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;

namespace {

weir::task<> holds_sender(mpsc::sender<int>) {
    for (;;) co_await weir::yield_now();
}

weir::task<> throws_with_sender(mpsc::sender<int>) {
    co_await weir::yield_now();
    throw std::runtime_error("producer");
}

}  // namespace

TEST_SUITE("mpsc closed by its senders") {
    TEST_CASE_TEMPLATE("recv drains what was sent, then returns nullopt, again and again", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            {
                auto copy = tx;
                CHECK(copy.try_send(1).has_value());
                CHECK(tx.try_send(2).has_value());
                auto gone = std::move(tx);
            }
            CHECK(rx.is_closed());
            CHECK(rx.size() == 2);
            const auto a = co_await rx.recv();
            const auto b = co_await rx.recv();
            const auto end = co_await rx.recv();
            const auto again = co_await rx.recv();
            CHECK(a == 1);
            CHECK(b == 2);
            CHECK_FALSE(end.has_value());
            CHECK_FALSE(again.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("the last sender to go wakes a recv that waits", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            auto copy = tx;
            auto waiting = co_await start(rx.recv());
            { auto gone = std::move(tx); }
            CHECK_WAITS(waiting);
            { auto gone = std::move(copy); }
            REQUIRE_COMPLETES(waiting);
            const auto end = co_await waiting.handle;
            CHECK_FALSE(end.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("a sender in a task that is aborted or throws is gone too", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            auto waiting = co_await start(rx.recv());
            auto aborted = weir::spawn(holds_sender(tx));
            auto thrower = weir::spawn(throws_with_sender(std::move(tx)));
            CHECK_WAITS(waiting);
            aborted.abort();
            REQUIRE_COMPLETES(waiting);
            const auto end = co_await waiting.handle;
            CHECK_FALSE(end.has_value());
            const auto failed = co_await thrower.result();
            CHECK_FALSE(failed.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("size and empty are right while the last sender goes", Capacity,
                       std::integral_constant<int, 0>, std::integral_constant<int, 1>,
                       std::integral_constant<int, 32>, std::integral_constant<int, 33>) {
        constexpr int messages = Capacity::value;
        for (int round = 0; round < 50; ++round) {
            auto [tx, rx] = mpsc::channel<int>(64);
            for (int i = 0; i < messages; ++i) CHECK(tx.try_send(i).has_value());
            std::thread other([last = std::move(tx)]() mutable { auto gone = std::move(last); });
            bool right = true;
            do {
                right &= rx.size() == messages && rx.empty() == (messages == 0);
            } while (!rx.is_closed());
            other.join();
            CHECK(right);
            CHECK(rx.size() == messages);
        }
    }

    TEST_CASE("a moved-from sender does not count") {
        auto [tx, rx] = mpsc::channel<int>(1);
        auto moved = std::move(tx);
        CHECK_FALSE(rx.is_closed());
        moved = mpsc::sender<int>(moved);
        CHECK_FALSE(rx.is_closed());
        { auto gone = std::move(moved); }
        CHECK(rx.is_closed());
    }
}

TEST_SUITE("mpsc closed by its receiver") {
    TEST_CASE("dropping the receiver destroys what was buffered at once") {
        ledger l;
        auto [tx, rx] = mpsc::channel<counted>(40);
        for (int i = 0; i < 40; ++i) CHECK(tx.try_send(counted(l, i)).has_value());
        CHECK(l.live() == 40);
        { auto gone = std::move(rx); }
        CHECK(l.dropped == 40);
        CHECK(l.objects == 0);
        CHECK(tx.is_closed());
    }

    TEST_CASE("dropping both ends destroys unread values once") {
        for (const bool receiver_first : {false, true}) {
            ledger l;
            {
                auto [tx, rx] = mpsc::channel<counted>(3);
                for (int i = 0; i < 3; ++i) CHECK(tx.try_send(counted(l)).has_value());
                if (receiver_first) {
                    auto gone = std::move(rx);
                } else {
                    auto gone = std::move(tx);
                }
            }
            CHECK(l.dropped == 3);
            CHECK(l.objects == 0);
        }
    }

    TEST_CASE_TEMPLATE("after the receiver is gone every way to send gives the value back", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<std::unique_ptr<int>>(2);
            { auto gone = std::move(rx); }
            auto sent = co_await tx.send(std::make_unique<int>(1));
            REQUIRE_FALSE(sent.has_value());
            CHECK(*sent.error().value == 1);
            auto tried = tx.try_send(std::make_unique<int>(2));
            REQUIRE_FALSE(tried.has_value());
            CHECK(tried.error().is_closed());
            CHECK(*tried.error().value == 2);
            auto reserved = co_await tx.reserve();
            CHECK_FALSE(reserved.has_value());
            auto try_reserved = tx.try_reserve();
            CHECK_FALSE(try_reserved.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("dropping the receiver wakes every waiting send with its value", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(0).has_value());
            auto a = co_await start(tx.send(1));
            auto b = co_await start(tx.send(2));
            auto c = co_await start(tx.reserve());
            { auto gone = std::move(rx); }
            REQUIRE_COMPLETES(a);
            REQUIRE_COMPLETES(b);
            REQUIRE_COMPLETES(c);
            auto ra = co_await a.handle;
            auto rb = co_await b.handle;
            auto rc = co_await c.handle;
            REQUIRE_FALSE(ra.has_value());
            REQUIRE_FALSE(rb.has_value());
            CHECK(ra.error().value == 1);
            CHECK(rb.error().value == 2);
            CHECK_FALSE(rc.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("close lets what was sent be received and refuses the rest", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            CHECK(tx.try_send(1).has_value());
            CHECK(tx.try_send(2).has_value());
            auto waiting = co_await start(tx.send(3));
            rx.close();
            rx.close();
            CHECK(rx.is_closed());
            CHECK(tx.is_closed());
            CHECK(rx.size() == 2);
            REQUIRE_COMPLETES(waiting);
            auto refused = co_await waiting.handle;
            REQUIRE_FALSE(refused.has_value());
            CHECK(refused.error().value == 3);
            const auto a = co_await rx.recv();
            const auto b = co_await rx.recv();
            const auto end = co_await rx.recv();
            CHECK(a == 1);
            CHECK(b == 2);
            CHECK_FALSE(end.has_value());
            CHECK(rx.try_recv().error() == mpsc::try_recv_error::disconnected);
        }());
    }

    TEST_CASE_TEMPLATE("close of an empty channel ends recv although senders live", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            rx.close();
            const auto end = co_await rx.recv();
            CHECK_FALSE(end.has_value());
            auto refused = co_await tx.send(1);
            CHECK_FALSE(refused.has_value());
        }());
    }

    TEST_CASE("is_closed of the receiver follows its senders") {
        auto [tx, rx] = mpsc::channel<int>(1);
        CHECK_FALSE(rx.is_closed());
        CHECK(tx.try_send(1).has_value());
        CHECK_FALSE(rx.is_closed());  // full is not closed
        { auto gone = std::move(tx); }
        CHECK(rx.is_closed());  // although a value is left
        CHECK_FALSE(rx.empty());
    }

    TEST_CASE_TEMPLATE("closed() completes when the receiver is dropped or closes, and stays so", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const bool drop : {false, true}) {
                auto [tx, rx] = mpsc::channel<int>(2);
                auto copy = tx;
                auto a = co_await start(tx.closed());
                auto b = co_await start(copy.closed());
                CHECK_WAITS(a);
                CHECK_WAITS(b);
                if (drop) {
                    auto gone = std::move(rx);
                } else {
                    rx.close();
                }
                CHECK_COMPLETES(a);
                CHECK_COMPLETES(b);
                co_await tx.closed();
            }
        }());
    }

    TEST_CASE_TEMPLATE("a cancelled closed() leaves the channel as it was", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            auto cancelled = co_await start(tx.closed());
            auto other = co_await start(tx.closed());
            co_await cancelled.abort();
            CHECK_WAITS(other);
            { auto gone = std::move(rx); }
            CHECK_COMPLETES(other);
        }());
    }

    TEST_CASE_TEMPLATE("a send races with close: delivered or given back, never lost", R,
                       WEIR_RUNTIMES) {
        R rt;
        for (int round = 0; round < 50; ++round) {
            auto [tx, rx] = mpsc::channel<int>(1);
            int delivered = 0;
            std::thread other([&delivered, r = std::move(rx)]() mutable {
                if (r.blocking_recv()) ++delivered;
                r.close();
                while (r.blocking_recv()) ++delivered;
            });
            const int given_back = rt.block_on([](mpsc::sender<int> t) -> weir::task<int> {
                int n = 0;
                for (int i = 0; i < 5; ++i) {
                    auto sent = co_await t.send(i);
                    if (!sent && sent.error().value == i) ++n;
                }
                co_return n;
            }(std::move(tx)));
            other.join();
            CHECK(delivered + given_back == 5);
        }
    }
}
