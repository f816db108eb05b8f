// How a task is woken: as often as you like, from where you like, for one turn.

#include <atomic>
#include <doctest/doctest.h>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/notify.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<> writes(std::string& log, char c, weir::notify& n) {
    co_await n.notified();
    log += c;
}

weir::task<> notifies(weir::notify& n) {
    n.notify_one();
    co_return;
}

// Is queued once more in the turn in which it ends, and leaves another task in its place.
weir::task<> ends_queued(std::atomic<int>& ended, int generations) {
    {
        weir::notify n;
        auto won = co_await weir::select(weir::biased, n.notified(), notifies(n));
        CHECK(won.index() == 1);
    }
    if (generations > 1) weir::spawn(ends_queued(ended, generations - 1)).detach();
    ++ended;
}

}  // namespace

TEST_SUITE("wakes") {
    TEST_CASE_TEMPLATE("a queued task that is woken again and again has one turn", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::string log;
            weir::notify a;
            weir::notify b;
            weir::notify c;
            weir::notify other;
            auto three = co_await start([](std::string& l, weir::notify& x, weir::notify& y,
                                           weir::notify& z) -> weir::task<> {
                co_await weir::join(writes(l, 'a', x), writes(l, 'b', y), writes(l, 'c', z));
            }(log, a, b, c));
            auto between = co_await start(writes(log, '-', other));
            b.notify_one();
            other.notify_one();
            a.notify_one();
            b.notify_one();  // remembered by the notify: its waiter is on its way already
            c.notify_one();
            REQUIRE_COMPLETES(three);
            REQUIRE_COMPLETES(between);
            CHECK(log == "bac-");  // all that woke the first task by its turn, in order
        }());
    }

    TEST_CASE_TEMPLATE("a running task that is woken has one more turn", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 100; ++i) {
                std::string log;
                weir::notify n;
                const auto wakes_its_sibling = [](std::string& l,
                                                  weir::notify& sibling) -> weir::task<> {
                    co_await weir::yield_now();
                    sibling.notify_one();
                    sibling.notify_one();
                    l += 'x';
                };
                co_await weir::join(writes(log, 'y', n), wakes_its_sibling(log, n));
                CHECK(log == "xy");
            }
        }());
    }

    TEST_CASE_TEMPLATE("wakes from threads while the task runs are neither lost nor doubled", R,
                       WEIR_RUNTIMES) {
        constexpr int wakes = 2000;
        R rt;
        weir::notify n;
        std::atomic<int> asked{0};
        std::atomic<bool> over{false};
        std::thread other([&] {
            int sent = 0;
            while (!over) {
                if (asked.load() <= sent) {
                    std::this_thread::yield();
                    continue;
                }
                ++sent;
                n.notify_one();
            }
        });
        const int heard = rt.block_on([](weir::notify& from, std::atomic<int>& ask)
                                          -> weir::task<int> {
            int count = 0;
            for (; count < wakes; ++count) {
                auto next = from.notified();
                ++ask;
                co_await next;
            }
            co_return count;
        }(n, asked));
        over = true;
        other.join();
        CHECK(heard == wakes);
        CHECK(asked == wakes);
    }

    TEST_CASE_TEMPLATE("tasks that end while they are queued take no other one's place", R,
                       WEIR_RUNTIMES) {
        constexpr int tasks = 62;  // the run queue has room for two more
        std::atomic<int> ended{0};
        R rt;
        rt.block_on([](std::atomic<int>& count) -> weir::task<> {
            for (int i = 0; i < tasks; ++i) weir::spawn(ends_queued(count, 20)).detach();
            auto all = co_await until([&] { return count == tasks * 20; });
            CHECK(all);
        }(ended));
    }

    TEST_CASE_TEMPLATE("a yield loses to a branch that is ready", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify ready;
            ready.notify_one();
            auto v = co_await weir::select(weir::biased, weir::yield_now(), ready.notified());
            CHECK(v.index() == 1);
        }());
    }
}
