// Values that are awkward to carry: moves that throw, extended alignment, destructors that use the
// channel, copies instead of moves. For every kind of channel.

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;
namespace mpmc = weir::mpmc;

namespace {

// A kind of channel, with a send that does not wait.
template <bool Bounded, bool Many>
struct kind {
    template <class T>
    using sender = std::conditional_t<
        Bounded, std::conditional_t<Many, mpmc::sender<T>, mpsc::sender<T>>,
        std::conditional_t<Many, mpmc::unbounded_sender<T>, mpsc::unbounded_sender<T>>>;

    template <class T>
    static auto make(std::size_t capacity = 4) {
        if constexpr (Bounded && Many) return mpmc::channel<T>(capacity);
        if constexpr (Bounded && !Many) return mpsc::channel<T>(capacity);
        if constexpr (!Bounded && Many) return mpmc::unbounded_channel<T>();
        if constexpr (!Bounded && !Many) return mpsc::unbounded_channel<T>();
    }
    template <class Sender, class T>
    static bool send(Sender& tx, T&& v) {
        if constexpr (Bounded)
            return tx.try_send(std::forward<T>(v)).has_value();
        else
            return tx.send(std::forward<T>(v)).has_value();
    }
};
using mpsc_bounded = kind<true, false>;
using mpsc_unbounded = kind<false, false>;
using mpmc_bounded = kind<true, true>;
using mpmc_unbounded = kind<false, true>;

// Copies where others move: what stays behind when it leaves a channel is a whole value. Its
// destructor uses the channel, which would never return if that happened under the channel's lock.
template <class Kind>
struct uses_channel {
    using sender = typename Kind::template sender<uses_channel>;

    explicit uses_channel(const sender& s, int& n) : tx(s), destroyed(&n) {}
    uses_channel(const uses_channel& other) = default;
    uses_channel& operator=(const uses_channel&) = default;
    ~uses_channel() {
        ++*destroyed;
        static_cast<void>(tx.is_closed());
        static_cast<void>(tx.downgrade().upgrade());
    }

    sender tx;
    int* destroyed;
};

template <class Kind>
using receiver_of = decltype(Kind::template make<throws_on_move>().second);

}  // namespace

TYPE_TO_STRING_AS("mpsc bounded", mpsc_bounded);
TYPE_TO_STRING_AS("mpsc unbounded", mpsc_unbounded);
TYPE_TO_STRING_AS("mpmc bounded", mpmc_bounded);
TYPE_TO_STRING_AS("mpmc unbounded", mpmc_unbounded);

#define WEIR_CHANNELS mpsc_bounded, mpsc_unbounded, mpmc_bounded, mpmc_unbounded

