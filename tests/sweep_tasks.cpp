// Every suspension of what is built of tasks, cancelled: joins, races, groups, timers.

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <optional>
#include <utility>
#include <variant>

#include <weir/join.hpp>
#include <weir/join_set.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/task_group.hpp>
#include <weir/task_local.hpp>
#include <weir/task_tracker.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/unconstrained.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/sweep.hpp"
#include "common/sweep_with_permit.hpp"

using namespace std::chrono_literals;
using namespace weir_test;

namespace {

// The handle outlives its wait: what was cancelled can be awaited again.
struct join_handle_await : with_permit {
    weir::task<> victim() {
        handle.emplace(weir::spawn(tracked(3)));
        got = co_await *handle;
    }
    weir::task<> after() {
        if (handle && !got) got = co_await *handle;
        if (handle) CHECK(got->value == 3);
        got.reset();
        co_await with_permit::after();
    }

    std::optional<weir::join_handle<counted>> handle;
    std::optional<counted> got;
};

// The handle is the victim's own: the task that it names goes on and its result is destroyed.
struct join_handle_owned : with_permit {
    weir::task<> victim() {
        auto handle = weir::spawn(tracked(3));
        const counted got = co_await handle;
        CHECK(got.value == 3);
    }
};

struct join_set_next : with_permit {
    weir::task<> victim() {
        weir::join_set<counted> set;
        for (int i = 0; i < 3; ++i) set.spawn(tracked(i));
        int sum = 0;
        while (auto ended = co_await set.join_next()) sum += (*ended)->value;
        CHECK(sum == 3);
    }
};

struct join_set_all : with_permit {
    weir::task<> victim() {
        weir::join_set<counted> set;
        for (int i = 0; i < 3; ++i) set.spawn(tracked(i));
        const auto all = co_await set.join_all();
        CHECK(all.size() == 3);
    }
};

struct join_set_shutdown : with_permit {
    weir::task<> victim() {
        weir::join_set<counted> set;
        for (int i = 0; i < 3; ++i) set.spawn(tracked(i));
        co_await weir::yield_now();
        co_await set.shutdown();
        CHECK(set.empty());
    }
};

struct group_of_branches : with_permit {
    weir::task<> branch(int& sum) {
        co_await hold();
        ++sum;
    }
    weir::task<> victim() {
        int sum = 0;
        weir::task_group group({.max_concurrency = 2});
        for (int i = 0; i < 4; ++i) co_await group.spawn(branch(sum));
        co_await group.join();
        CHECK(sum == 4);
    }
};

struct tracker_wait : with_permit {
    weir::task<> victim() {
        tracker.close();
        co_await tracker.wait();
    }
    weir::task<> beside() {
        auto a = tracker.spawn(hold());
        auto b = tracker.spawn(hold());
        co_await a;
        co_await b;
    }
    weir::task<> after() {
        tracker.close();
        co_await tracker.wait();
        co_await with_permit::after();
    }
    void check() {
        with_permit::check();
        CHECK(tracker.empty());
    }

    weir::task_tracker tracker;
};

struct tracker_track : with_permit {
    weir::task<> victim() { co_await tracker.track(hold()); }
    void check() {
        with_permit::check();
        CHECK(tracker.empty());
    }

    weir::task_tracker tracker;
};

struct join_branches : with_permit {
    weir::task<> victim() {
        auto a = make(1);
        auto b = make(2);
        auto both = co_await weir::join(std::move(a), std::move(b));
        CHECK(std::get<0>(both).value + std::get<1>(both).value == 3);
    }
};

struct try_join_branches : with_permit {
    weir::task<weir::expected<counted, int>> fails() {
        co_await weir::yield_now();
        co_return weir::unexpected(5);
    }
    weir::task<weir::expected<counted, int>> succeeds() { co_return co_await make(1); }
    weir::task<> victim() {
        auto a = succeeds();
        auto b = fails();
        const auto both = co_await weir::try_join(std::move(a), std::move(b));
        if (!both) CHECK(both.error() == 5);
    }
};

struct select_branches : with_permit {
    weir::task<> victim() {
        for (int i = 0; i < 2; ++i) {
            auto a = make(1);
            auto b = make(2);
            const auto first = co_await weir::select(std::move(a), std::move(b));
            CHECK(first.index() <= 1);
        }
    }
};

// The loser of a race for two locks must leave both as they were.
struct select_locks : scenario {
    weir::task<> victim() {
        for (int i = 0; i < 3; ++i) {
            auto either = co_await weir::select(a.lock(), b.lock());
            co_await weir::yield_now();
        }
    }
    weir::task<> use(weir::mutex<int>& m) {
        for (int i = 0; i < 3; ++i) {
            auto guard = co_await m.lock();
            co_await weir::yield_now();
        }
    }
    weir::task<> beside() {
        auto other = weir::spawn(use(a));
        co_await use(b);
        co_await other;
    }
    void check() {
        CHECK(a.try_lock().has_value());
        CHECK(b.try_lock().has_value());
    }

