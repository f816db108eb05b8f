// weir/mpmc.hpp: what several receivers change. mpsc*.cpp test what is the same code.

#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/mpmc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpmc = weir::mpmc;

static_assert(std::is_copy_constructible_v<mpmc::sender<int>>);
static_assert(std::is_copy_constructible_v<mpmc::receiver<int>>);
static_assert(std::is_copy_assignable_v<mpmc::receiver<int>>);
static_assert(std::is_nothrow_move_constructible_v<mpmc::unbounded_receiver<int>>);
static_assert(std::is_copy_constructible_v<mpmc::receiver<std::unique_ptr<int>>>);

namespace {

weir::task<> send_range(mpmc::sender<int> tx, int from, int count) {
    for (int i = from; i < from + count; ++i) {
        auto sent = co_await tx.send(i);
        CHECK(sent.has_value());
    }
}

// In which order one receiver got its values.
template <class Receiver>
weir::task<std::vector<int>> collect(Receiver rx) {
    std::vector<int> all;
    while (auto m = co_await rx.recv()) all.push_back(*m);
    co_return all;
}

// Either kind of channel, with a plain send.
struct bounded {
    template <class T>
    static auto make() {
        return mpmc::channel<T>(1000);
    }
    template <class Sender, class T>
    static bool send(Sender& tx, T v) {
        return tx.try_send(std::move(v)).has_value();
    }
};
struct unbounded {
    template <class T>
    static auto make() {
        return mpmc::unbounded_channel<T>();
    }
    template <class Sender, class T>
    static bool send(Sender& tx, T v) {
        return tx.send(std::move(v)).has_value();
    }
};

}  // namespace

TYPE_TO_STRING_AS("bounded", bounded);
TYPE_TO_STRING_AS("unbounded", unbounded);

