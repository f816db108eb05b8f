// weir/mpsc.hpp: senders that do not keep the channel open, and how many there are.

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;

TEST_SUITE("mpsc weak senders") {
    TEST_CASE("upgrade gives a sender while one lives, and none once the last is gone") {
        auto [tx, rx] = mpsc::channel<int>(2);
        auto weak = tx.downgrade();
        {
            auto strong = weak.upgrade();
            REQUIRE(strong.has_value());
            CHECK(strong->same_channel(tx));
            CHECK(strong->try_send(1).has_value());
        }
        { auto gone = std::move(tx); }
        CHECK_FALSE(weak.upgrade().has_value());
        CHECK(rx.is_closed());
        CHECK(rx.try_recv() == 1);
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::disconnected);
    }

    TEST_CASE("an upgraded sender keeps the channel open") {
        auto [tx, rx] = mpsc::channel<int>(2);
        auto weak = tx.downgrade();
        auto strong = weak.upgrade();
        { auto gone = std::move(tx); }
        CHECK_FALSE(rx.is_closed());
        CHECK(weak.upgrade().has_value());
        strong.reset();
        CHECK(rx.is_closed());
    }

    TEST_CASE_TEMPLATE("a weak sender alone does not keep an actor alive", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            // The actor knows how to reach itself, and ends all the same.
            auto actor = weir::spawn([](mpsc::receiver<int> in,
                                        mpsc::weak_sender<int> self) -> weir::task<int> {
                int sum = 0;
                while (auto m = co_await in.recv()) {
                    sum += *m;
                    if (auto again = self.upgrade(); again && *m > 1) {
                        static_cast<void>(again->try_send(*m - 1));
                    }
                }
                co_return sum;
            }(std::move(rx), tx.downgrade()));
            auto sent = co_await tx.send(4);
            CHECK(sent.has_value());
            co_await settle();
            CHECK_FALSE(actor.is_finished());
            { auto gone = std::move(tx); }
            const int sum = co_await actor;
            CHECK(sum >= 4);
            if (!parallel) CHECK(sum == 10);
        }());
    }

    TEST_CASE("counts rise and fall, seen from both ends") {
        auto [tx, rx] = mpsc::channel<int>(1);
        CHECK(tx.strong_count() == 1);
        CHECK(rx.sender_strong_count() == 1);
        CHECK(tx.weak_count() == 0);
        {
            auto copy = tx;
            auto weak = copy.downgrade();
            auto weak2 = weak;
            CHECK(tx.strong_count() == 2);
            CHECK(tx.weak_count() == 2);
            CHECK(rx.sender_weak_count() == 2);
            auto moved = std::move(weak2);
            CHECK(tx.weak_count() == 2);
            auto strong = weak.upgrade();
            CHECK(rx.sender_strong_count() == 3);
            auto copy2 = copy;
            copy2 = *strong;
            CHECK(tx.strong_count() == 4);
        }
        CHECK(tx.strong_count() == 1);
        CHECK(tx.weak_count() == 0);
        { auto gone = std::move(tx); }
        CHECK(rx.sender_strong_count() == 0);
    }

    TEST_CASE("values are dropped with the receiver although weak senders remain") {
        ledger l;
        auto [tx, rx] = mpsc::channel<counted>(2);
        auto weak = tx.downgrade();
        CHECK(tx.try_send(counted(l)).has_value());
        { auto gone = std::move(tx); }
        CHECK(l.live() == 1);
        { auto gone = std::move(rx); }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
        CHECK_FALSE(weak.upgrade().has_value());
    }

    TEST_CASE("a sender upgraded after close is told so when it sends") {
        auto [tx, rx] = mpsc::channel<int>(2);
        auto weak = tx.downgrade();
        rx.close();
        auto strong = weak.upgrade();
        REQUIRE(strong.has_value());
        auto refused = strong->try_send(1);
        REQUIRE_FALSE(refused.has_value());
        CHECK(refused.error().is_closed());
    }
}
