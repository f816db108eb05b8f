// weir/watch.hpp: wait_for, the ends of a channel, and threads.

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/watch.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace watch = weir::watch;

namespace {

// What wait_for found, without the lock that a ref holds.
template <class Pred>
weir::task<int> wait_value(watch::receiver<int>& rx, Pred accepts) {
    const auto found = co_await rx.wait_for(accepts);
    co_return found ? **found : -1;
}

bool is_even(int v) {
    return v % 2 == 0;
}

// Two halves that belong together.
struct pair_of_halves {
    long a = 0;
    long b = 0;
    bool whole() const { return b == -a; }
};

}  // namespace

TEST_SUITE("watch wait_for") {
    TEST_CASE_TEMPLATE("a current value that matches is enough, also when it was seen", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(2);
            const int seen = co_await wait_value(rx, is_even);
            CHECK(seen == 2);
            tx.send(4);
            {
                const auto found = co_await rx.wait_for(is_even);
                REQUIRE(found.has_value());
                CHECK(found->has_changed());
            }
            CHECK_FALSE(rx.has_changed().value());
        }());
    }

    TEST_CASE_TEMPLATE("values that are refused are skipped and marked as seen", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto waiting = weir::spawn(wait_value(rx, is_even));
            co_await settle();
            for (const int v : {3, 5, 7}) {
                tx.send(v);
                co_await settle();
                CHECK_FALSE(waiting.is_finished());
            }
            tx.send(9);
            tx.send(10);
            const int found = co_await waiting;
            CHECK(found == 10);
            CHECK_FALSE(rx.has_changed().value());
        }());
    }

    TEST_CASE_TEMPLATE("a predicate that throws leaves the receiver usable", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto throws_at_three = [](int v) {
                if (v == 3) throw std::runtime_error("three");
                return v == 5;
            };
            auto waiting = weir::spawn(wait_value(rx, throws_at_three));
            co_await settle();
            tx.send(3);
            const auto failed = co_await waiting.result();
            CHECK_FALSE(failed.has_value());
            rx.mark_changed();
            bool threw = false;
            try {
                static_cast<void>(co_await rx.wait_for(throws_at_three));
            } catch (const std::runtime_error&) {
                threw = true;
            }
            CHECK(threw);
            tx.send(5);
            const int found = co_await wait_value(rx, throws_at_three);
            CHECK(found == 5);
        }());
    }

    TEST_CASE_TEMPLATE("the end is an error only after the last value was refused", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto other = rx;
            auto waiting = weir::spawn(wait_value(rx, is_even));
            co_await settle();
            tx.send(2);
            { auto gone = std::move(tx); }
            const int last = co_await waiting;
            CHECK(last == 2);
            const int again = co_await wait_value(other, is_even);
            CHECK(again == 2);
            const int none = co_await wait_value(other, [](int v) { return v == 3; });
            CHECK(none == -1);
        }());
    }

    TEST_CASE_TEMPLATE("the last sender to go ends the wait", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto waiting = weir::spawn(wait_value(rx, is_even));
            co_await settle();
            { auto gone = std::move(tx); }
            const int none = co_await waiting;
            CHECK(none == -1);
        }());
    }

    TEST_CASE_TEMPLATE("a wait_for that loses or is aborted holds no lock", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            {
                const auto r =
                    co_await weir::select(weir::biased, rx.wait_for(is_even), weir::yield_now());
                CHECK(r.index() == 1);
            }
            auto waiting = weir::spawn(wait_value(rx, is_even));
            co_await settle();
            tx.send(3);
            co_await settle();
            waiting.abort();
            static_cast<void>(co_await waiting.result());
            tx.send(4);
            {
                const auto r =
                    co_await weir::select(weir::biased, rx.wait_for(is_even), weir::yield_now());
                CHECK(r.index() == 0);
            }
            tx.send(5);
            CHECK(*rx.borrow() == 5);
        }());
    }

    TEST_CASE("a foreign coroutine waits for a value") {
        auto [tx, rx] = watch::channel(1);
        auto waiting = start_foreign(rx.wait_for(is_even));
        tx.send(3);
        CHECK_FALSE(waiting.done());
        tx.send(4);
        REQUIRE(waiting.done());
        auto found = std::move(waiting.value());
        CHECK(**found == 4);
    }
}