TEST_SUITE("mpmc") {
    TEST_CASE_TEMPLATE("each value goes to exactly one receiver, in order", R, WEIR_RUNTIMES) {
        R rt;
        const auto all = rt.block_on([]() -> weir::task<std::vector<std::vector<int>>> {
            auto [tx, rx] = mpmc::channel<int>(8);
            std::vector<weir::join_handle<void>> senders;
            std::vector<weir::join_handle<std::vector<int>>> receivers;
            for (int i = 0; i < 3; ++i) senders.push_back(weir::spawn(send_range(tx, i * 1000, 500)));
            for (int i = 0; i < 4; ++i) receivers.push_back(weir::spawn(collect(rx)));
            { auto last = std::move(tx); }
            std::vector<std::vector<int>> got;
            for (auto& s : senders) co_await s;
            for (auto& r : receivers) got.push_back(co_await r);
            co_return got;
        }());
        std::vector<int> seen(3000, 0);
        for (const auto& values : all) {
            std::vector<int> last{-1, -1, -1};
            for (const int v : values) {
                ++seen[static_cast<std::size_t>(v)];
                CHECK(v > std::exchange(last[static_cast<std::size_t>(v / 1000)], v));
            }
        }
        for (int i = 0; i < 3000; ++i) {
            CHECK(seen[static_cast<std::size_t>(i)] == (i % 1000 < 500 ? 1 : 0));
        }
    }

    TEST_CASE_TEMPLATE("waiting receivers are served in the order in which they asked", Kind,
                       bounded, unbounded) {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = Kind::template make<int>();
            auto rx2 = rx;
            auto a = co_await start(rx.recv());
            auto b = co_await start(rx2.recv());
            auto c = co_await start(rx.recv());
            CHECK(Kind::send(tx, 1));
            CHECK(Kind::send(tx, 2));
            CHECK_COMPLETES(a);
            CHECK_COMPLETES(b);
            CHECK_WAITS(c);
            const auto va = co_await a.handle;
            const auto vb = co_await b.handle;
            CHECK(va == 1);
            CHECK(vb == 2);
            CHECK(Kind::send(tx, 3));
            CHECK_COMPLETES(c);
        }());
    }

    TEST_CASE_TEMPLATE("nobody takes the value that a woken receiver has a right to", Kind, bounded,
                       unbounded) {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = Kind::template make<int>();
            auto rx2 = rx;
            auto woken = co_await start(rx.recv());
            CHECK(Kind::send(tx, 1));
            CHECK(rx2.size() == 1);
            CHECK(rx2.try_recv().error() == mpmc::try_recv_error::empty);
            auto later = weir::select(rx2.recv(), settle());
            auto barging = co_await std::move(later);
            CHECK(barging.index() == 1);
            REQUIRE_COMPLETES(woken);
            const auto value = co_await woken.handle;
            CHECK(value == 1);
        }());
    }

    TEST_CASE_TEMPLATE("a receiver that is cancelled after it was woken passes its right on", Kind,
                       bounded, unbounded) {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = Kind::template make<std::unique_ptr<int>>();
            auto rx2 = rx;
            auto woken = co_await start(rx.recv());
            auto next = co_await start(rx2.recv());
            CHECK(Kind::send(tx, std::make_unique<int>(1)));
            co_await woken.abort();  // before the task had a turn
            REQUIRE_COMPLETES(next);
            const auto value = co_await next.handle;
            CHECK(**value == 1);
            auto alone = co_await start(rx.recv());
            CHECK(Kind::send(tx, std::make_unique<int>(2)));
            co_await alone.abort();
            CHECK(**rx2.try_recv() == 2);
        }());
    }

    TEST_CASE_TEMPLATE("a cancelled receiver gives up its place", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpmc::channel<int>(2);
            auto rx2 = rx;
            auto cancelled = co_await start(rx.recv());
            auto next = co_await start(rx2.recv());
            co_await cancelled.abort();
            CHECK(tx.try_send(1).has_value());
            REQUIRE_COMPLETES(next);
            const auto value = co_await next.handle;
            CHECK(value == 1);
        }());
    }

    TEST_CASE_TEMPLATE("recv_many leaves what other receivers have a right to", Kind, bounded,
                       unbounded) {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = Kind::template make<std::string>();
            auto rx2 = rx;
            std::vector<std::string> out;
            auto many = co_await start(rx.recv_many(out, 10));
            auto one = co_await start(rx2.recv());
            CHECK(Kind::send(tx, std::string("a")));
            CHECK(Kind::send(tx, std::string("b")));
            CHECK(Kind::send(tx, std::string("c")));
            REQUIRE_COMPLETES(many);
            REQUIRE_COMPLETES(one);
            CHECK(out.size() == 2);
            const auto value = co_await one.handle;
            CHECK(value.has_value());
            CHECK(rx.empty());
        }());
    }

    TEST_CASE_TEMPLATE("waiting senders are served in order, and slots come back", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpmc::channel<std::unique_ptr<int>>(1);
            CHECK(tx.try_send(std::make_unique<int>(0)).has_value());
            auto a = co_await start(tx.send(std::make_unique<int>(1)));
            auto b = co_await start(tx.send(std::make_unique<int>(2)));
            CHECK_WAITS(a);
            for (int i = 0; i < 3; ++i) {
                auto value = co_await rx.recv();
                REQUIRE(value.has_value());
                CHECK(**value == i);
            }
            CHECK_COMPLETES(a);
            CHECK_COMPLETES(b);
            CHECK(tx.capacity() == 1);
            CHECK(rx.max_capacity() == 1);
        }());
    }

    TEST_CASE("a capacity of zero is refused, and channels are told apart") {
        CHECK_THROWS_AS(static_cast<void>(mpmc::channel<int>(0)), std::invalid_argument);
        auto [tx, rx] = mpmc::channel<int>(1);
        auto [tx2, rx2] = mpmc::channel<int>(1);
        CHECK(rx.same_channel(mpmc::receiver<int>(rx)));
        CHECK_FALSE(rx.same_channel(rx2));
        CHECK_FALSE(tx.same_channel(tx2));
    }

    TEST_CASE_TEMPLATE("permits work as in mpsc", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpmc::channel<std::string>(3);
            auto rx2 = rx;
            auto waiting = co_await start(rx2.recv());
            auto permits = co_await tx.reserve_many(2);
            REQUIRE(permits.has_value());
            auto owned = std::move(tx).try_reserve_owned();
            REQUIRE(owned.has_value());
            rx.close();
            CHECK_WAITS(waiting);
            permits->send("a");
            REQUIRE_COMPLETES(waiting);
            const auto a = co_await waiting.handle;
            CHECK(a == "a");
            auto end1 = co_await start(rx.recv());
            auto end2 = co_await start(rx2.recv());
            { auto dropped = std::move(*permits); }
            CHECK_WAITS(end1);
            static_cast<void>(owned->release());
            REQUIRE_COMPLETES(end1);
            REQUIRE_COMPLETES(end2);
        }());
    }
}

