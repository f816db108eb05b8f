// weir/spawn.hpp: yield_now, the budget of ready operations, consume_budget.

#include <chrono>
#include <doctest/doctest.h>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

constexpr int budget = 128;

// Writes how far the busy task has come when this one gets its first turn.
weir::task<> notes_progress(const int& progress, int& seen) {
    seen = progress;
    co_return;
}

weir::task<int> drain(weir::mpsc::receiver<int>& rx, int& progress) {
    while (auto m = co_await rx.recv()) ++progress;
    co_return progress;
}

weir::task<> consume_for_ever() {
    for (;;) co_await weir::this_task::consume_budget();
}

// Ends in the turn in which it has spawned its successor, until the timer has fired.
weir::task<> passes_on(const weir::join_handle<void>& timer, int left,
                       weir::oneshot::sender<int> done) {
    if (left == 0 || timer.is_finished())
        static_cast<void>(done.send(left));
    else
        weir::spawn(passes_on(timer, left - 1, std::move(done))).detach();
    co_return;
}

}  // namespace

TEST_SUITE("yield") {
    TEST_CASE_TEMPLATE("yield_now lets every other ready task run first", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::vector<int> order;
            auto body = [](std::vector<int>& list, int n) -> weir::task<> {
                for (int i = 0; i < 3; ++i) {
                    list.push_back(n);
                    co_await weir::yield_now();
                }
            };
            auto a = weir::spawn(body(order, 1));
            auto b = weir::spawn(body(order, 2));
            auto c = weir::spawn(body(order, 3));
            co_await a;
            co_await b;
            co_await c;
            CHECK(order == std::vector<int>{1, 2, 3, 1, 2, 3, 1, 2, 3});
        }());
    }

    TEST_CASE("yield_now in a coroutine that is not ours completes") {
        auto f = start_foreign(weir::yield_now());
        CHECK(f.done());
    }

    TEST_CASE_TEMPLATE("a task that only yields still lets timers fire", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto timer = weir::spawn(run_operation(weir::sleep_for(1ms)));
            const bool fired = co_await until([&] { return timer.is_finished(); });
            CHECK(fired);
        }());
    }

    TEST_CASE_TEMPLATE("tasks that each end in their first turn still let timers fire", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto timer = weir::spawn(run_operation(weir::sleep_for(1ms)));
            auto [tx, rx] = weir::oneshot::channel<int>();
            weir::spawn(passes_on(timer, 20'000'000, std::move(tx))).detach();
            const auto left = co_await rx;
            CHECK(left.value() > 0);
        }());
    }
}

TEST_SUITE("budget") {
    TEST_CASE_TEMPLATE("a task that drains a full channel yields after 128 messages", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1000);
            for (int i = 0; i < 1000; ++i) CHECK(tx.try_send(i).has_value());
            { auto last = std::move(tx); }
            int progress = 0;
            int seen = -1;
            auto drainer = weir::spawn(drain(rx, progress));
            auto other = weir::spawn(notes_progress(progress, seen));
            const int received = co_await drainer;
            CHECK(received == 1000);
            CHECK(seen > 0);
            CHECK(seen <= budget);
        }());
    }

    TEST_CASE_TEMPLATE("a tight loop of consume_budget yields", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int progress = 0;
            int seen = -1;
            auto busy = weir::spawn([](int& n) -> weir::task<> {
                for (; n < 1000; ++n) co_await weir::this_task::consume_budget();
            }(progress));
            auto other = weir::spawn(notes_progress(progress, seen));
            co_await busy;
            CHECK(seen > 0);
            CHECK(seen <= budget);
        }());
    }

    TEST_CASE_TEMPLATE("awaiting ready tasks alone does not use the budget up", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int progress = 0;
            int seen = -1;
            auto busy = weir::spawn([](int& n) -> weir::task<> {
                auto child = []() -> weir::task<> { co_return; };
                for (; n < 1000; ++n) co_await child();
            }(progress));
            auto other = weir::spawn(notes_progress(progress, seen));
            co_await busy;
            co_await other;
            CHECK(seen == 1000);
        }());
    }

    TEST_CASE_TEMPLATE("a hungry branch of a join does not starve its sibling", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int rounds = 0;
            auto hungry = [](int& n) -> weir::task<> {
                while (n < 5) co_await weir::this_task::consume_budget();
            };
            auto sibling = [](int& n) -> weir::task<> {
                for (; n < 5; ++n) co_await weir::yield_now();
            };
            co_await weir::join(hungry(rounds), sibling(rounds));
            CHECK(rounds == 5);
        }());
    }

    TEST_CASE_TEMPLATE("hungry branches take turns in being the first to spend the budget", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::vector<int> turns;  // which branch has spent a whole budget, one turn after another
            int spent[3] = {};
            const auto hungry = [&](int i) -> weir::task<> {
                while (turns.size() < 30) {
                    co_await weir::this_task::consume_budget();
                    if (++spent[i] < budget - 2) continue;
                    turns.push_back(i);
                    for (int& n : spent) n = 0;
                }
            };
            co_await weir::join(hungry(0), hungry(1), hungry(2));
            for (std::size_t i = 3; i < turns.size(); ++i) CHECK(turns[i] == (turns[i - 1] + 1) % 3);
        }());
    }

    TEST_CASE_TEMPLATE("a timeout fires around a loop that never waits", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto r = co_await weir::timeout(2ms, consume_for_ever());
            CHECK_FALSE(r.has_value());
        }());
    }
}
