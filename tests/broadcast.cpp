// weir/broadcast.hpp: what receivers get, and what they miss. broadcast_close.cpp has how a channel
// ends, broadcast_values.cpp what becomes of the values, broadcast_threads.cpp the stress.

#include "common/broadcast.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#include <weir/broadcast.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace broadcast = weir::broadcast;

static_assert(std::is_copy_constructible_v<broadcast::sender<int>>);
static_assert(!std::is_copy_constructible_v<broadcast::receiver<int>>);
static_assert(std::is_nothrow_move_constructible_v<broadcast::receiver<int>>);
static_assert(!std::is_constructible_v<bool, broadcast::recv_result<int>>,
              "a lag must not end a loop");
static_assert(weir::cancel_safety_v<decltype(std::declval<broadcast::receiver<int>&>().recv())> ==
              weir::cancel_safety::safe);
static_assert(weir::cancel_safety_v<decltype(std::declval<broadcast::sender<int>&>().closed())> ==
              weir::cancel_safety::safe);
static_assert(sizeof(broadcast::sender<int>) <= 16 && sizeof(broadcast::weak_sender<int>) <= 16);

TEST_SUITE("broadcast") {
    TEST_CASE("a capacity of zero is refused, and one that is too large") {
        CHECK_THROWS_AS(static_cast<void>(broadcast::channel<int>(0)), std::invalid_argument);
        CHECK_THROWS_AS(static_cast<void>(broadcast::sender<int>(0)), std::invalid_argument);
        CHECK_THROWS_AS(static_cast<void>(broadcast::sender<int>(std::size_t{1} << 29)),
                        std::invalid_argument);
    }

    TEST_CASE_TEMPLATE("every receiver gets every value in order [doc]", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<std::string>(16);
            auto other = tx.subscribe();
            CHECK(tx.send("hello").value() == 2);
            CHECK(tx.send("world").value() == 2);
            { auto gone = std::move(tx); }
            for (auto* const r : {&rx, &other}) {
                std::string all;
                for (;;) {
                    const auto next = co_await r->recv();
                    if (next.is_closed()) break;
                    if (next.is_lagged()) continue;
                    all += *next + ' ';
                }
                CHECK(all == "hello world ");
            }
        }());
    }

    TEST_CASE_TEMPLATE("a receiver sees what is sent after it subscribed", T, WEIR_ELEMENTS) {
        auto [tx, rx] = broadcast::channel<T>(4);
        CHECK(tx.send(T(1)).value() == 1);
        auto later = tx.subscribe();
        CHECK(show(later.try_recv()) == "empty");
        CHECK(tx.send(T(2)).value() == 2);
        CHECK(show(rx.try_recv()) == "1");
        CHECK(show(rx.try_recv()) == "2");
        CHECK(show(later.try_recv()) == "2");
        CHECK(show(rx.try_recv()) == "empty");
    }

    TEST_CASE_TEMPLATE("without receivers the value comes back, and is never seen", T,
                       WEIR_ELEMENTS) {
        broadcast::sender<T> tx(4);
        CHECK(tx.receiver_count() == 0);
        auto failed = tx.send(T(7));
        REQUIRE_FALSE(failed.has_value());
        CHECK(int(failed.error().value) == 7);
        CHECK(tx.size() == 0);
        auto rx = tx.subscribe();
        CHECK(show(rx.try_recv()) == "empty");
        CHECK(tx.send(T(8)).value() == 1);
        CHECK(show(rx.try_recv()) == "8");
    }

    TEST_CASE_TEMPLATE("the capacity is exact", T, WEIR_ELEMENTS) {
        for (const std::size_t capacity : {1u, 2u, 3u, 4u, 5u, 7u, 8u}) {
            auto [tx, rx] = broadcast::channel<T>(capacity);
            auto in_time = tx.subscribe();
            const int n = static_cast<int>(capacity);
            for (int round = 0; round < 3; ++round) {
                for (int i = 0; i < n; ++i) CHECK(tx.send(T(i)).has_value());
                CHECK(tx.size() == capacity);
                for (int i = 0; i < n; ++i) CHECK(show(in_time.try_recv()) == std::to_string(i));
                CHECK(show(in_time.try_recv()) == "empty");
            }
            CHECK(rx.size() == 3 * capacity);
            CHECK(show(rx.try_recv()) == "lagged " + std::to_string(2 * n));
            CHECK(rx.size() == capacity);
            CHECK(show(rx.try_recv()) == "0");
        }
    }

    TEST_CASE_TEMPLATE("a lag counts exactly what was overwritten, and what is kept follows", T,
                       WEIR_ELEMENTS) {
        auto [tx, rx] = broadcast::channel<T>(4);
        for (int i = 0; i < 7; ++i) static_cast<void>(tx.send(T(i)));
        CHECK(show(rx.try_recv()) == "lagged 3");
        for (int i = 3; i < 7; ++i) CHECK(show(rx.try_recv()) == std::to_string(i));
        CHECK(show(rx.try_recv()) == "empty");
    }

    TEST_CASE_TEMPLATE("more overwrites before the next receive are a further lag", T,
                       WEIR_ELEMENTS) {
        auto [tx, rx] = broadcast::channel<T>(2);
        for (int i = 0; i < 3; ++i) static_cast<void>(tx.send(T(i)));
        CHECK(show(rx.try_recv()) == "lagged 1");
        for (int i = 3; i < 5; ++i) static_cast<void>(tx.send(T(i)));
        CHECK(show(rx.try_recv()) == "lagged 2");
        CHECK(show(rx.try_recv()) == "3");
        CHECK(show(rx.try_recv()) == "4");
        CHECK(show(rx.try_recv()) == "empty");
    }

    TEST_CASE_TEMPLATE("after catching up only the new gap is reported", T, WEIR_ELEMENTS) {
        auto [tx, rx] = broadcast::channel<T>(3);
        for (int i = 0; i < 10; ++i) static_cast<void>(tx.send(T(i)));
        CHECK(show(rx.try_recv()) == "lagged 7");
        for (int i = 7; i < 10; ++i) CHECK(show(rx.try_recv()) == std::to_string(i));
        for (int i = 10; i < 15; ++i) static_cast<void>(tx.send(T(i)));
        CHECK(show(rx.try_recv()) == "lagged 2");
        CHECK(show(rx.try_recv()) == "12");
    }

    TEST_CASE_TEMPLATE("with a capacity of one each unread overwrite is a lag of one", T,
                       WEIR_ELEMENTS) {
        auto [tx, rx] = broadcast::channel<T>(1);
        static_cast<void>(tx.send(T(0)));
        for (int i = 1; i < 5; ++i) {
            static_cast<void>(tx.send(T(i)));
            CHECK(show(rx.try_recv()) == "lagged 1");
        }
        CHECK(show(rx.try_recv()) == "4");
        CHECK(show(rx.try_recv()) == "empty");
    }

    TEST_CASE("size counts for a sender what is kept, for a receiver what it has missed too") {
        auto [tx, rx] = broadcast::channel<int>(4);
        auto fast = tx.subscribe();
        CHECK(tx.empty());
        CHECK(rx.empty());
        for (int i = 0; i < 6; ++i) {
            static_cast<void>(tx.send(i));
            static_cast<void>(fast.try_recv());
        }
        CHECK(tx.size() == 4);
        CHECK(rx.size() == 6);
        CHECK(fast.empty());
        CHECK(rx.try_recv().lagged() == 2);
        CHECK(rx.size() == 4);
        CHECK(show(rx.try_recv()) == "2");
        CHECK(tx.size() == 3);
        { auto gone = std::move(rx); }
        CHECK(tx.empty());
    }

    TEST_CASE("a moved receiver keeps its place") {
        auto [tx, rx] = broadcast::channel<int>(4);
        for (int i = 0; i < 3; ++i) static_cast<void>(tx.send(i));
        CHECK(show(rx.try_recv()) == "0");
        auto moved = std::move(rx);
        CHECK(show(moved.try_recv()) == "1");
        CHECK_THROWS_AS(static_cast<void>(rx.try_recv()), weir::already_consumed_error);
        rx = std::move(moved);
        CHECK(show(rx.try_recv()) == "2");
        CHECK(tx.receiver_count() == 1);
        rx = tx.subscribe();
        CHECK(tx.receiver_count() == 1);
    }

    TEST_CASE("resubscribe starts at the tail and leaves the original where it is") {
        auto [tx, rx] = broadcast::channel<int>(4);
        static_cast<void>(tx.send(1));
        auto again = rx.resubscribe();
        CHECK(again.same_channel(rx));
        CHECK(show(again.try_recv()) == "empty");
        CHECK(tx.send(2).value() == 2);
        CHECK(show(rx.try_recv()) == "1");
        CHECK(show(rx.try_recv()) == "2");
        CHECK(show(again.try_recv()) == "2");
    }

    TEST_CASE("a result without a value says so when it is asked for one") {
        auto [tx, rx] = broadcast::channel<std::string>(1);
        auto nothing = rx.try_recv();
        CHECK(nothing.is_empty());
        CHECK(nothing.lagged() == 0);
        CHECK_THROWS_AS(static_cast<void>(nothing.value()), std::logic_error);
        static_cast<void>(tx.send("a"));
        auto one = rx.try_recv();
        CHECK(one.value() == "a");
        CHECK(one->size() == 1);
        const auto copy = one;
        nothing = std::move(one);
        CHECK(*nothing == *copy);
        nothing = rx.try_recv();
        CHECK_FALSE(nothing.has_value());
    }
}