TEST_SUITE("watch ends") {
    TEST_CASE_TEMPLATE("a last value that was not seen is a change, then comes the end", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            tx.send(2);
            { auto gone = std::move(tx); }
            CHECK_FALSE(rx.has_changed().has_value());
            const auto first = co_await rx.changed();
            const auto second = co_await rx.changed();
            CHECK(first.has_value());
            CHECK_FALSE(second.has_value());
            CHECK(*rx.borrow() == 2);
        }());
    }

    TEST_CASE_TEMPLATE("only the last sender to go ends a wait", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto copy = tx;
            CHECK(tx.sender_count() == 2);
            CHECK(tx.same_channel(copy));
            auto waiting = co_await start(rx.changed());
            { auto gone = std::move(tx); }
            CHECK_WAITS(waiting);
            { auto gone = std::move(copy); }
            REQUIRE_COMPLETES(waiting);
            const auto changed = co_await waiting.handle;
            CHECK_FALSE(changed.has_value());
            CHECK(*rx.borrow() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("closed waits for every receiver to go, and subscribe opens again", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto other = rx;
            auto waiting = co_await start(tx.closed());
            { auto gone = std::move(rx); }
            CHECK_WAITS(waiting);
            CHECK_FALSE(tx.is_closed());
            { auto gone = std::move(other); }
            CHECK(tx.is_closed());
            {
                const auto again = tx.subscribe();
                CHECK_FALSE(tx.is_closed());
                CHECK_WAITS(waiting);
            }
            CHECK(tx.is_closed());
            CHECK_COMPLETES(waiting);
            co_await waiting.handle;
            co_await tx.closed();
        }());
    }
}

TEST_SUITE("watch on threads") {
    TEST_CASE("no thread misses the last change, and none sees half of one") {
        constexpr int readers = 3;
        constexpr long last = 20'000;
        auto [tx, rx] = watch::channel(pair_of_halves{});
        std::vector<long> ends(readers);
        std::atomic<bool> whole{true};
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < readers; ++i)
                threads.emplace_back(
                    [&whole, &end = ends[static_cast<std::size_t>(i)], mine = rx]() mutable {
                        long before = 0;
                        while (weir::block_on(mine.changed())) {
                            const auto r = mine.borrow_and_update();
                            if (!r->whole() || r->a < before) whole = false;
                            before = r->a;
                        }
                        end = before;
                    });
            std::jthread poller([&whole, mine = rx] {
                while (mine.has_changed().has_value())
                    if (!mine.borrow()->whole()) whole = false;
            });
            for (long i = 1; i < last; ++i) tx.send(pair_of_halves{i, -i});
            tx.send_modify([](pair_of_halves& h) {
                h.a = last;
                h.b = -last;
            });
            { auto gone = std::move(tx); }
        }
        CHECK(whole);
        for (const long end : ends) CHECK(end == last);
    }

    TEST_CASE("several senders that go at once end the wait once, after the last") {
        for (int round = 0; round < 200; ++round) {
            auto [tx, rx] = watch::channel(0);
            std::atomic<int> left{3};
            int seen_left = -1;
            {
                std::jthread receiver([&left, &seen_left, mine = std::move(rx)]() mutable {
                    while (weir::block_on(mine.changed())) {
                    }
                    seen_left = left.load();
                });
                std::vector<std::jthread> senders;
                for (int i = 0; i < 3; ++i)
                    senders.emplace_back([&left, mine = tx]() mutable {
                        mine.send(1);
                        --left;
                        auto gone = std::move(mine);
                    });
                auto gone = std::move(tx);
            }
            CHECK(seen_left == 0);
        }
    }

    TEST_CASE("a wait_for on a thread finds the value that another thread counts up to") {
        auto [tx, rx] = watch::channel(0);
        std::jthread counter([mine = std::move(tx)]() mutable {
            for (int i = 0; i < 5'000; ++i) mine.send_modify([](int& v) { ++v; });
        });
        auto waits = [](watch::receiver<int> r) -> weir::task<int> {
            int sum = 0;
            for (int goal = 1'000; goal <= 5'000; goal += 1'000) {
                const int found = co_await wait_value(r, [goal](int v) { return v >= goal; });
                if (found >= goal) ++sum;
            }
            co_return sum;
        };
        CHECK(weir::block_on(waits(rx)) == 5);
    }
}
