// weir/runtime.hpp: what a runtime counts.

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <semaphore>
#include <thread>
#include <vector>

#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

using gate = std::counting_semaphore<>;
bool pass(gate& g) { return g.try_acquire_for(20s); }

weir::task<> nothing() { co_return; }

weir::task<> blocks(gate& inside, gate& open) {
    inside.release();
    CHECK(pass(open));
    co_return;
}

struct sums {
    std::uint64_t polls = 0, local = 0, steals = 0, steal_operations = 0, overflows = 0;
};
sums sum_of(const weir::runtime_metrics& m) {
    sums s;
    for (const auto& w : m.workers) {
        s.polls += w.polls;
        s.local += w.local_schedules;
        s.steals += w.steals;
        s.steal_operations += w.steal_operations;
        s.overflows += w.overflows;
    }
    return s;
}

bool all_asleep(const weir::runtime_metrics& m) {
    for (const auto& w : m.workers)
        if (w.park_unpark_count % 2 == 0) return false;
    return true;
}

template <class Pred>
bool comes_true(Pred pred) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!pred() && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    return pred();
}

}  // namespace

TEST_SUITE("metrics") {
    TEST_CASE("a current-thread runtime shows what was spawned and did not run yet") {
        rt_current_thread rt;
        for (int i = 0; i < 10; ++i) rt.spawn(nothing()).detach();
        auto m = rt.metrics();
        CHECK(m.workers.size() == 1);
        CHECK(m.global_queue_depth == 10);
        CHECK(m.alive_tasks == 10);
        CHECK(m.spawned_tasks == 10);
        CHECK(m.remote_schedules == 10);
        CHECK(m.workers[0].polls == 0);
        rt.block_on(nothing());
        rt.block_on(settle());
        m = rt.handle().metrics();
        CHECK(m.global_queue_depth == 0);
        CHECK(m.alive_tasks == 0);
        CHECK(m.spawned_tasks == 12);
        CHECK(m.workers[0].polls >= 12);
    }

    TEST_CASE("while the workers are blocked, tasks from outside wait in the global queue") {
        gate inside(0), open(0);
        rt_multi_thread<2> rt;
        for (int i = 0; i < 2; ++i) rt.spawn(blocks(inside, open)).detach();
        CHECK(pass(inside));
        CHECK(pass(inside));
        std::vector<weir::join_handle<void>> waiting;
        for (int i = 0; i < 10; ++i) waiting.push_back(rt.spawn(nothing()));
        auto m = rt.metrics();
        CHECK(m.workers.size() == 2);
        CHECK(m.global_queue_depth == 10);
        CHECK(m.alive_tasks == 12);
        CHECK(m.spawned_tasks == 12);
        CHECK(m.remote_schedules == 12);
        open.release(2);
        for (auto& h : waiting) rt.block_on(std::move(h));
        CHECK(rt.metrics().global_queue_depth == 0);
    }

    TEST_CASE_TEMPLATE("a task's own spawns and wakes are local, those from threads remote", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([](R& own) -> weir::task<> {
            const auto before = own.metrics();
            auto h = weir::spawn([]() -> weir::task<> {
                auto inner = weir::spawn(nothing());
                co_await inner;
            });
            co_await h;
            const auto between = own.metrics();
            CHECK(between.remote_schedules == before.remote_schedules);
            CHECK(sum_of(between).local >= sum_of(before).local + 2);
            CHECK(between.spawned_tasks == before.spawned_tasks + 2);
            std::vector<weir::join_handle<void>> spawned;
            std::thread([&] {
                for (int i = 0; i < 3; ++i) spawned.push_back(own.spawn(nothing()));
            }).join();
            for (auto& s : spawned) co_await s;
            CHECK(own.metrics().remote_schedules == before.remote_schedules + 3);
        }(rt));
    }

    TEST_CASE_TEMPLATE("yields that the budget forces are counted, others are not", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([](R& own) -> weir::task<> {
            for (int i = 0; i < 10; ++i) co_await weir::yield_now();
            CHECK(own.metrics().budget_forced_yields == 0);
            for (int i = 0; i < 1000; ++i) co_await weir::this_task::consume_budget();
            const auto forced = own.metrics().budget_forced_yields;
            CHECK(forced >= 6);
            CHECK(forced <= 8);
        }(rt));
    }

    TEST_CASE("a full local queue is seen to overflow") {
        rt_multi_thread<1> rt;
        rt.block_on([](rt_multi_thread<1>& own) -> weir::task<> {
            CHECK(sum_of(own.metrics()).overflows == 0);
            std::vector<weir::join_handle<void>> all;
            for (int i = 0; i < 1000; ++i) all.push_back(weir::spawn(nothing()));
            const auto full = own.metrics();
            CHECK(sum_of(full).overflows > 0);
            CHECK(full.workers[0].local_queue_depth + full.global_queue_depth == 1000);
            CHECK(full.alive_tasks == 1001);
            for (auto& h : all) co_await h;
            CHECK(own.metrics().workers[0].local_queue_depth == 0);
        }(rt));
    }

    TEST_CASE("what an idle worker takes from a busy one counts as stolen") {
        gate open(0);
        rt_multi_thread<2> rt;
        rt.block_on([](gate& g) -> weir::task<> {
            // This turn blocks: the other worker alone can run the tasks.
            for (int i = 0; i < 10; ++i)
                weir::spawn([](gate* opened) -> weir::task<> {
                    opened->release();
                    co_return;
                }, &g).detach();
            for (int i = 0; i < 10; ++i) CHECK(pass(g));
            co_return;
        }(open));
        const auto s = sum_of(rt.metrics());
        CHECK(s.steals >= 10);
        CHECK(s.steal_operations >= 1);
        CHECK(s.steal_operations <= s.steals);
    }

    TEST_CASE_TEMPLATE("counts only grow, also while they are read elsewhere", R, WEIR_RUNTIMES) {
        std::atomic<bool> stop{false};
        R rt;
        std::thread reader([&] {
            auto last = rt.metrics();
            while (!stop) {
                const auto now = rt.metrics();
                const sums a = sum_of(last), b = sum_of(now);
                CHECK(a.polls <= b.polls);
                CHECK(a.local <= b.local);
                CHECK(a.steals <= b.steals);
                CHECK(a.overflows <= b.overflows);
                CHECK(last.spawned_tasks <= now.spawned_tasks);
                CHECK(last.remote_schedules <= now.remote_schedules);
                CHECK(last.budget_forced_yields <= now.budget_forced_yields);
                CHECK(now.alive_tasks <= 1001);
                for (std::size_t i = 0; i < now.workers.size(); ++i) {
                    CHECK(last.workers[i].busy_duration <= now.workers[i].busy_duration);
                    CHECK(last.workers[i].park_count <= now.workers[i].park_count);
                    CHECK(last.workers[i].park_unpark_count <= now.workers[i].park_unpark_count);
                }
                last = now;
            }
        });
        for (int round = 0; round < 20; ++round)
            rt.block_on([]() -> weir::task<> {
                std::vector<weir::join_handle<void>> all;
                for (int i = 0; i < 200; ++i) all.push_back(weir::spawn(settle()));
                for (auto& h : all) co_await h;
            }());
        stop = true;
        reader.join();
        const auto m = rt.metrics();
        CHECK(m.spawned_tasks == 20 * 201);
        CHECK(sum_of(m).polls >= 20 * 201);
    }

    TEST_CASE("a sleeping worker is not busy, and sleeps count") {
        rt_multi_thread<2> rt;
        REQUIRE(comes_true([&] { return all_asleep(rt.metrics()); }));
        const auto before = rt.metrics();
        for (int i = 0; i < 10; ++i) std::this_thread::yield();
        const auto after = rt.metrics();
        for (std::size_t i = 0; i < 2; ++i) {
            if (before.workers[i].park_count != after.workers[i].park_count) continue;
            CHECK(before.workers[i].busy_duration == after.workers[i].busy_duration);
            CHECK(after.workers[i].park_count >= 1);
        }
    }

    TEST_CASE("a current-thread runtime is busy while it is driven") {
        rt_current_thread rt;
        CHECK(rt.metrics().workers[0].busy_duration == 0ns);
        rt.block_on([](rt_current_thread& own) -> weir::task<> {
            const auto before = own.metrics().workers[0].busy_duration;
            const auto begin = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() - begin < 1ms) {
            }
            CHECK(own.metrics().workers[0].busy_duration >= before + 1ms);
            const auto parks = own.metrics().workers[0].park_count;
            auto [tx, rx] = weir::oneshot::channel<int>();
            std::thread sender([t = std::move(tx), &own, parks]() mutable {
                CHECK(comes_true([&] { return own.metrics().workers[0].park_count > parks; }));
                CHECK(t.send(1).has_value());
            });
            static_cast<void>(co_await rx);
            sender.join();
        }(rt));
        const auto rest = rt.metrics().workers[0].busy_duration;
        CHECK(rt.metrics().workers[0].busy_duration == rest);
        CHECK(rt.metrics().workers[0].park_unpark_count % 2 == 0);
    }

    TEST_CASE_TEMPLATE("the threads and the queue of blocking functions are visible", R,
                       WEIR_RUNTIMES) {
        weir::runtime_options o;
        o.max_blocking_threads = 2;
        R rt(o);
        gate inside(0), open(0);
        CHECK(rt.metrics().blocking_threads == 0);
        std::vector<weir::join_handle<void>> all;
        for (int i = 0; i < 5; ++i)
            all.push_back(rt.spawn_blocking([&] {
                inside.release();
                CHECK(pass(open));
            }));
        CHECK(pass(inside));
        CHECK(pass(inside));
        auto m = rt.metrics();
        CHECK(m.blocking_threads == 2);
        CHECK(m.idle_blocking_threads == 0);
        CHECK(m.blocking_queue_depth == 3);
        open.release(5);
        for (auto& h : all) rt.block_on(std::move(h));
        CHECK(comes_true([&] { return rt.metrics().idle_blocking_threads == 2; }));
        CHECK(rt.metrics().blocking_queue_depth == 0);
        const auto handle = rt.handle();
        CHECK(rt.shutdown_timeout(20s).complete());
        m = handle.metrics();
        CHECK(m.blocking_threads == 0);
        CHECK(m.idle_blocking_threads == 0);
        CHECK(m.blocking_queue_depth == 0);
        CHECK(m.alive_tasks == 0);
    }
}
