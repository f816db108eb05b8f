// weir/runtime.hpp: what the options do.

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <doctest/doctest.h>
#include <new>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

using gate = std::counting_semaphore<>;
bool pass(gate& g) { return g.try_acquire_for(20s); }

std::string name_of_this_thread() {
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    return name;
}
weir::task<std::string> thread_name() { co_return name_of_this_thread(); }

class environment {
public:
    explicit environment(const char* value) { ::setenv("WEIR_WORKER_THREADS", value, 1); }
    environment(const environment&) = delete;
    environment& operator=(const environment&) = delete;
    ~environment() { ::unsetenv("WEIR_WORKER_THREADS"); }
};

}  // namespace

TEST_SUITE("runtime_options") {
    TEST_CASE_TEMPLATE("values that make no sense are refused", R, weir::current_thread_runtime,
                       weir::multi_thread_runtime) {
        auto refused = [](auto change) {
            weir::runtime_options o;
            change(o);
            CHECK_THROWS_AS(R{o}, std::invalid_argument);
        };
        refused([](auto& o) { o.max_blocking_threads = 0; });
        refused([](auto& o) { o.thread_keep_alive = -1ns; });
        refused([](auto& o) { o.global_queue_interval = 0; });
        refused([](auto& o) { o.event_interval = 0; });
    }

    TEST_CASE("a clock that starts stopped needs one thread") {
        weir::runtime_options o;
        o.start_paused = true;
        CHECK_THROWS_AS(weir::multi_thread_runtime{o}, std::invalid_argument);
        CHECK_NOTHROW(weir::current_thread_runtime{o});
    }

    TEST_CASE("the environment says how many workers there are, unless the program does") {
        {
            environment const three("3");
            CHECK(weir::multi_thread_runtime().metrics().workers.size() == 3);
            weir::runtime_options o;
            o.worker_threads = 2;
            CHECK(weir::multi_thread_runtime(o).metrics().workers.size() == 2);
        }
        for (const char* text : {"0", "many", "2x", "", "-1"}) {
            environment const wrong(text);
            CHECK_THROWS_AS(weir::multi_thread_runtime(), std::invalid_argument);
        }
        const auto machine = std::max(1u, std::thread::hardware_concurrency());
        CHECK(weir::multi_thread_runtime().metrics().workers.size() == machine);
    }

    TEST_CASE_TEMPLATE("the threads of a runtime bear its name", R, WEIR_RUNTIMES) {
        weir::runtime_options o;
        o.thread_name = "a-name-that-is-too-long";
        R rt(o);
        auto blocking = rt.spawn_blocking([] { return name_of_this_thread(); });
        CHECK(rt.block_on(std::move(blocking)) == "a-name-that-is-");
        auto worker = rt.spawn(thread_name());
        const auto name = rt.block_on(std::move(worker));
        if (parallel) CHECK(name == "a-name-that-is-");
        R plain;
        auto other = plain.spawn_blocking([] { return name_of_this_thread(); });
        CHECK(plain.block_on(std::move(other)) == "weir");
    }

    TEST_CASE_TEMPLATE("threads start and stop in the runtime's context, and may spawn", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> spawned{0}, ran{0}, stopped{0};
        gate done(0);
        weir::runtime_options o;
        o.on_thread_start = [&] {
            ++spawned;
            weir::spawn([](std::atomic<int>* n, gate* g) -> weir::task<> {
                ++*n;
                g->release();
                co_return;
            }, &ran, &done).detach();
        };
        o.on_thread_stop = [&] {
            CHECK(weir::runtime_handle::try_current().has_value());
            ++stopped;
        };
        {
            R rt(o);
            auto h = rt.spawn_blocking([] {});
            rt.block_on(std::move(h));
            rt.block_on(settle());
            CHECK(pass(done));
        }
        CHECK(ran > 0);
        CHECK(spawned == stopped);
    }

    TEST_CASE_TEMPLATE("park and unpark are called around idling, and park may spawn", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> parks{0}, unparks{0}, ran{0};
        gate done(0);
        weir::runtime_options o;
        o.on_thread_park = [&] {
            if (++parks > 20) return;
            weir::spawn([](std::atomic<int>* n, gate* g) -> weir::task<> {
                ++*n;
                g->release();
                co_return;
            }, &ran, &done).detach();
        };
        o.on_thread_unpark = [&] { ++unparks; };
        {
            R rt(o);
            // The root waits for what the callbacks have spawned, with nothing else to run.
            auto [tx, rx] = weir::oneshot::channel<int>();
            std::thread sender([&, t = std::move(tx)]() mutable {
                for (int i = 0; i < 20; ++i) CHECK(pass(done));
                CHECK(t.send(1).has_value());
            });
            const auto value = rt.block_on(std::move(rx));
            CHECK(value == 1);
            sender.join();
        }
        CHECK(ran == 20);
        CHECK(parks >= 20);
        CHECK(unparks == parks);
    }

    TEST_CASE("park is called around the jumps of a stopped clock, and may sleep itself") {
        std::atomic<bool> first{true};
        weir::runtime_options o;
        o.start_paused = true;
        o.on_thread_park = [&] {
            if (first.exchange(false)) weir::spawn(run_operation(weir::sleep_for(1h))).detach();
        };
        rt_current_thread rt(o);
        rt.block_on([]() -> weir::task<> { co_await weir::sleep_for(2h); }());
        CHECK(rt.metrics().alive_tasks == 0);
    }

    TEST_CASE_TEMPLATE("intervals of one work", R, WEIR_RUNTIMES) {
        weir::runtime_options o;
        o.global_queue_interval = 1;
        o.event_interval = 1;
        R rt(o);
        rt.block_on([]() -> weir::task<> {
            std::vector<weir::join_handle<void>> all;
            for (int i = 0; i < 100; ++i) all.push_back(weir::spawn(settle()));
            co_await weir::sleep_for(1ms);
            for (auto& h : all) co_await h;
        }());
    }

    TEST_CASE("the global queue has its turn although the local one never drains") {
        weir::runtime_options o;
        o.global_queue_interval = 7;
        rt_current_thread rt(o);
        rt.block_on([](rt_current_thread& own) -> weir::task<> {
            for (int round = 0; round < 10; ++round) {
                std::optional<weir::join_handle<void>> h;
                std::thread([&] { h = own.spawn([]() -> weir::task<> { co_return; }()); }).join();
                int turns = 0;
                for (; !h->is_finished() && turns < 100; ++turns) co_await weir::yield_now();
                CHECK(turns <= 8);
            }
        }(rt));
    }
}

TEST_SUITE("runtime context") {
    TEST_CASE_TEMPLATE("a guard that ends out of order says so, and changes nothing", R,
                       WEIR_RUNTIMES) {
        R a, b;
        // Placed by hand, since no scope ends its guards in the wrong order.
        alignas(weir::enter_guard) std::byte room[2][sizeof(weir::enter_guard)];
        auto* const in_a = ::new (room[0]) weir::enter_guard(a.enter());
        auto* const in_b = ::new (room[1]) weir::enter_guard(b.enter());
        CHECK_THROWS_AS(in_a->~enter_guard(), std::logic_error);
        CHECK(weir::runtime_handle::current() == b.handle());
        in_b->~enter_guard();
        CHECK(weir::runtime_handle::current() == a.handle());
        in_a->~enter_guard();
        CHECK_FALSE(weir::runtime_handle::try_current().has_value());
    }
}