TEST_SUITE("channel elements") {
    TEST_CASE_TEMPLATE("a send whose move throws sends nothing and keeps no slot", Kind,
                       WEIR_CHANNELS) {
        ledger l;
        int countdown = 0;
        {
            auto [tx, rx] = Kind::template make<throws_on_move>(2);
            CHECK(Kind::send(tx, throws_on_move(l, countdown, 1)));
            for (const int nth : {1, 2}) {
                countdown = nth;
                CHECK_THROWS_AS(Kind::send(tx, throws_on_move(l, countdown, 2)), std::runtime_error);
                CHECK(rx.size() == 1);
            }
            countdown = 0;
            CHECK(Kind::send(tx, throws_on_move(l, countdown, 3)));
            CHECK(rx.try_recv()->inner.value == 1);
            CHECK(rx.try_recv()->inner.value == 3);
        }
        CHECK(l.dropped == 4);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a try_recv whose move throws leaves the value where it was", Kind,
                       WEIR_CHANNELS) {
        ledger l;
        int countdown = 0;
        {
            auto [tx, rx] = Kind::template make<throws_on_move>(2);
            CHECK(Kind::send(tx, throws_on_move(l, countdown, 1)));
            CHECK(Kind::send(tx, throws_on_move(l, countdown, 2)));
            countdown = 1;
            CHECK_THROWS_AS(static_cast<void>(rx.try_recv()), std::runtime_error);
            CHECK(rx.size() == 2);
            countdown = 2;  // one move is all that it takes
            CHECK(rx.try_recv()->inner.value == 1);
            CHECK(countdown == 1);
            countdown = 0;
            CHECK(rx.try_recv()->inner.value == 2);
        }
        CHECK(l.dropped == 2);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a recv whose move throws, ready or after a wait, loses nothing", Kind,
                       WEIR_CHANNELS) {
        ledger l;
        int countdown = 0;
        rt_current_thread rt;
        rt.block_on([](ledger& book, int& moves) -> weir::task<> {
            auto [tx, rx] = Kind::template make<throws_on_move>(2);
            CHECK(Kind::send(tx, throws_on_move(book, moves, 1)));
            moves = 1;
            bool thrown = false;
            try {
                auto never = co_await rx.recv();
            } catch (const std::runtime_error&) {
                thrown = true;
            }
            CHECK(thrown);
            CHECK(rx.try_recv()->inner.value == 1);
            auto waiting = co_await start([](receiver_of<Kind>& r) -> weir::task<int> {
                auto v = co_await r.recv();
                co_return v->inner.value;
            }(rx));
            moves = 0;
            CHECK(Kind::send(tx, throws_on_move(book, moves, 2)));
            moves = 1;
            REQUIRE_COMPLETES(waiting);
            auto failed = co_await waiting.handle.result();
            CHECK_FALSE(failed.has_value());
            moves = 0;
            CHECK(rx.size() == 1);
            auto second = co_await rx.recv();
            CHECK(second->inner.value == 2);
        }(l, countdown));
        CHECK(l.dropped == 2);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a recv_many whose move throws has received what came before", Kind,
                       WEIR_CHANNELS) {
        ledger l;
        int countdown = 0;
        {
            auto [tx, rx] = Kind::template make<throws_on_move>(4);
            for (int i = 0; i < 4; ++i) CHECK(Kind::send(tx, throws_on_move(l, countdown, i)));
            std::vector<throws_on_move> out;
            out.reserve(8);
            countdown = 3;
            CHECK_THROWS_AS(static_cast<void>(rx.blocking_recv_many(out, 4)), std::runtime_error);
            REQUIRE(out.size() == 2);
            CHECK(out[1].inner.value == 1);
            CHECK(rx.size() == 2);
            CHECK(rx.blocking_recv_many(out, 4) == 2);
            CHECK(out[3].inner.value == 3);
            for (int i = 0; i < 4; ++i) CHECK(Kind::send(tx, throws_on_move(l, countdown, i)));
        }
        CHECK(l.dropped == 8);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a send that waited and whose move throws gives its slot back", Kind,
                       mpsc_bounded, mpmc_bounded) {
        ledger l;
        int countdown = 0;
        rt_current_thread rt;
        rt.block_on([](ledger& book, int& moves) -> weir::task<> {
            auto [tx, rx] = Kind::template make<throws_on_move>(1);
            CHECK(Kind::send(tx, throws_on_move(book, moves, 1)));
            auto waiting = co_await start(tx.send(throws_on_move(book, moves, 2)));
            CHECK(rx.try_recv()->inner.value == 1);
            moves = 1;
            REQUIRE_COMPLETES(waiting);
            auto failed = co_await waiting.handle.result();
            CHECK_FALSE(failed.has_value());
            CHECK(tx.capacity() == 1);
            auto permit = tx.try_reserve();
            REQUIRE(permit.has_value());
            moves = 1;
            CHECK_THROWS_AS(permit->send(throws_on_move(book, moves, 3)), std::runtime_error);
            moves = 0;
            permit->send(throws_on_move(book, moves, 4));
            CHECK(rx.try_recv()->inner.value == 4);
        }(l, countdown));
        CHECK(l.dropped == 4);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("over-aligned values are aligned in the channel", Kind, WEIR_CHANNELS) {
        auto [tx, rx] = Kind::template make<over_aligned>(3);
        for (int round = 0; round < 40; ++round) {
            for (int i = 0; i < 3; ++i) CHECK(Kind::send(tx, over_aligned(i)));
            for (int i = 0; i < 3; ++i) {
                auto v = rx.try_recv();
                REQUIRE(v.has_value());
                CHECK(v->aligned());
                CHECK(v->value == i);
            }
        }
        CHECK(Kind::send(tx, over_aligned(7)));
        auto const v = rx.blocking_recv();
        CHECK(v->aligned());
    }

    TEST_CASE_TEMPLATE("a destructor may use the channel that its value leaves", Kind,
                       WEIR_CHANNELS) {
        watchdog bounded;
        using value = uses_channel<Kind>;
        int destroyed = 0;
        {
            auto [tx, rx] = Kind::template make<value>(4);
            for (int i = 0; i < 4; ++i) CHECK(Kind::send(tx, value(tx, destroyed)));
            destroyed = 0;
            CHECK(rx.try_recv().has_value());
            CHECK(destroyed == 2);  // the one that left, and the one that it was copied from
            CHECK(rx.blocking_recv().has_value());
            std::vector<value> out;
            CHECK(rx.blocking_recv_many(out, 1) == 1);
            CHECK(Kind::send(tx, value(tx, destroyed)));
            { auto gone = std::move(rx); }
            CHECK(tx.strong_count() == 1 + out.size());
            CHECK_FALSE(Kind::send(tx, value(tx, destroyed)));
        }
    }

    TEST_CASE_TEMPLATE("recv_many of values with destructors frees its slots for who waits", Kind,
                       mpsc_bounded, mpmc_bounded) {
        ledger l;
        rt_current_thread rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto [tx, rx] = Kind::template make<counted>(3);
            for (int i = 0; i < 3; ++i) CHECK(Kind::send(tx, counted(book, i)));
            auto waiting = co_await start(tx.reserve_many(2));
            std::vector<counted> out;
            const std::size_t n = co_await rx.recv_many(out, 2);
            CHECK(n == 2);
            REQUIRE_COMPLETES(waiting);
            auto permits = co_await waiting.handle;
            REQUIRE(permits.has_value());
            CHECK(tx.capacity() == 0);
            permits->send(counted(book, 3));
            permits->send(counted(book, 4));
            const std::size_t rest = co_await rx.recv_many(out, 9);
            CHECK(rest == 3);
            for (int i = 0; i < 5; ++i) CHECK(out[static_cast<std::size_t>(i)].value == i);
            CHECK(tx.capacity() == 3);
        }(l));
        CHECK(l.dropped == 5);
        CHECK(l.objects == 0);
    }
}
