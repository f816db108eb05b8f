// Values that are awkward to carry through a oneshot: moves that throw, no copies, alignment.

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <weir/oneshot.hpp>
#include <weir/select.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace oneshot = weir::oneshot;

namespace {

constexpr int never = 1 << 30;

}  // namespace

TEST_SUITE("oneshot values") {
    TEST_CASE("a send whose move throws has sent nothing, and may be tried again") {
        ledger l;
        {
            int countdown = never;
            auto [tx, rx] = oneshot::channel<throws_on_move>();
            throws_on_move value(l, countdown, 3);
            countdown = 1;
            CHECK_THROWS_AS(static_cast<void>(tx.send(std::move(value))), std::runtime_error);
            CHECK(rx.try_recv().error() == oneshot::try_recv_error::empty);
            countdown = never;
            CHECK(tx.send(std::move(value)).has_value());
            CHECK(rx.try_recv()->inner.value == 3);
        }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE("a value whose move throws on its way back is destroyed, once") {
        ledger l;
        {
            int countdown = never;
            auto [tx, rx] = oneshot::channel<throws_on_move>();
            rx.close();
            countdown = 2;
            CHECK_THROWS_AS(static_cast<void>(tx.send(throws_on_move(l, countdown, 3))),
                            std::runtime_error);
        }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE("a try_recv whose move throws leaves the value where it is") {
        ledger l;
        {
            int countdown = never;
            auto [tx, rx] = oneshot::channel<throws_on_move>();
            CHECK(tx.send(throws_on_move(l, countdown, 4)).has_value());
            countdown = 1;
            CHECK_THROWS_AS(static_cast<void>(rx.try_recv()), std::runtime_error);
            CHECK_FALSE(rx.is_terminated());
            CHECK_FALSE(rx.empty());
            countdown = never;
            CHECK(rx.try_recv()->inner.value == 4);
            CHECK(rx.is_terminated());
        }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("an await whose move throws can be followed by another", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            for (const bool sent_before : {true, false}) {
                int countdown = never;
                auto [tx, rx] = oneshot::channel<throws_on_move>();
                throws_on_move value(book, countdown, 5);
                if (sent_before) {
                    CHECK(tx.send(std::move(value)).has_value());
                    countdown = 1;
                }
                auto waits = co_await start([](auto& from, int& moves) -> weir::task<int> {
                    bool threw = false;
                    try {
                        static_cast<void>(co_await from);
                    } catch (const std::runtime_error&) {
                        threw = true;
                    }
                    moves = never;
                    CHECK(threw);
                    auto v = co_await from;
                    co_return v->inner.value;
                }(rx, countdown));
                if (!sent_before) {
                    countdown = 3;  // two into the channel, and the one out of it
                    CHECK(tx.send(std::move(value)).has_value());
                }
                const int five = co_await waits.handle;
                CHECK(five == 5);
            }
        }(l));
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("values that only move, and over-aligned ones, arrive", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = oneshot::channel<std::unique_ptr<int>>();
            CHECK(tx.send(std::make_unique<int>(6)).has_value());
            auto six = co_await rx;
            CHECK(**six == 6);
        }());
        // Not in a coroutine: compilers align no coroutine frame.
        auto [tx, rx] = oneshot::channel<over_aligned>();
        CHECK(tx.send(over_aligned(8)).has_value());
        CHECK(rx.blocking_recv()->aligned());
    }
}
