// weir/mpsc.hpp: sending and receiving. mpsc_close.cpp and mpsc_permits.cpp have the rest.

#include <doctest/doctest.h>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <weir/mpsc.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;

static_assert(std::is_copy_constructible_v<mpsc::sender<int>>);
static_assert(!std::is_copy_constructible_v<mpsc::receiver<int>>);
static_assert(std::is_nothrow_move_constructible_v<mpsc::receiver<int>>);
static_assert(std::is_nothrow_move_constructible_v<mpsc::sender<std::unique_ptr<int>>>);

namespace {

struct command {
    std::string key;
    counted payload;
};

weir::task<> send_range(mpsc::sender<int> tx, int from, int to) {
    for (int i = from; i < to; ++i) {
        auto sent = co_await tx.send(i);
        CHECK(sent.has_value());
    }
}

weir::task<std::vector<int>> collect(mpsc::receiver<int> rx) {
    std::vector<int> all;
    while (auto m = co_await rx.recv()) all.push_back(*m);
    co_return all;
}

}  // namespace

TEST_SUITE("mpsc") {
    TEST_CASE("a capacity of zero is refused") {
        CHECK_THROWS_AS(static_cast<void>(mpsc::channel<int>(0)), std::invalid_argument);
        constexpr auto too_many = static_cast<std::size_t>(-1);
        CHECK_THROWS_AS(static_cast<void>(mpsc::channel<int>(too_many)), std::logic_error);
    }

    TEST_CASE_TEMPLATE("values of one sender arrive in order", R, WEIR_RUNTIMES) {
        R rt;
        for (const std::size_t capacity : {1u, 2u, 31u, 32u, 33u, 1000u}) {
            const auto all = rt.block_on([](std::size_t n) -> weir::task<std::vector<int>> {
                auto [tx, rx] = mpsc::channel<int>(n);
                auto producer = weir::spawn(send_range(std::move(tx), 0, 500));
                auto consumer = weir::spawn(collect(std::move(rx)));
                co_await producer;
                co_return co_await consumer;
            }(capacity));
            std::vector<int> expected(500);
            std::iota(expected.begin(), expected.end(), 0);
            CHECK(all == expected);
        }
    }

    TEST_CASE_TEMPLATE("several senders lose nothing and each keeps its order", R, WEIR_RUNTIMES) {
        R rt;
        const auto all = rt.block_on([]() -> weir::task<std::vector<int>> {
            auto [tx, rx] = mpsc::channel<int>(4);
            std::vector<weir::join_handle<void>> producers;
            for (int p = 0; p < 4; ++p) {
                producers.push_back(weir::spawn(send_range(tx, p * 1000, p * 1000 + 500)));
            }
            { auto last = std::move(tx); }
            auto values = co_await collect(std::move(rx));
            for (auto& h : producers) co_await h;
            co_return values;
        }());
        CHECK(all.size() == 2000);
        std::vector<int> next{0, 1000, 2000, 3000};
        for (const int v : all) CHECK(v == next[static_cast<std::size_t>(v / 1000)]++);
    }

    TEST_CASE_TEMPLATE("32 sends complete and the 33rd waits until one is received", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(32);
            for (int i = 0; i < 32; ++i) {
                auto sent = co_await start(tx.send(i));
                REQUIRE_COMPLETES(sent);
            }
            auto waiting = co_await start(tx.send(32));
            CHECK_WAITS(waiting);
            auto first = co_await rx.recv();
            CHECK(first == 0);
            REQUIRE_COMPLETES(waiting);
            auto result = co_await waiting.handle;
            CHECK(result.has_value());
            CHECK(rx.size() == 32);
        }());
    }

    TEST_CASE_TEMPLATE("recv waits while the channel is empty and a sender lives", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            auto waiting = co_await start(rx.recv());
            CHECK_WAITS(waiting);
            CHECK(tx.try_send(5).has_value());
            REQUIRE_COMPLETES(waiting);
            const auto value = co_await waiting.handle;
            CHECK(value == 5);
        }());
    }

    TEST_CASE_TEMPLATE("waiting sends are served in the order in which they asked", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(0).has_value());
            auto a = co_await start(tx.send(1));
            auto b = co_await start(tx.send(2));
            auto c = co_await start(tx.send(3));
            for (int i = 0; i < 4; ++i) {
                const auto value = co_await rx.recv();
                CHECK(value == i);
            }
            CHECK_COMPLETES(a);
            CHECK_COMPLETES(b);
            CHECK_COMPLETES(c);
        }());
    }

    TEST_CASE_TEMPLATE("try_send does not overtake a send that waits", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(0).has_value());
            auto waiting = co_await start(tx.send(1));
            CHECK(rx.try_recv() == 0);  // the slot now belongs to the one that waits
            auto refused = tx.try_send(2);
            REQUIRE_FALSE(refused.has_value());
            CHECK(refused.error().is_full());
            CHECK_COMPLETES(waiting);
            CHECK(rx.try_recv() == 1);
            CHECK(tx.try_send(3).has_value());
        }());
    }

    TEST_CASE("try_send says full or closed and gives the value back") {
        auto [tx, rx] = mpsc::channel<std::unique_ptr<int>>(1);
        CHECK(tx.try_send(std::make_unique<int>(1)).has_value());
        auto full = tx.try_send(std::make_unique<int>(2));
        REQUIRE_FALSE(full.has_value());
        CHECK(full.error().is_full());
        CHECK_FALSE(full.error().is_closed());
        CHECK(*full.error().value == 2);
        { auto gone = std::move(rx); }
        auto closed = tx.try_send(std::make_unique<int>(3));
        REQUIRE_FALSE(closed.has_value());
        CHECK(closed.error().is_closed());
        CHECK_FALSE(closed.error().is_full());
        CHECK(*closed.error().value == 3);
    }

    TEST_CASE("try_recv says empty or disconnected") {
        auto [tx, rx] = mpsc::channel<int>(2);
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::empty);
        CHECK(tx.try_send(1).has_value());
        CHECK(rx.try_recv() == 1);
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::empty);
        CHECK(tx.try_send(2).has_value());
        { auto gone = std::move(tx); }
        CHECK(rx.try_recv() == 2);
        CHECK(rx.try_recv().error() == mpsc::try_recv_error::disconnected);
    }

    TEST_CASE("size and capacity follow what is sent and received") {
        auto [tx, rx] = mpsc::channel<int>(40);
        CHECK(tx.max_capacity() == 40);
        CHECK(rx.max_capacity() == 40);
        CHECK(rx.empty());
        for (int i = 0; i < 33; ++i) {
            CHECK(rx.size() == static_cast<std::size_t>(i));
            CHECK(tx.capacity() == static_cast<std::size_t>(40 - i));
            CHECK(tx.try_send(i).has_value());
        }
        CHECK(rx.try_recv() == 0);
        CHECK(rx.size() == 32);
        CHECK(rx.capacity() == 8);
        CHECK_FALSE(rx.empty());
        { auto gone = std::move(tx); }
        CHECK(rx.size() == 32);  // what was sent is still there
    }

    TEST_CASE("same_channel tells channels apart") {
        auto [tx, rx] = mpsc::channel<int>(1);
        auto [tx2, rx2] = mpsc::channel<int>(1);
        auto copy = tx;
        CHECK(tx.same_channel(copy));
        CHECK_FALSE(tx.same_channel(tx2));
    }

    TEST_CASE_TEMPLATE("move-only and over-aligned values pass", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<std::unique_ptr<int>>(1);
            auto p = std::make_unique<int>(4);
            int* raw = p.get();
            auto sent = co_await tx.send(std::move(p));
            CHECK(sent.has_value());
            auto got = co_await rx.recv();
            CHECK(got->get() == raw);
        }());
        auto [tx, rx] = mpsc::channel<over_aligned>(3);
        for (int i = 0; i < 3; ++i) CHECK(tx.try_send(over_aligned(i)).has_value());
        for (int i = 0; i < 3; ++i) CHECK(rx.try_recv()->value == i);
    }

    TEST_CASE_TEMPLATE("an aggregate with a destructor passes through take, dropped once", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto [tx, rx] = mpsc::channel<command>(2);
            for (int i = 0; i < 10; ++i) {
                command c{"key", counted(book, i)};
                auto sent = co_await tx.send(weir::take(c));
                CHECK(sent.has_value());
                auto got = co_await rx.recv();
                REQUIRE(got.has_value());
                CHECK(got->payload.value == i);
            }
        }(l));
        CHECK(l.copies == 0);
        CHECK(l.dropped == 10);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a value that passes through is never copied and is dropped once", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto [tx, rx] = mpsc::channel<counted>(1);
            auto first = co_await tx.send(counted(book, 1));
            CHECK(first.has_value());
            auto waiting = co_await start(tx.send(counted(book, 2)));
            auto a = co_await rx.recv();
            auto b = co_await rx.recv();
            CHECK(a->value == 1);
            CHECK(b->value == 2);
            CHECK_COMPLETES(waiting);
        }(l));
        CHECK(l.made == 2);
        CHECK(l.copies == 0);
        CHECK(l.dropped == 2);
        CHECK(l.objects == 0);
    }
}

