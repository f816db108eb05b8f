// weir/oneshot.hpp: one value, once.

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace oneshot = weir::oneshot;

static_assert(!std::is_copy_constructible_v<oneshot::sender<int>>);
static_assert(!std::is_copy_constructible_v<oneshot::receiver<int>>);
static_assert(std::is_nothrow_move_constructible_v<oneshot::sender<int>>);
static_assert(std::is_nothrow_move_constructible_v<oneshot::receiver<int>>);

namespace {

// Awaits a receiver by reference, as a select branch would.
template <class T>
weir::task<std::optional<T>> receive(oneshot::receiver<T>& rx) {
    co_return co_await rx;
}

}  // namespace

TEST_SUITE("oneshot") {
    TEST_CASE_TEMPLATE("a value sent before is received at once", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<std::string>();
            CHECK(tx.send("early").has_value());
            const auto value = co_await rx;
            CHECK(value == "early");
        }());
    }

    TEST_CASE_TEMPLATE("a receiver that waits is woken by the value", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<std::unique_ptr<int>>();
            auto waiting = co_await start(std::move(rx));
            CHECK_WAITS(waiting);
            CHECK(tx.send(std::make_unique<int>(3)).has_value());
            REQUIRE_COMPLETES(waiting);
            auto value = co_await waiting.handle;
            REQUIRE(value.has_value());
            CHECK(**value == 3);
        }());
    }

    TEST_CASE_TEMPLATE("a sender that goes without sending ends the wait with nullopt", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            auto waiting = co_await start(std::move(rx));
            CHECK_WAITS(waiting);
            { auto gone = std::move(tx); }
            REQUIRE_COMPLETES(waiting);
            const auto value = co_await waiting.handle;
            CHECK_FALSE(value.has_value());

            auto [tx2, rx2] = oneshot::channel<int>();
            { auto gone = std::move(tx2); }
            const auto at_once = co_await rx2;
            CHECK_FALSE(at_once.has_value());
        }());
    }

    TEST_CASE("send gives the value back when the receiver is gone or has closed") {
        auto [tx, rx] = oneshot::channel<std::unique_ptr<int>>();
        CHECK_FALSE(tx.is_closed());
        { auto gone = std::move(rx); }
        CHECK(tx.is_closed());
        auto sent = tx.send(std::make_unique<int>(5));
        REQUIRE_FALSE(sent.has_value());
        CHECK(*sent.error() == 5);

        auto [tx2, rx2] = oneshot::channel<std::unique_ptr<int>>();
        rx2.close();
        CHECK(tx2.is_closed());
        auto refused = tx2.send(std::make_unique<int>(6));
        REQUIRE_FALSE(refused.has_value());
        CHECK(*refused.error() == 6);
    }

    TEST_CASE("a second send is a logic error") {
        auto [tx, rx] = oneshot::channel<int>();
        CHECK(tx.send(1).has_value());
        CHECK_THROWS_AS(static_cast<void>(tx.send(2)), std::logic_error);
        CHECK(rx.try_recv() == 1);
    }

    TEST_CASE_TEMPLATE("a value sent before close is still readable", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            CHECK(tx.send(1).has_value());
            rx.close();
            const auto value = co_await rx;
            CHECK(value == 1);

            auto [tx2, rx2] = oneshot::channel<int>();
            CHECK(tx2.send(2).has_value());
            rx2.close();
            CHECK(rx2.try_recv() == 2);
        }());
    }

    TEST_CASE_TEMPLATE("after close without a value the wait ends with nullopt", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            rx.close();
            CHECK(rx.empty());
            const auto value = co_await rx;
            CHECK_FALSE(value.has_value());
        }());
    }

    TEST_CASE("try_recv says empty, then gives the value, then says closed") {
        auto [tx, rx] = oneshot::channel<int>();
        CHECK(rx.try_recv().error() == oneshot::try_recv_error::empty);
        CHECK(tx.send(1).has_value());
        CHECK(rx.try_recv() == 1);
        CHECK(rx.try_recv().error() == oneshot::try_recv_error::closed);

        auto [tx2, rx2] = oneshot::channel<int>();
        { auto gone = std::move(tx2); }
        CHECK(rx2.try_recv().error() == oneshot::try_recv_error::closed);
    }

    TEST_CASE_TEMPLATE("is_terminated and empty follow the value", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            CHECK(rx.empty());
            CHECK_FALSE(rx.is_terminated());
            CHECK(tx.send(1).has_value());
            CHECK_FALSE(rx.empty());
            CHECK_FALSE(rx.is_terminated());
            const auto value = co_await rx;
            CHECK(value == 1);
            CHECK(rx.empty());
            CHECK(rx.is_terminated());

            auto [tx2, rx2] = oneshot::channel<int>();
            { auto gone = std::move(tx2); }
            CHECK_FALSE(rx2.is_terminated());
            const auto none = co_await rx2;
            CHECK_FALSE(none.has_value());
            CHECK(rx2.is_terminated());
        }());
    }

    TEST_CASE_TEMPLATE("awaiting again after the result is a logic error", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            CHECK(tx.send(1).has_value());
            const auto value = co_await rx;
            CHECK(value == 1);
            bool refused = false;
            try {
                static_cast<void>(co_await rx);
            } catch (const std::logic_error&) {
                refused = true;
            }
            CHECK(refused);
        }());
    }

    TEST_CASE_TEMPLATE("closed() completes when nobody wants the answer any more", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const bool drop : {false, true}) {
                auto [tx, rx] = oneshot::channel<int>();
                auto waiting = co_await start(tx.closed());
                CHECK_WAITS(waiting);
                if (drop) {
                    auto gone = std::move(rx);
                } else {
                    rx.close();
                }
                REQUIRE_COMPLETES(waiting);
                co_await tx.closed();  // stays so
            }
        }());
    }

    TEST_CASE_TEMPLATE("both ends may wait at once", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            auto closed = co_await start(tx.closed());
            auto value = co_await start(receive(rx));
            CHECK_WAITS(closed);
            CHECK_WAITS(value);
            co_await closed.abort();
            CHECK(tx.send(4).has_value());
            REQUIRE_COMPLETES(value);
            const auto got = co_await value.handle;
            CHECK(got == 4);
        }());
    }

    TEST_CASE_TEMPLATE("another task may take over the wait", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            for (int i = 0; i < 3; ++i) {
                auto before = co_await start(receive(rx));
                CHECK_WAITS(before);
                co_await before.abort();
                auto closed = co_await start(tx.closed());
                co_await closed.abort();
            }
            auto last = co_await start(receive(rx));
            CHECK(tx.send(7).has_value());
            REQUIRE_COMPLETES(last);
            const auto got = co_await last.handle;
            CHECK(got == 7);
        }());
    }

    TEST_CASE_TEMPLATE("another task may take over the wait for the receiver's end", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            for (int i = 0; i < 3; ++i) {
                auto before = co_await start(tx.closed());
                CHECK_WAITS(before);
                co_await before.abort();
            }
            auto last = co_await start(tx.closed());
            CHECK_WAITS(last);
            rx.close();
            CHECK_COMPLETES(last);
        }());
    }

    TEST_CASE_TEMPLATE("a wait cancelled after it was woken leaves the value in place", R,
                       WEIR_ORDERED_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto [tx, rx] = oneshot::channel<counted>();
            auto woken = co_await start(receive(rx));
            CHECK(tx.send(counted(book, 2)).has_value());
            co_await woken.abort();  // before the task had a turn
            CHECK(book.live() == 1);
            const auto value = co_await rx;
            REQUIRE(value.has_value());
            CHECK(value->value == 2);
        }(l));
        CHECK(l.dropped == 1);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a receiver that loses a race stays usable", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            for (int i = 0; i < 3; ++i) {
                auto v = co_await weir::select(rx, weir::yield_now());
                CHECK(v.index() == 1);
            }
            CHECK(tx.send(8).has_value());
            const auto value = co_await rx;
            CHECK(value == 8);
        }());
    }

    TEST_CASE("the value is dropped once, whoever goes first") {
        ledger l;
        {
            auto [tx, rx] = oneshot::channel<counted>();
            CHECK(tx.send(counted(l)).has_value());  // never read
        }
        CHECK(l.dropped == 1);
        {
            auto [tx, rx] = oneshot::channel<counted>();
            CHECK(tx.send(counted(l)).has_value());
            { auto gone = std::move(rx); }
            CHECK(l.dropped == 2);
        }
        {
            auto [tx, rx] = oneshot::channel<counted>();
            { auto gone = std::move(rx); }
            auto back = tx.send(counted(l));
            CHECK_FALSE(back.has_value());
            CHECK(l.dropped == 2);
        }
        CHECK(l.dropped == 3);
        CHECK(l.copies == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE("an over-aligned value passes") {
        auto [tx, rx] = oneshot::channel<over_aligned>();
        CHECK(tx.send(over_aligned(6)).has_value());
        auto got = rx.try_recv();
        REQUIRE(got.has_value());
        CHECK(got->value == 6);
    }

    TEST_CASE("a coroutine that is not ours receives, and waits for closed") {
        auto [tx, rx] = oneshot::channel<int>();
        auto closed = start_foreign(tx.closed());
        CHECK_FALSE(closed.done());
        closed.cancel();
        auto value = start_foreign(std::move(rx));
        CHECK_FALSE(value.done());
        CHECK(tx.send(9).has_value());
        REQUIRE(value.done());
        CHECK(value.value() == 9);
    }
}

TEST_SUITE("oneshot threads") {
    TEST_CASE("a thread receives without any runtime") {
        watchdog bounded;
        for (int i = 0; i < 100; ++i) {
            auto [tx, rx] = oneshot::channel<int>();
            std::optional<int> got;
            std::thread other([&got, r = std::move(rx)]() mutable { got = r.blocking_recv(); });
            CHECK(tx.send(i).has_value());
            other.join();
            CHECK(got == i);
        }
    }

    TEST_CASE_TEMPLATE("blocking_recv refuses to block a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<int>();
            CHECK_THROWS_AS(static_cast<void>(rx.blocking_recv()), std::logic_error);
            co_return;
        }());
    }

    TEST_CASE("send races with the receiver's end: delivered or given back, never both") {
        watchdog bounded;
        ledger l;
        constexpr int rounds = 500;
        int given_back = 0;
        std::atomic<int> received{0};
        for (int i = 0; i < rounds; ++i) {
            auto [tx, rx] = oneshot::channel<counted>();
            std::thread other([&received, i, r = std::move(rx)]() mutable {
                if (i % 2 == 0) r.close();
                if (r.try_recv()) ++received;
            });
            if (auto sent = tx.send(counted(l)); !sent) ++given_back;
            other.join();
        }
        CHECK(l.made == rounds);
        CHECK(l.dropped == rounds);
        CHECK(received + given_back <= rounds);
        CHECK(l.objects == 0);
    }
}