TEST_SUITE("broadcast waiting") {
    TEST_CASE_TEMPLATE("recv waits for the next value, and all who wait get it", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            auto other = tx.subscribe();
            auto a = co_await start(rx.recv());
            auto b = co_await start(other.recv());
            CHECK_WAITS(a);
            CHECK_WAITS(b);
            static_cast<void>(tx.send(5));
            REQUIRE_COMPLETES(a);
            REQUIRE_COMPLETES(b);
            const auto ra = co_await a.handle;
            const auto rb = co_await b.handle;
            CHECK(show(ra) == "5");
            CHECK(show(rb) == "5");
        }());
    }

    TEST_CASE_TEMPLATE("more receivers than one batch of wakes all get the value", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            broadcast::sender<int> tx(1);
            std::vector<weir::join_handle<int>> all;
            for (int i = 0; i < 100; ++i)
                all.push_back(weir::spawn([](broadcast::receiver<int> r) -> weir::task<int> {
                    const auto v = co_await r.recv();
                    co_return v.has_value() ? *v : -1;
                }(tx.subscribe())));
            co_await settle();
            CHECK(tx.send(3).value() == 100);
            int sum = 0;
            for (auto& h : all) sum += co_await h;
            CHECK(sum == 300);
        }());
    }

    TEST_CASE_TEMPLATE("who waits since the first value gets it after others have moved on", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(4);
            auto other = tx.subscribe();
            auto slow = co_await start(rx.recv());
            for (int i = 1; i < 4; ++i) {
                static_cast<void>(tx.send(i));
                CHECK(show(other.try_recv()) == std::to_string(i));
            }
            const auto first = co_await slow.handle;
            CHECK(show(first) == "1");
        }());
    }

    TEST_CASE_TEMPLATE("one that is overrun between the wake and its turn is told", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            auto slow = co_await start(rx.recv());
            for (int i = 1; i < 6; ++i) static_cast<void>(tx.send(i));
            const auto first = co_await slow.handle;
            CHECK(show(first) == "lagged 3");
            CHECK(show(rx.try_recv()) == "4");
        }());
    }

    TEST_CASE_TEMPLATE("a recv that lost a race has taken nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            {
                const auto r = co_await weir::select(weir::biased, rx.recv(), weir::yield_now());
                CHECK(r.index() == 1);
            }
            static_cast<void>(tx.send(1));
            {
                const auto r = co_await weir::select(weir::biased,
                                                     weir::this_task::consume_budget(), rx.recv());
                CHECK(r.index() == 0);
            }
            const auto v = co_await rx.recv();
            CHECK(show(v) == "1");
        }());
    }

    TEST_CASE_TEMPLATE("an aborted recv does not disturb the others", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(2);
            auto other = tx.subscribe();
            auto a = co_await start(rx.recv());
            auto b = co_await start(other.recv());
            co_await a.abort();
            CHECK_WAITS(b);
            static_cast<void>(tx.send(9));
            const auto rb = co_await b.handle;
            CHECK(show(rb) == "9");
            CHECK(show(rx.try_recv()) == "9");
        }());
    }

    TEST_CASE_TEMPLATE("one that always finds values lets others run", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(1000);
            for (int i = 0; i < 1000; ++i) static_cast<void>(tx.send(i));
            bool ran = false;
            auto other = weir::spawn([](bool& flag) -> weir::task<> {
                flag = true;
                co_return;
            }(ran));
            int before = 0;
            for (int i = 0; i < 1000; ++i) {
                const auto v = co_await rx.recv();
                if (!ran) ++before;
                CHECK(*v == i);
            }
            CHECK(ran);
            CHECK(before <= 128);
            co_await other;
        }());
    }

    TEST_CASE("a foreign coroutine receives, and may be destroyed while it waits") {
        auto [tx, rx] = broadcast::channel<int>(2);
        auto waiting = start_foreign(rx.recv());
        CHECK_FALSE(waiting.done());
        static_cast<void>(tx.send(1));
        REQUIRE(waiting.done());
        CHECK(show(waiting.value()) == "1");
        waiting = start_foreign(rx.recv());
        waiting.cancel();
        static_cast<void>(tx.send(2));
        CHECK(show(rx.try_recv()) == "2");
    }
}
