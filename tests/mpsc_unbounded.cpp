// weir/mpsc.hpp: channels without a limit.

#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;

static_assert(std::is_copy_constructible_v<mpsc::unbounded_sender<int>>);
static_assert(!std::is_copy_constructible_v<mpsc::unbounded_receiver<int>>);
static_assert(!std::is_copy_assignable_v<mpsc::unbounded_receiver<int>>);
static_assert(!std::is_same_v<mpsc::unbounded_sender<int>, mpsc::sender<int>>);

namespace {

weir::task<bool> receive_in_order(mpsc::unbounded_receiver<int> rx, int count) {
    int next = 0;
    while (auto m = co_await rx.recv()) {
        if (*m != next++) co_return false;
    }
    co_return next == count;
}

}  // namespace

TEST_SUITE("mpsc unbounded") {
    TEST_CASE_TEMPLATE("a hundred thousand sends never wait and keep their order", R,
                       WEIR_RUNTIMES) {
        R rt;
        const bool in_order = rt.block_on([]() -> weir::task<bool> {
            auto [tx, rx] = mpsc::unbounded_channel<int>();
            for (int i = 0; i < 100'000; ++i) static_cast<void>(tx.send(i));
            CHECK(rx.size() == 100'000);
            { auto last = std::move(tx); }
            co_return co_await receive_in_order(std::move(rx), 100'000);
        }());
        CHECK(in_order);
    }

    TEST_CASE_TEMPLATE("a recv that waits is woken by a send from a task and from a thread", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::unbounded_channel<int>();
            auto waiting = co_await start(rx.recv());
            CHECK_WAITS(waiting);
            CHECK(tx.send(5).has_value());
            REQUIRE_COMPLETES(waiting);
            const auto value = co_await waiting.handle;
            CHECK(value == 5);
            auto again = co_await start(rx.recv());
            std::thread([t = tx] {
                auto sender = t;
                CHECK(sender.send(6).has_value());
            }).join();
            REQUIRE_COMPLETES(again);
            const auto other = co_await again.handle;
            CHECK(other == 6);
        }());
    }

    TEST_CASE("try_recv, size and empty follow what is sent, across blocks") {
        auto [tx, rx] = mpsc::unbounded_channel<std::unique_ptr<int>>();
        CHECK(rx.empty());
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::empty);
        for (const int count : {1, 31, 32, 33, 64, 65}) {
            for (int i = 0; i < count; ++i) CHECK(tx.send(std::make_unique<int>(i)).has_value());
            CHECK(rx.size() == static_cast<std::size_t>(count));
            for (int i = 0; i < count; ++i) CHECK(**rx.try_recv() == i);
            CHECK(rx.empty());
        }
        { auto gone = std::move(tx); }
        CHECK(rx.is_closed());
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::disconnected);
    }

    TEST_CASE_TEMPLATE("recv_many takes up to the limit, waits while empty, ends with zero", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::unbounded_channel<std::unique_ptr<int>>();
            for (int i = 0; i < 100; ++i) CHECK(tx.send(std::make_unique<int>(i)).has_value());
            std::vector<std::unique_ptr<int>> out;
            const std::size_t some = co_await rx.recv_many(out, 70);
            CHECK(some == 70);
            const std::size_t rest = co_await rx.recv_many(out, 70);
            CHECK(rest == 30);
            for (int i = 0; i < 100; ++i) CHECK(*out[static_cast<std::size_t>(i)] == i);
            auto waiting = co_await start(rx.recv_many(out, 70));
            CHECK_WAITS(waiting);
            { auto gone = std::move(tx); }
            REQUIRE_COMPLETES(waiting);
            const std::size_t end = co_await waiting.handle;
            CHECK(end == 0);
            CHECK(out.size() == 100);
        }());
    }

    TEST_CASE_TEMPLATE("after close, sends fail with their value and the rest is drained", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::unbounded_channel<std::unique_ptr<int>>();
            CHECK(tx.send(std::make_unique<int>(1)).has_value());
            auto closed = co_await start(tx.closed());
            CHECK_WAITS(closed);
            rx.close();
            CHECK_COMPLETES(closed);
            CHECK(tx.is_closed());
            CHECK(rx.is_closed());
            auto refused = tx.send(std::make_unique<int>(2));
            REQUIRE_FALSE(refused.has_value());
            CHECK(*refused.error().value == 2);
            auto first = co_await rx.recv();
            CHECK(**first == 1);
            auto end = co_await rx.recv();
            CHECK_FALSE(end.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("a cancelled recv takes nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::unbounded_channel<int>();
            auto raced = co_await weir::select(rx.recv(), weir::yield_now());
            CHECK(raced.index() == 1);
            auto woken = co_await start(rx.recv());
            CHECK(tx.send(1).has_value());
            if (!parallel) {
                co_await woken.abort();  // before the task had a turn
                CHECK(rx.try_recv() == 1);
            } else {
                REQUIRE_COMPLETES(woken);
            }
        }());
    }

    TEST_CASE("dropping the receiver destroys what is left, and dropping both ends once") {
        for (const int count : {1, 32, 33, 100}) {
            ledger l;
            {
                auto [tx, rx] = mpsc::unbounded_channel<counted>();
                for (int i = 0; i < count; ++i) CHECK(tx.send(counted(l)).has_value());
                CHECK(rx.try_recv().has_value());
                { auto gone = std::move(rx); }
                CHECK(l.dropped == count);
                CHECK(l.objects == 0);
                CHECK_FALSE(tx.send(counted(l)).has_value());
            }
            CHECK(l.dropped == count + 1);
            CHECK(l.objects == 0);
        }
    }

    TEST_CASE("counts, weak senders and same_channel are those of a bounded channel") {
        auto [tx, rx] = mpsc::unbounded_channel<int>();
        auto [tx2, rx2] = mpsc::unbounded_channel<int>();
        mpsc::weak_unbounded_sender<int> weak = tx.downgrade();
        CHECK(tx.weak_count() == 1);
        CHECK(rx.sender_weak_count() == 1);
        {
            auto strong = weak.upgrade();
            REQUIRE(strong.has_value());
            CHECK(strong->same_channel(tx));
            CHECK_FALSE(strong->same_channel(tx2));
            CHECK(rx.sender_strong_count() == 2);
            CHECK(strong->send(1).has_value());
        }
        { auto gone = std::move(tx); }
        CHECK_FALSE(weak.upgrade().has_value());
        CHECK(rx.is_closed());
        CHECK(rx.try_recv() == 1);
        CHECK_THROWS_AS(static_cast<void>(tx.send(1)), std::logic_error);
    }

    TEST_CASE_TEMPLATE("a thread receives what tasks send", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = mpsc::unbounded_channel<int>();
        long sum = 0;
        std::thread other([&sum, r = std::move(rx)]() mutable {
            while (auto m = r.blocking_recv()) sum += *m;
            std::vector<int> out;
            CHECK(r.blocking_recv_many(out, 3) == 0);
        });
        rt.block_on([](mpsc::unbounded_sender<int> t) -> weir::task<> {
            for (int i = 0; i < 1000; ++i) {
                CHECK(t.send(i).has_value());
                co_await weir::yield_now();
            }
        }(std::move(tx)));
        other.join();
        CHECK(sum == 499'500);
    }

    TEST_CASE("a coroutine that is not ours receives") {
        auto [tx, rx] = mpsc::unbounded_channel<int>();
        auto waits = start_foreign(rx.recv());
        CHECK_FALSE(waits.done());
        CHECK(tx.send(3).has_value());
        REQUIRE(waits.done());
        CHECK(waits.value() == 3);
    }
}
