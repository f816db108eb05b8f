// weir/task_tracker.hpp

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/task_tracker.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<int> number_from(weir::oneshot::receiver<int> rx) {
    auto n = co_await rx;
    co_return n.value_or(-1);
}

weir::task<int> number(int n) { co_return n; }

weir::task<> holds_and_waits(counted) {
    for (;;) co_await weir::yield_now();
}

}  // namespace

TEST_SUITE("task_tracker") {
    TEST_CASE_TEMPLATE("wait needs the tracker closed and empty", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::task_tracker tracker;
            CHECK_FALSE(tracker.is_closed());
            CHECK(tracker.empty());
            auto open_and_empty = co_await start(tracker.wait());
            CHECK_WAITS(open_and_empty);
            CHECK(tracker.close());
            CHECK_FALSE(tracker.close());
            CHECK(tracker.is_closed());
            CHECK_COMPLETES(open_and_empty);
            co_await tracker.wait();  // at once
        }());
    }

    TEST_CASE_TEMPLATE("a closed tracker waits for the last task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::task_tracker tracker;
            auto [tx1, rx1] = weir::oneshot::channel<int>();
            auto [tx2, rx2] = weir::oneshot::channel<int>();
            auto a = tracker.spawn(number_from(std::move(rx1)));
            auto b = tracker.spawn(number_from, std::move(rx2));
            CHECK(tracker.size() == 2);
            tracker.close();
            auto w = co_await start(tracker.wait());
            CHECK_WAITS(w);
            CHECK(tx1.send(1).has_value());
            const int first = co_await a;
            CHECK(first == 1);
            CHECK(tracker.size() == 1);
            CHECK_WAITS(w);
            CHECK(tx2.send(2).has_value());
            CHECK_COMPLETES(w);
            const int second = co_await b;
            CHECK(second == 2);
        }());
    }

    TEST_CASE_TEMPLATE("a wait made before it is closed and empty completes, a later one waits",
                       R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::task_tracker tracker;
            auto before = tracker.wait();
            auto waiting = co_await start(tracker.wait());
            auto token = std::make_unique<weir::task_tracker_token>(tracker.token());
            CHECK(tracker.close());
            CHECK_WAITS(waiting);
            token.reset();  // closed and empty
            auto respawned = tracker.token();
            auto after = co_await start(tracker.wait());
            CHECK(tracker.reopen());
            CHECK_FALSE(tracker.reopen());
            CHECK_FALSE(tracker.is_closed());
            co_await std::move(before);
            CHECK_COMPLETES(waiting);
            CHECK_WAITS(after);
            CHECK(tracker.close());
            CHECK_WAITS(after);
            { auto last = std::move(respawned); }
            CHECK_COMPLETES(after);
        }());
    }

    TEST_CASE_TEMPLATE("nothing of a task that has ended stays with the tracker", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            weir::task_tracker tracker;
            auto body = [](counted c) -> weir::task<int> { co_return c.value; };
            for (int i = 0; i < 20; ++i) tracker.spawn(body, counted(l, i)).detach();
            tracker.close();
            co_await tracker.wait();
            CHECK(tracker.size() == 0);
            CHECK(l.live() == 0);  // arguments are destroyed before the count falls
        }());
    }

    TEST_CASE_TEMPLATE("the end of a tracker leaves its tasks alone", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            auto h = [&] {
                weir::task_tracker tracker;
                return tracker.spawn(number_from(std::move(rx)));
            }();
            CHECK(tx.send(3).has_value());
            const int n = co_await h;
            CHECK(n == 3);
        }());
    }

    TEST_CASE_TEMPLATE("aborted and failed tasks count no more", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            weir::task_tracker tracker;
            auto a = tracker.spawn(holds_and_waits(counted(l)));
            auto b = tracker.spawn([]() -> weir::task<> {
                co_await weir::yield_now();
                throw std::runtime_error("an error");
            });
            a.abort();  // before or after it has started
            tracker.close();
            co_await tracker.wait();
            CHECK(l.live() == 0);
            auto r = co_await b.result();
            CHECK_FALSE(r.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("track counts an awaitable of any kind until it is destroyed", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::task_tracker tracker;
            {
                auto op = tracker.track(number(4));
                CHECK(tracker.size() == 1);
                const int n = co_await std::move(op);
                CHECK(n == 4);
                CHECK(tracker.size() == 1);
            }
            CHECK(tracker.empty());
            const int again = co_await tracker.track(number(5));
            CHECK(again == 5);
            auto [tx, rx] = weir::oneshot::channel<int>();
            auto lost = co_await weir::select(tracker.track(rx), weir::yield_now());
            CHECK(lost.index() == 1);
            CHECK(tracker.empty());
            CHECK(tx.send(6).has_value());
            auto kept = co_await tracker.track(rx);  // an lvalue is referred to
            CHECK(kept.value_or(0) == 6);
            co_await tracker.track(std::suspend_never());
            auto race = co_await tracker.track(weir::select(number(7), weir::sleep_for(1h)));
            CHECK(std::get<0>(race) == 7);
            CHECK(tracker.empty());
        }());
    }

    TEST_CASE_TEMPLATE("copies of a tracker and of a token", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::task_tracker tracker;
            const weir::task_tracker same = tracker;
            CHECK(same == tracker);
            CHECK_FALSE(same == weir::task_tracker());
            auto token = tracker.token();
            auto copy = token;
            CHECK(same.size() == 2);
            auto moved = std::move(copy);
            CHECK(same.size() == 2);
            moved = token;
            CHECK(same.size() == 2);
            auto w = co_await start(same.wait());
            tracker.close();
            { auto a = std::move(token); }
            CHECK_WAITS(w);
            { auto b = std::move(moved); }
            CHECK_COMPLETES(w);
        }());
    }

    TEST_CASE_TEMPLATE("many tasks on all workers, and waits that are cancelled", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto ended = std::make_shared<std::atomic<int>>(0);
            weir::task_tracker tracker;
            auto body = [](auto count, int turns) -> weir::task<> {
                for (int i = 0; i < turns; ++i) co_await weir::yield_now();
                count->fetch_add(1);
            };
            for (int i = 0; i < 200; ++i) tracker.spawn(body, ended, i % 7).detach();
            auto lost = co_await weir::select(weir::biased, tracker.wait(), weir::yield_now());
            CHECK(lost.index() == 1);
            tracker.close();
            co_await tracker.wait();
            CHECK(ended->load() == 200);
        }());
    }

    TEST_CASE("a coroutine that is not ours can wait") {
        weir::task_tracker tracker;
        auto token = std::make_unique<weir::task_tracker_token>(tracker.token());
        auto f = start_foreign(tracker.wait());
        tracker.close();
        CHECK_FALSE(f.done());
        token.reset();
        CHECK(f.done());
    }
}
