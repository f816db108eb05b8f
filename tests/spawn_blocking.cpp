// weir/spawn.hpp: functions that block, on threads of their own.

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <semaphore>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/join_set.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/test.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

// What a blocked function waits for; generous, so that a test which fails does not hang.
using gate = std::counting_semaphore<>;
bool pass(gate& g) { return g.try_acquire_for(20s); }

weir::runtime_options threads(std::size_t limit) {
    weir::runtime_options o;
    o.max_blocking_threads = limit;
    return o;
}

}  // namespace

TEST_SUITE("spawn_blocking") {
    TEST_CASE_TEMPLATE("the handle yields what the function returns", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto number = weir::spawn_blocking([] { return 42; });
            const int n = co_await number;
            CHECK(n == 42);
            auto nothing = weir::spawn_blocking([] {});
            co_await nothing;
            auto owner = weir::spawn_blocking([p = std::make_unique<int>(7)]() mutable {
                return std::move(p);
            });
            const auto moved = co_await owner;
            CHECK(*moved == 7);
            static int global = 1;
            auto reference = weir::spawn_blocking([]() -> int& { return global; });
            int& r = co_await reference;
            CHECK(&r == &global);
        }());
        auto outside = rt.spawn_blocking([] { return 1; });
        CHECK(rt.block_on(std::move(outside)) == 1);
        auto by_handle = rt.handle().spawn_blocking([] { return 2; });
        CHECK(rt.block_on(std::move(by_handle)) == 2);
    }

    TEST_CASE_TEMPLATE("the handle throws what the function throws", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn_blocking([]() -> int { throw std::runtime_error("no disk"); });
            const auto r = co_await h.result();
            REQUIRE_FALSE(r.has_value());
            CHECK_FALSE(r.error().is_cancelled());
            CHECK(r.error().what().find("no disk") != std::string::npos);
        }());
    }

    TEST_CASE_TEMPLATE("the function runs on another thread, and tasks go on meanwhile", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            gate open(0);
            auto h = weir::spawn_blocking([&open] {
                CHECK(pass(open));
                return std::this_thread::get_id();
            });
            co_await settle();
            CHECK_FALSE(h.is_finished());
            open.release();
            const auto there = co_await h;
            CHECK(there != std::this_thread::get_id());
        }());
    }

    TEST_CASE_TEMPLATE("a sleep driven by the handle's block_on works inside", R, WEIR_RUNTIMES) {
        R rt;
        auto slept = rt.block_on([]() -> weir::task<bool> {
            auto h = weir::spawn_blocking([] {
                const auto begin = std::chrono::steady_clock::now();
                weir::runtime_handle::current().block_on(weir::sleep_for(2ms));
                return std::chrono::steady_clock::now() - begin >= 2ms;
            });
            co_return co_await h;
        }());
        CHECK(slept);
    }

    TEST_CASE_TEMPLATE("inside, spawn and blocking operations work", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            auto [back_tx, back_rx] = weir::mpsc::channel<int>(1);
            auto h = weir::spawn_blocking([r = std::move(rx), t = std::move(back_tx)]() mutable {
                while (auto m = r.blocking_recv()) CHECK(t.blocking_send(*m * 2).has_value());
                weir::spawn([](weir::mpsc::sender<int> s) -> weir::task<> {
                    static_cast<void>(co_await s.send(-1));
                }(std::move(t)))
                    .detach();
            });
            for (int i = 0; i < 100; ++i) {
                const auto sent = co_await tx.send(i);
                CHECK(sent.has_value());
                const auto got = co_await back_rx.recv();
                CHECK(got == 2 * i);
            }
            { auto last = std::move(tx); }
            co_await h;
            const auto from_task = co_await back_rx.recv();
            CHECK(from_task == -1);
        }());
    }

    TEST_CASE_TEMPLATE("the id inside is that of the handle", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn_blocking([] { return weir::this_task::id(); });
            const auto id = h.id();
            const auto inside = co_await h;
            CHECK(inside == id);
        }());
    }

    TEST_CASE_TEMPLATE("an abort before the start prevents it, one after has no effect", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt(threads(1));
        rt.block_on([](ledger& book) -> weir::task<> {
            gate started(0), open(0);
            auto runs = weir::spawn_blocking([&] {
                started.release();
                CHECK(pass(open));
                return 1;
            });
            std::atomic<bool> ran{false};
            auto queued = weir::spawn_blocking([&ran, c = counted(book)] { ran = true; });
            CHECK(pass(started));
            runs.abort();
            queued.abort();
            open.release();
            const int value = co_await runs;
            CHECK(value == 1);
            const auto r = co_await queued.result();
            REQUIRE_FALSE(r.has_value());
            CHECK(r.error().is_cancelled());
            CHECK_FALSE(ran);
            CHECK(book.objects == 0);
        }(l));
    }

    TEST_CASE_TEMPLATE("beyond the limit of threads functions queue, in order", R, WEIR_RUNTIMES) {
        R rt(threads(2));
        rt.block_on([]() -> weir::task<> {
            gate started(0), open(0);
            std::atomic<int> inside{0}, most{0};
            std::vector<weir::join_handle<void>> all;
            for (int i = 0; i < 20; ++i)
                all.push_back(weir::spawn_blocking([&] {
                    const int now = ++inside;
                    for (int m = most; now > m && !most.compare_exchange_weak(m, now);) {
                    }
                    started.release();
                    CHECK(pass(open));
                    --inside;
                }));
            CHECK(pass(started));
            CHECK(pass(started));
            CHECK_FALSE(started.try_acquire());
            open.release(20);
            for (auto& h : all) co_await h;
            CHECK(most == 2);
        }());
    }

    TEST_CASE_TEMPLATE("an idle thread is used again", R, WEIR_RUNTIMES) {
        std::set<std::thread::id> seen;
        R rt;
        for (int i = 0; i < 50; ++i) {
            // Joined from outside: the thread is idle, or about to be, when the next one is spawned.
            auto h = rt.spawn_blocking([] { return std::this_thread::get_id(); });
            seen.insert(rt.block_on(std::move(h)));
        }
        CHECK(seen.size() < 50);
    }

    TEST_CASE_TEMPLATE("a thread that is idle for longer than it is kept ends", R, WEIR_RUNTIMES) {
        weir::runtime_options o;
        gate stopped(0);
        o.thread_keep_alive = 1ms;
        o.on_thread_stop = [&] { stopped.release(); };
        R rt(o);
        for (int i = 0; i < 3; ++i) {
            auto h = rt.spawn_blocking([] {});
            rt.block_on(std::move(h));
            CHECK(pass(stopped));
        }
    }

    TEST_CASE_TEMPLATE("dropping the runtime waits for what has begun and cancels what has not", R,
                       WEIR_RUNTIMES) {
        ledger l;
        gate started(0), open(0);
        std::atomic<bool> first_done{false}, second_ran{false};
        std::optional<weir::join_handle<void>> second;
        std::thread opener;
        {
            R rt(threads(1));
            rt.spawn_blocking([&, c = counted(l)] {
                  started.release();
                  CHECK(pass(open));
                  first_done = true;
              }).detach();
            second = rt.spawn_blocking([&, c = counted(l)] { second_ran = true; });
            CHECK(pass(started));
            // The queued one is cancelled before the running one is waited for.
            opener = std::thread([&] {
                while (!second->is_finished()) std::this_thread::yield();
                open.release();
            });
        }
        CHECK(first_done);
        CHECK_FALSE(second_ran);
        CHECK(l.objects == 0);
        opener.join();
        const auto r = weir::block_on(second->result());
        REQUIRE_FALSE(r.has_value());
        CHECK(r.error().is_cancelled());
    }

    TEST_CASE_TEMPLATE("on the handle of a runtime that is gone the function never runs", R,
                       WEIR_RUNTIMES) {
        std::optional<weir::runtime_handle> handle;
        {
            R rt;
            handle = rt.handle();
        }
        bool ran = false;
        auto h = handle->spawn_blocking([&] { ran = true; });
        CHECK(h.is_finished());
        CHECK_FALSE(weir::block_on(h.result()).has_value());
        CHECK_FALSE(ran);
    }

    TEST_CASE_TEMPLATE("a running function may wait for a task that is dropped", R, WEIR_RUNTIMES) {
        gate started(0);
        std::optional<weir::expected<void, weir::join_error>> outcome;
        {
            R rt;
            auto sleeper = rt.spawn(run_operation(weir::sleep_for(24h)));
            rt.spawn_blocking([&, h = std::move(sleeper), at = rt.handle()]() mutable {
                  started.release();
                  outcome = weir::block_on(h.result());
              }).detach();
            CHECK(pass(started));
        }
        REQUIRE(outcome.has_value());
        CHECK_FALSE(outcome->has_value());
        CHECK(outcome->error().is_cancelled());
    }

    TEST_CASE("outside of a runtime there is nowhere to run") {
        CHECK_THROWS_AS(static_cast<void>(weir::spawn_blocking([] {})), weir::no_runtime_error);
    }

    TEST_CASE("the stopped clock does not jump while a function runs or is queued") {
        weir::runtime_options o = threads(1);
        o.start_paused = true;
        rt_current_thread rt(o);
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            gate open(0);
            auto sleeper = co_await start(weir::sleep_for(1h));
            auto first = weir::spawn_blocking([&] { CHECK(pass(open)); });
            auto second = weir::spawn_blocking([] {});
            // Nothing is ready from here until the functions have run.
            std::thread opener([&] { open.release(); });
            co_await first;
            co_await second;
            CHECK(weir::clock::now() == begin);
            opener.join();
            co_await sleeper.handle;  // now it jumps
            CHECK(weir::clock::now() - begin >= 1h);
        }());
    }

    TEST_CASE("the stopped clock jumps when a detached function has ended") {
        weir::runtime_options o;
        o.start_paused = true;
        rt_current_thread rt(o);
        gate open(0);
        rt.block_on([](gate& g) -> weir::task<> {
            for (int i = 0; i < 100; ++i) {
                weir::spawn_blocking([&] { CHECK(pass(g)); }).detach();
                std::thread opener([&] { g.release(); });
                co_await weir::sleep_for(1h);
                opener.join();
            }
        }(open));
    }

    TEST_CASE("a simulation waits for a function, and its clock stands still meanwhile") {
        weir::test::simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            auto sleeper = weir::spawn(run_operation(weir::sleep_for(1h)));
            gate open(0);
            auto h = weir::spawn_blocking([&] {
                CHECK(pass(open));
                return 1;
            });
            std::thread opener([&] { open.release(); });
            const int value = co_await h;
            opener.join();
            CHECK(value == 1);
            CHECK(weir::clock::now() == begin);
            co_await sleeper;
            CHECK(weir::clock::now() == begin + 1h);
        }());
    }

    TEST_CASE_TEMPLATE("an exception of a detached function is reported with its name", R,
                       WEIR_RUNTIMES) {
        gate detached(0), reported(0);
        std::string name;
        weir::runtime_options o;
        o.on_unhandled = weir::unhandled([&](const weir::unhandled_exception_info& info) {
            name = info.name;
            reported.release();
        });
        R rt(o);
        weir::spawn_options named;
        named.name = "reader";
        rt.spawn_blocking(named, [&] {
              CHECK(pass(detached));
              throw std::runtime_error("lost");
          }).detach();
        detached.release();
        CHECK(pass(reported));
        CHECK(name == "reader");
    }

    TEST_CASE_TEMPLATE("a join_set joins functions like tasks", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            for (int i = 0; i < 10; ++i) set.spawn_blocking([i] { return i; });
            set.spawn([](int n) -> weir::task<int> { co_return n; }, 10);
            int sum = 0;
            while (auto ended = co_await set.join_next()) sum += **ended;
            CHECK(sum == 55);
        }());
    }

    TEST_CASE_TEMPLATE("many functions from many tasks all run once", R, WEIR_RUNTIMES) {
        R rt(threads(8));
        std::atomic<int> ran{0};
        rt.block_on([](std::atomic<int>& n) -> weir::task<> {
            weir::join_set<> set;
            for (int i = 0; i < 50; ++i)
                set.spawn(
                    [](std::atomic<int>* count) -> weir::task<> {
                        for (int k = 0; k < 20; ++k) {
                            auto h = weir::spawn_blocking([count] { ++*count; });
                            co_await h;
                        }
                    },
                    &n);
            co_await set.join_all();
        }(ran));
        CHECK(ran == 1000);
    }
}