    weir::mutex<int> a{0}, b{0};
};

// Values of two channels: each is taken by the branch that wins, or stays.
struct select_receivers : scenario {
    using ends = std::pair<weir::mpsc::sender<int>, weir::mpsc::receiver<int>>;

    weir::task<> victim() { co_await receive(); }
    weir::task<> receive() {
        while (got < 8) {
            auto either = co_await weir::select(one.second.recv(), two.second.recv());
            const auto& value = either.index() == 0 ? std::get<0>(either) : std::get<1>(either);
            CHECK(value.has_value());
            sum += value.value_or(0);
            ++got;
        }
    }
    static weir::task<> send(weir::mpsc::sender<int>& tx) {
        for (int i = 1; i <= 4; ++i) {
            auto sent = co_await tx.send(i);
            CHECK(sent.has_value());
        }
    }
    weir::task<> beside() {
        auto other = weir::spawn(send(one.first));
        co_await send(two.first);
        co_await other;
    }
    weir::task<> after() { co_await receive(); }
    void check() { CHECK(sum == 20); }

    ends one = weir::mpsc::channel<int>(1), two = weir::mpsc::channel<int>(2);
    int got = 0, sum = 0;
};

struct timeout_of_wait : with_permit {
    weir::task<> victim() {
        for (int i = 0; i < 3; ++i) {
            auto held = hold();
            static_cast<void>(co_await weir::timeout(i * 1ms, std::move(held)));
        }
        auto permit = co_await weir::timeout(1ms, places.acquire());
        co_await weir::yield_now();
    }
    weir::task<> beside() {
        const auto permit = co_await places.acquire();
        co_await weir::sleep_for(2ms);
    }
};

struct sleeps : scenario {
    weir::task<> victim() {
        co_await weir::sleep_for(1ms);
        weir::sleep timer(5ms);
        co_await timer;
        timer.reset(weir::clock::now() + 1ms);
        co_await timer;
    }
    weir::task<> beside() { co_await weir::sleep_for(3ms); }
    void check() {}
};

struct nested_contexts : with_permit {
    static inline weir::task_local<int> local;

    weir::task<> inside() {
        co_await hold();
        CHECK(local.get() == 8);
        co_await hold();
    }
    weir::task<> victim() {
        auto bound = local.scope(8, inside());
        co_await weir::unconstrained(std::move(bound));
    }
};

}  // namespace

TEST_SUITE("cancellation sweep: tasks") {
    TEST_CASE("a join_handle that stays") { sweep<join_handle_await>(3); }
    TEST_CASE("a join_handle of its own") { sweep<join_handle_owned>(3); }
    TEST_CASE("join_set join_next") { sweep<join_set_next>(5); }
    TEST_CASE("join_set join_all") { sweep<join_set_all>(5); }
    TEST_CASE("join_set shutdown") { sweep<join_set_shutdown>(3); }
    TEST_CASE("task_group") { sweep<group_of_branches>(9); }
    TEST_CASE("task_tracker wait") { sweep<tracker_wait>(3); }
    TEST_CASE("task_tracker track") { sweep<tracker_track>(5); }
    TEST_CASE("join") { sweep<join_branches>(7); }
    TEST_CASE("try_join") { sweep<try_join_branches>(3); }
    TEST_CASE("select") { sweep<select_branches>(9); }
    TEST_CASE("select of two locks") { sweep<select_locks>(9); }
    TEST_CASE("select of two receivers") { sweep<select_receivers>(5); }
    TEST_CASE("timeout") { sweep<timeout_of_wait>(5); }
    TEST_CASE("sleep") { sweep<sleeps>(7); }
    TEST_CASE("task_local and unconstrained") { sweep<nested_contexts>(5); }
}