TEST_SUITE("mpsc cancellation") {
    TEST_CASE_TEMPLATE("a cancelled recv takes nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            auto cancelled = co_await start(rx.recv());
            CHECK_WAITS(cancelled);
            co_await cancelled.abort();
            CHECK(tx.try_send(1).has_value());
            const auto value = co_await rx.recv();
            CHECK(value == 1);
        }());
    }

    TEST_CASE_TEMPLATE("a recv cancelled after it was woken takes nothing", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            auto woken = co_await start(rx.recv());
            CHECK(tx.try_send(1).has_value());
            co_await woken.abort();  // before the task had a turn
            const auto value = co_await rx.recv();
            CHECK(value == 1);
        }());
    }

    TEST_CASE_TEMPLATE("a cancelled send did not send, and its value was dropped once", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto [tx, rx] = mpsc::channel<counted>(1);
            CHECK(tx.try_send(counted(book, 1)).has_value());
            auto cancelled = co_await start(tx.send(counted(book, 2)));
            auto next = co_await start(tx.send(counted(book, 3)));
            CHECK(book.live() == 3);
            co_await cancelled.abort();
            CHECK(book.live() == 2);
            auto a = co_await rx.recv();
            auto b = co_await rx.recv();
            CHECK(a->value == 1);
            CHECK(b->value == 3);  // the one behind it was not held up
            CHECK_COMPLETES(next);
        }(l));
        CHECK(l.dropped == 3);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a send cancelled after it was granted a slot passes the slot on", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            auto granted = co_await start(tx.send(2));
            auto next = co_await start(tx.send(3));
            CHECK(rx.try_recv() == 1);
            co_await granted.abort();  // before the task had a turn
            REQUIRE_COMPLETES(next);
            const auto value = co_await rx.recv();
            CHECK(value == 3);
            CHECK(tx.capacity() == 1);
        }());
    }
}

