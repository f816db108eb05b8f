// weir/notify.hpp: one stored notification, waiters that are registered when made.

#include <cstddef>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <weir/notify.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<> wait(weir::notify& n) { co_await n.notified(); }

weir::task<> wait_twice(weir::notify& n) {
    co_await n.notified();
    co_await n.notified();
}

}  // namespace

TEST_SUITE("notify") {
    TEST_CASE_TEMPLATE("a notification before the wait is remembered, but only one", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            n.notify_one();
            n.notify_one();
            n.notify_one();
            co_await n.notified();
            auto second = co_await start(wait(n));
            CHECK_WAITS(second);
            n.notify_one();
            CHECK_COMPLETES(second);
        }());
    }

    TEST_CASE_TEMPLATE("notify_one wakes the oldest waiter and notify_last the newest", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto a = co_await start(wait(n));
            auto b = co_await start(wait(n));
            auto c = co_await start(wait(n));
            n.notify_one();
            CHECK_COMPLETES(a);
            CHECK_WAITS(b);
            CHECK_WAITS(c);
            n.notify_last();
            CHECK_COMPLETES(c);
            CHECK_WAITS(b);
            n.notify_last();
            CHECK_COMPLETES(b);
        }());
    }

    TEST_CASE_TEMPLATE("notify_last is remembered like notify_one", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            n.notify_last();
            co_await n.notified();
            auto second = co_await start(wait(n));
            CHECK_WAITS(second);
            n.notify_one();
            CHECK_COMPLETES(second);
        }());
    }

    TEST_CASE_TEMPLATE("notify_waiters wakes all who wait and stores nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            std::vector<probe<void>> waiting;
            for (int i = 0; i < 50; ++i) waiting.push_back(co_await start(wait(n)));
            n.notify_waiters();
            for (auto& w : waiting) CHECK_COMPLETES(w);
            auto late = co_await start(wait(n));
            CHECK_WAITS(late);
            n.notify_one();
            CHECK_COMPLETES(late);
        }());
    }

    TEST_CASE_TEMPLATE("one notify_waiters does not satisfy two waits in a row", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto twice = co_await start(wait_twice(n));
            n.notify_waiters();
            CHECK_WAITS(twice);
            n.notify_waiters();
            CHECK_COMPLETES(twice);
        }());
    }

    TEST_CASE_TEMPLATE("a wait is registered when it is made, not when it is awaited", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto before = n.notified();
            n.notify_waiters();
            auto after = n.notified();
            co_await before;

            n.notify_one();  // goes to the one that is registered
            co_await after;
            auto late = co_await start(wait(n));
            CHECK_WAITS(late);
            n.notify_one();
            CHECK_COMPLETES(late);
        }());
    }

    TEST_CASE_TEMPLATE("check, then wait: nothing is missed in between", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            std::atomic<bool> ready{false};
            auto waiter = weir::spawn([](weir::notify& event,
                                         std::atomic<bool>& flag) -> weir::task<> {
                for (;;) {
                    auto wake = event.notified();
                    if (flag.load()) co_return;
                    co_await wake;
                }
            }(n, ready));
            co_await settle();
            ready.store(true);
            n.notify_waiters();
            co_await waiter;
        }());
    }

    TEST_CASE_TEMPLATE("a wait survives a lost race and is awaited again", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto wake = n.notified();
            for (int i = 0; i < 3; ++i) {
                auto v = co_await weir::select(wake, weir::yield_now());
                CHECK(v.index() == 1);
            }
            n.notify_waiters();
            co_await wake;
        }());
    }

    TEST_CASE_TEMPLATE("a chosen waiter that is cancelled passes the notification to the next", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto chosen = co_await start(wait(n));
            auto next = co_await start(wait(n));
            auto last = co_await start(wait(n));
            n.notify_one();
            co_await chosen.abort();  // before the task had a turn
            CHECK_COMPLETES(next);
            CHECK_WAITS(last);
            n.notify_one();
            CHECK_COMPLETES(last);
        }());
    }

    TEST_CASE_TEMPLATE("cancelled after notify_last, the notification goes to the newest", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto oldest = co_await start(wait(n));
            auto middle = co_await start(wait(n));
            auto chosen = co_await start(wait(n));
            n.notify_last();
            co_await chosen.abort();
            CHECK_COMPLETES(middle);
            CHECK_WAITS(oldest);
            n.notify_one();
            CHECK_COMPLETES(oldest);
        }());
    }

    TEST_CASE_TEMPLATE("a chosen waiter that is cancelled with no other leaves it stored", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto chosen = co_await start(wait(n));
            n.notify_one();
            co_await chosen.abort();
            co_await n.notified();

            { auto made_and_dropped = n.notified(); }
            auto waiting = co_await start(wait(n));
            CHECK_WAITS(waiting);
            {
                auto registered = n.notified();
                n.notify_one();  // the older one gets it
                CHECK_COMPLETES(waiting);
                n.notify_one();
            }  // never awaited: passed on, that is stored
            co_await n.notified();
        }());
    }

    TEST_CASE_TEMPLATE("a waiter cancelled after notify_waiters passes nothing on", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto cancelled = co_await start(wait(n));
            n.notify_waiters();
            co_await cancelled.abort();
            auto late = co_await start(wait(n));
            CHECK_WAITS(late);
            n.notify_one();
            CHECK_COMPLETES(late);
        }());
    }

    TEST_CASE("notify_waiters is one step for all who exist, also on other threads") {
        for (int round = 0; round < 200; ++round) {
            weir::notify n;
            std::vector<weir::notified> waiting;
            for (int i = 0; i < 100; ++i) waiting.push_back(n.notified());
            std::thread other([&] { n.notify_waiters(); });
            // Whoever sees one of them notified sees each of them notified.
            const std::size_t first = static_cast<std::size_t>(round) % waiting.size();
            while (!waiting[first].is_notified()) std::this_thread::yield();
            for (const auto& w : waiting) CHECK(w.is_notified());
            other.join();
        }
    }

    TEST_CASE("a coroutine that is not ours waits") {
        weir::notify n;
        auto a = start_foreign(n.notified());
        auto b = start_foreign(n.notified());
        CHECK_FALSE(a.done());
        n.notify_one();
        CHECK(a.done());
        CHECK_FALSE(b.done());
        b.cancel();
        n.notify_one();
        auto c = start_foreign(n.notified());
        CHECK(c.done());
    }
}