TEST_SUITE("mpmc end") {
    TEST_CASE_TEMPLATE("the channel closes with the last receiver, not with the first", Kind,
                       bounded, unbounded) {
        ledger l;
        auto [tx, rx] = Kind::template make<counted>();
        auto rx2 = rx;
        for (int i = 0; i < 40; ++i) CHECK(Kind::send(tx, counted(l)));
        { auto gone = std::move(rx); }
        CHECK_FALSE(tx.is_closed());
        CHECK(l.live() == 40);
        CHECK(rx2.try_recv().has_value());
        { auto gone = std::move(rx2); }
        CHECK(tx.is_closed());
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
        CHECK_FALSE(Kind::send(tx, counted(l)));
    }

    TEST_CASE_TEMPLATE("the last sender to go ends every receiver that waits", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpmc::channel<int>(2);
            auto rx2 = rx;
            auto a = co_await start(rx.recv());
            auto b = co_await start(rx2.recv());
            CHECK_WAITS(a);
            { auto gone = std::move(tx); }
            REQUIRE_COMPLETES(a);
            REQUIRE_COMPLETES(b);
            const auto va = co_await a.handle;
            CHECK_FALSE(va.has_value());
            CHECK(rx.is_closed());
        }());
    }

    TEST_CASE_TEMPLATE("close by one receiver ends the others and fails the senders", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpmc::channel<int>(2);
            auto rx2 = rx;
            auto waiting = co_await start(rx2.recv());
            auto closed = co_await start(tx.closed());
            rx.close();
            REQUIRE_COMPLETES(waiting);
            CHECK_COMPLETES(closed);
            const auto end = co_await waiting.handle;
            CHECK_FALSE(end.has_value());
            CHECK(rx2.is_closed());
            auto refused = co_await tx.send(1);
            REQUIRE_FALSE(refused.has_value());
            CHECK(refused.error().value == 1);
        }());
    }

    TEST_CASE_TEMPLATE("a receiver does not end while another may pass the last value on", Kind,
                       bounded, unbounded) {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            for (const bool cancel : {true, false}) {
                auto [tx, rx] = Kind::template make<int>();
                auto rx2 = rx;
                auto granted = co_await start(rx.recv());
                auto next = co_await start(rx2.recv());
                CHECK(Kind::send(tx, 1));
                { auto gone = std::move(tx); }
                CHECK(rx.try_recv().error() == mpmc::try_recv_error::empty);
                if (cancel) co_await granted.abort();
                REQUIRE_COMPLETES(next);
                const auto value = co_await next.handle;
                CHECK(value.has_value() == cancel);
                CHECK(rx.try_recv().error() == mpmc::try_recv_error::disconnected);
            }
        }());
    }

    TEST_CASE("weak senders and counts") {
        auto [tx, rx] = mpmc::channel<int>(1);
        mpmc::weak_sender<int> weak = tx.downgrade();
        auto rx2 = rx;
        rx2 = rx;
        CHECK(rx2.sender_strong_count() == 1);
        CHECK(rx2.sender_weak_count() == 1);
        CHECK(weak.upgrade().has_value());
        { auto gone = std::move(tx); }
        CHECK_FALSE(weak.upgrade().has_value());
    }
}

TEST_SUITE("mpmc threads") {
    TEST_CASE_TEMPLATE("threads compete with tasks for values", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = mpmc::channel<int>(4);
        std::vector<long> sums(2, 0);
        std::vector<std::thread> threads;
        for (long& sum : sums)
            threads.emplace_back([&sum, r = rx]() mutable {
                while (auto m = r.blocking_recv()) sum += *m;
            });
        std::thread sender([t = tx]() mutable {
            for (int i = 0; i < 500; ++i) CHECK(t.blocking_send(1000).has_value());
        });
        const auto mine = rt.block_on([](mpmc::sender<int> t, mpmc::receiver<int> r)
                                          -> weir::task<std::vector<int>> {
            auto sending = weir::spawn(send_range(std::move(t), 0, 1000));
            auto got = co_await collect(std::move(r));
            co_await sending;
            co_return got;
        }(std::move(tx), std::move(rx)));
        sender.join();
        for (auto& t : threads) t.join();
        long all = sums[0] + sums[1];
        for (const int v : mine) all += v;
        CHECK(all == 499'500 + 500'000);
    }

    TEST_CASE("coroutines that are not ours receive in order") {
        auto [tx, rx] = mpmc::channel<int>(2);
        auto a = start_foreign(rx.recv());
        auto b = start_foreign(rx.recv());
        auto cancelled = start_foreign(rx.recv());
        auto c = start_foreign(rx.recv());
        cancelled.cancel();
        for (int i = 0; i < 3; ++i) CHECK(tx.try_send(i).has_value());
        REQUIRE(c.done());
        CHECK(a.value() == 0);
        CHECK(b.value() == 1);
        CHECK(c.value() == 2);
    }
}