TEST_SUITE("mpsc threads") {
    TEST_CASE_TEMPLATE("a thread sends to a task that waits", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = mpsc::channel<int>(2);
        std::thread other([t = std::move(tx)]() mutable {
            for (int i = 0; i < 100; ++i) CHECK(t.blocking_send(i).has_value());
        });
        const auto all = rt.block_on(collect(std::move(rx)));
        other.join();
        CHECK(all.size() == 100);
    }

    TEST_CASE_TEMPLATE("a thread receives from a task", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = mpsc::channel<int>(2);
        long sum = 0;
        std::thread other([&sum, r = std::move(rx)]() mutable {
            while (auto m = r.blocking_recv()) sum += *m;
        });
        rt.block_on(send_range(std::move(tx), 0, 100));
        other.join();
        CHECK(sum == 4950);
    }

    TEST_CASE("two threads use a channel without any runtime") {
        watchdog bounded;
        auto [tx, rx] = mpsc::channel<int>(1);
        std::thread other([t = std::move(tx)]() mutable {
            for (int i = 0; i < 1000; ++i) CHECK(t.blocking_send(i).has_value());
        });
        int expected = 0;
        while (auto m = rx.blocking_recv()) CHECK(*m == expected++);
        other.join();
        CHECK(expected == 1000);
    }

    TEST_CASE_TEMPLATE("the blocking ends refuse to block a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(1);
            CHECK_THROWS_AS(static_cast<void>(tx.blocking_send(1)), std::logic_error);
            CHECK_THROWS_AS(static_cast<void>(rx.blocking_recv()), std::logic_error);
            CHECK(rx.empty());
            co_return;
        }());
    }

    TEST_CASE("coroutines that are not ours send and receive") {
        auto [tx, rx] = mpsc::channel<int>(1);
        auto sent = start_foreign(tx.send(1));
        CHECK(sent.done());
        auto waits = start_foreign(tx.send(2));
        CHECK_FALSE(waits.done());
        auto cancelled = start_foreign(tx.send(3));
        cancelled.cancel();
        auto first = start_foreign(rx.recv());
        REQUIRE(first.done());
        CHECK(first.value() == 1);
        CHECK(waits.done());
        auto second = start_foreign(rx.recv());
        REQUIRE(second.done());
        CHECK(second.value() == 2);
        auto third = start_foreign(rx.recv());
        CHECK_FALSE(third.done());
        CHECK(tx.try_send(4).has_value());
        REQUIRE(third.done());
        CHECK(third.value() == 4);
    }
}
