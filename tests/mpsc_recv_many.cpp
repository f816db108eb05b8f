// weir/mpsc.hpp: receiving several values at once.

#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <thread>
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

namespace {

weir::task<> send_strings(mpsc::sender<std::string> tx, int from, int count) {
    for (int i = from; i < from + count; ++i) {
        auto sent = co_await tx.send(std::to_string(i));
        CHECK(sent.has_value());
    }
}

}  // namespace

TEST_SUITE("mpsc recv_many") {
    TEST_CASE_TEMPLATE("a limit of zero returns at once", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            std::vector<int> out{7};
            const std::size_t nothing = co_await rx.recv_many(out, 0);
            CHECK(nothing == 0);
            CHECK(tx.try_send(1).has_value());
            const std::size_t still_nothing = co_await rx.recv_many(out, 0);
            CHECK(still_nothing == 0);
            CHECK(out == std::vector<int>{7});
        }());
    }

    TEST_CASE_TEMPLATE("it appends what is there, up to the limit", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(8);
            for (int i = 0; i < 6; ++i) CHECK(tx.try_send(i).has_value());
            std::vector<int> out{-1};
            const std::size_t four = co_await rx.recv_many(out, 4);
            CHECK(four == 4);
            CHECK(tx.capacity() == 6);
            const std::size_t two = co_await rx.recv_many(out, 100);
            CHECK(two == 2);
            CHECK(out == std::vector<int>{-1, 0, 1, 2, 3, 4, 5});
        }());
    }

    TEST_CASE_TEMPLATE("it waits while nothing is there", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(8);
            std::vector<int> out;
            auto waiting = co_await start(rx.recv_many(out, 5));
            CHECK_WAITS(waiting);
            CHECK(tx.try_send(1).has_value());
            REQUIRE_COMPLETES(waiting);
            const std::size_t got = co_await waiting.handle;
            CHECK(got == 1);
            CHECK(out == std::vector<int>{1});
        }());
    }

    TEST_CASE_TEMPLATE("it returns zero at the end and leaves the buffer alone", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(2);
            CHECK(tx.try_send(1).has_value());
            { auto gone = std::move(tx); }
            std::vector<int> out{9};
            const std::size_t one = co_await rx.recv_many(out, 3);
            const std::size_t end = co_await rx.recv_many(out, 3);
            CHECK(one == 1);
            CHECK(end == 0);
            CHECK(out == std::vector<int>{9, 1});
        }());
    }

    TEST_CASE_TEMPLATE("a cancelled recv_many takes nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            std::vector<int> out;
            auto raced = co_await weir::select(rx.recv_many(out, 4), weir::yield_now());
            CHECK(raced.index() == 1);
            auto cancelled = co_await start(rx.recv_many(out, 4));
            co_await cancelled.abort();
            CHECK(tx.try_send(1).has_value());
            CHECK(out.empty());
            CHECK(rx.try_recv() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("interleaved senders: every message once, each sender's in order", R,
                       WEIR_RUNTIMES) {
        R rt;
        const auto all = rt.block_on([]() -> weir::task<std::vector<std::string>> {
            auto [tx, rx] = mpsc::channel<std::string>(3);
            std::vector<weir::join_handle<void>> senders;
            for (int p = 0; p < 3; ++p) senders.push_back(weir::spawn(send_strings(tx, p * 1000, 200)));
            { auto last = std::move(tx); }
            std::vector<std::string> out;
            for (;;) {
                const std::size_t n = co_await rx.recv_many(out, 7);
                if (n == 0) break;
                CHECK(n <= 3);
            }
            for (auto& s : senders) co_await s;
            co_return out;
        }());
        CHECK(all.size() == 600);
        std::vector<int> next{0, 1000, 2000};
        for (const auto& s : all) {
            const int v = std::stoi(s);
            CHECK(v == next[static_cast<std::size_t>(v / 1000)]++);
        }
    }

    TEST_CASE_TEMPLATE("a slot that it frees goes to who waits", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<std::unique_ptr<int>>(3);
            for (int i = 0; i < 3; ++i)
                CHECK(tx.try_send(std::make_unique<int>(i)).has_value());
            auto a = co_await start(tx.send(std::make_unique<int>(3)));
            auto b = co_await start(tx.send(std::make_unique<int>(4)));
            std::vector<std::unique_ptr<int>> out;
            const std::size_t n = co_await rx.recv_many(out, 2);
            CHECK(n == 2);
            CHECK_COMPLETES(a);
            CHECK_COMPLETES(b);
            while (out.size() < 5) static_cast<void>(co_await rx.recv_many(out, 5));
            for (int i = 0; i < 3; ++i) CHECK(*out[static_cast<std::size_t>(i)] == i);
            CHECK(*out[3] + *out[4] == 7);  // each had its slot: on two threads either may be first
            CHECK(tx.capacity() == 3);
        }());
    }

    TEST_CASE_TEMPLATE("a thread receives many at once", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = mpsc::channel<std::string>(4);
        std::vector<std::string> out;
        std::thread other([&out, r = std::move(rx)]() mutable {
            while (r.blocking_recv_many(out, 10) != 0) {
            }
        });
        rt.block_on(send_strings(std::move(tx), 0, 100));
        other.join();
        REQUIRE(out.size() == 100);
        for (int i = 0; i < 100; ++i) CHECK(out[static_cast<std::size_t>(i)] == std::to_string(i));
    }

    TEST_CASE_TEMPLATE("blocking_recv_many refuses to block a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = mpsc::channel<int>(4);
            std::vector<int> out;
            CHECK_THROWS_AS(static_cast<void>(rx.blocking_recv_many(out, 1)), std::logic_error);
            co_return;
        }());
    }
}
