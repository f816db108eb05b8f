// What allocates and what does not. This program replaces operator new, so it stands alone.

#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <memory>
#include <utility>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

#include "common/counting_new.hpp"

using namespace std::chrono_literals;
using weir_test::allocation_count;

namespace {

weir::task<int> number(int n) { co_return n; }

weir::task<> send_all(weir::mpsc::sender<int> tx, int n) {
    for (int i = 0; i < n; ++i) static_cast<void>(co_await tx.send(i));
}

weir::task<> lock_often(weir::mutex<int>& m, int n) {
    for (int i = 0; i < n; ++i) {
        auto g = co_await m.lock();
        co_await weir::yield_now();
        ++*g;
    }
}

weir::task<> acquire_often(weir::semaphore& s, int n) {
    for (int i = 0; i < n; ++i) {
        auto p = co_await s.acquire(2);
        co_await weir::yield_now();
    }
}

weir::task<> wait_often(weir::notify& n, int times) {
    for (int i = 0; i < times; ++i) co_await n.notified();
}

}  // namespace

TEST_SUITE("allocations") {
    TEST_CASE("a oneshot is one allocation, sending and receiving is none") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 3; ++i) {
                const allocation_count all;
                auto [tx, rx] = weir::oneshot::channel<std::uint64_t>();
                CHECK(all.get() <= 1);
                static_cast<void>(tx.send(1));
                auto value = co_await rx;
                CHECK(all.get() <= 1);
                static_cast<void>(value);
            }
        }());
    }

    TEST_CASE("a wait for a oneshot allocates nothing") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            auto h = weir::spawn([](weir::oneshot::sender<int> t) -> weir::task<> {
                co_await weir::yield_now();
                static_cast<void>(t.send(1));
            }(std::move(tx)));
            const allocation_count all;
            auto value = co_await rx;
            CHECK(all.get() == 0);
            static_cast<void>(value);
            co_await h;
        }());
    }

    TEST_CASE("a bounded channel is at most two allocations and small while it is empty") {
        const allocation_count all;
        auto [tx, rx] = weir::mpsc::channel<std::uint64_t>(32);
        CHECK(all.get() <= 2);
        CHECK(all.bytes() <= 512);
        auto copy = tx;
        CHECK(all.get() <= 2);
    }

    TEST_CASE("send and recv on a channel with room allocate nothing") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(32);
            const allocation_count all;
            for (int i = 0; i < 1000; ++i) {
                static_cast<void>(co_await tx.send(i));
                auto permit = co_await tx.reserve();
                std::move(*permit).send(i);
                static_cast<void>(tx.try_send(i));
                auto a = co_await rx.recv();
                auto b = co_await rx.recv();
                auto c = rx.try_recv();
                static_cast<void>(a);
                static_cast<void>(b);
                static_cast<void>(c);
            }
            CHECK(all.get() == 0);
        }());
    }

    TEST_CASE("a send that waits and a recv that waits allocate nothing") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            auto a = weir::spawn(send_all(tx, 1000));
            auto b = weir::spawn(send_all(tx, 1000));
            { auto last = std::move(tx); }
            auto first = co_await rx.recv();
            static_cast<void>(first);
            const allocation_count all;
            int received = 1;
            while (auto m = co_await rx.recv()) ++received;
            CHECK(all.get() == 0);
            CHECK(received == 2000);
            co_await a;
            co_await b;
        }());
    }

    TEST_CASE("spawning a task is at most one allocation, and joining it is none") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            auto warm = weir::spawn(number(0));
            co_await warm;
            for (int i = 0; i < 3; ++i) {
                const allocation_count all;
                auto h = weir::spawn(number(i));
                CHECK(all.get() <= 1);
                const int value = co_await h;
                CHECK(all.get() <= 1);
                CHECK(value == i);
            }
        }());
    }

    TEST_CASE("a thousand tasks at once are a thousand allocations at most, and a queue") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            auto handles = std::make_unique<std::optional<weir::join_handle<int>>[]>(1000);
            const allocation_count all;
            for (int i = 0; i < 1000; ++i) handles[static_cast<std::size_t>(i)] =
                weir::spawn(number(i));
            CHECK(all.get() <= 1000 + 16);  // the run queue grows by doubling
            for (int i = 0; i < 1000; ++i) co_await *handles[static_cast<std::size_t>(i)];
        }());
    }

    TEST_CASE("a mutex allocates nothing, held or free") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            const allocation_count all;
            weir::mutex<int> m(0);
            for (int i = 0; i < 1000; ++i) {
                auto g = co_await m.lock();
                ++*g;
            }
            CHECK(all.get() == 0);
            auto a = weir::spawn(lock_often(m, 100));
            auto b = weir::spawn(lock_often(m, 100));
            const allocation_count waiting;
            co_await a;
            co_await b;
            CHECK(waiting.get() == 0);
            CHECK(m.get_mut() == 1200);
        }());
    }

    TEST_CASE("a semaphore and a notify allocate nothing") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(3);
            weir::notify n;
            auto a = weir::spawn(acquire_often(s, 100));
            auto b = weir::spawn(acquire_often(s, 100));
            auto c = weir::spawn(wait_often(n, 100));
            const allocation_count all;
            while (!c.is_finished()) {
                n.notify_one();
                co_await weir::yield_now();
            }
            co_await a;
            co_await b;
            CHECK(all.get() == 0);
        }());
    }

    TEST_CASE("yield_now and sleep_for allocate nothing") {
        weir::runtime_options o;
        o.start_paused = true;
        weir::current_thread_runtime rt(o);
        rt.block_on([]() -> weir::task<> {
            co_await weir::sleep_for(1ms);
            const allocation_count all;
            for (int i = 0; i < 100; ++i) {
                co_await weir::yield_now();
                co_await weir::sleep_for(5ms);
            }
            CHECK(all.get() == 0);
        }());
    }

    TEST_CASE("select, join and timeout allocate a frame a branch at most") {
        weir::runtime_options o;
        o.start_paused = true;
        weir::current_thread_runtime rt(o);
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(32);
            const allocation_count all;
            for (int i = 0; i < 100; ++i) {
                static_cast<void>(tx.try_send(i));
                auto v = co_await weir::select(rx.recv(), weir::sleep_for(1s));
                CHECK(v.index() == 0);
            }
            CHECK(all.get() <= 200);
            const allocation_count joined;
            for (int i = 0; i < 100; ++i) {
                auto r = co_await weir::join(tx.send(i), rx.recv());
                static_cast<void>(r);
            }
            CHECK(joined.get() <= 200);
            const allocation_count timed;
            for (int i = 0; i < 100; ++i) {
                auto r = co_await weir::timeout(1ms, rx.recv());
                CHECK_FALSE(r.has_value());
            }
            CHECK(timed.get() <= 100);
        }());
    }
}

TEST_SUITE("sizes") {
    TEST_CASE("handles and guards are at most two words") {
        CHECK(sizeof(weir::task<int>) <= 16);
        CHECK(sizeof(weir::join_handle<int>) <= 16);
        CHECK(sizeof(weir::abort_handle) <= 16);
        CHECK(sizeof(weir::runtime_handle) <= 16);
        CHECK(sizeof(weir::mpsc::sender<int>) <= 16);
        CHECK(sizeof(weir::mpsc::receiver<int>) <= 16);
        CHECK(sizeof(weir::mpsc::permit<int>) <= 16);
        CHECK(sizeof(weir::oneshot::sender<int>) <= 16);
        CHECK(sizeof(weir::oneshot::receiver<int>) <= 16);
        weir::mutex<int> m(0);
        CHECK(sizeof(*m.try_lock()) <= 16);
        weir::semaphore s(1);
        CHECK(sizeof(*s.try_acquire()) <= 16);
    }
}
