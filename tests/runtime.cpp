// weir/runtime.hpp: block_on, drop, handles, context, several threads and one runtime.

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<> set(std::atomic<bool>& flag) {
    flag.store(true);
    co_return;
}

weir::task<> holds_and_waits(counted) {
    auto [tx, rx] = weir::oneshot::channel<int>();
    static_cast<void>(co_await rx);  // nobody sends: waits for ever
}

weir::task<int> one() { co_return 1; }
weir::task<int> two() { co_return 2; }

// Which of two ready branches wins, many times.
weir::task<std::string> race_of_ready_branches() {
    std::string winners;
    for (int i = 0; i < 64; ++i) {
        auto v = co_await weir::select(one(), two());
        winners += v.index() == 0 ? 'a' : 'b';
    }
    co_return winners;
}

weir::task<> blocks_inside(bool& refused) {
    try {
        weir::block_on(one());
    } catch (const std::logic_error& e) {
        refused = std::string(e.what()).size() > 10;
    }
    co_return;
}

}  // namespace

TEST_SUITE("current_thread_runtime") {
    TEST_CASE("a spawned task makes no progress until block_on is called") {
        rt_current_thread rt;
        std::atomic<bool> ran{false};
        auto h = rt.spawn(set(ran));
        CHECK_FALSE(ran);
        CHECK_FALSE(h.is_finished());
        rt.block_on(std::move(h));
        CHECK(ran);
    }

    TEST_CASE("a task left over by one block_on goes on in the next") {
        rt_current_thread rt;
        std::atomic<int> steps{0};
        auto h = rt.spawn([](std::atomic<int>& n) -> weir::task<> {
            for (; n < 1000; ++n) co_await weir::yield_now();
        }(steps));
        rt.block_on(settle());
        const int before = steps;
        CHECK(before > 0);
        CHECK(before < 1000);
        rt.block_on(settle());
        CHECK(steps > before);
        rt.block_on(std::move(h));
        CHECK(steps == 1000);
    }

    TEST_CASE("everything runs on the thread inside block_on") {
        rt_current_thread rt;
        auto h = rt.spawn([]() -> weir::task<std::thread::id> {
            co_await weir::yield_now();
            co_return std::this_thread::get_id();
        }());
        CHECK(rt.block_on(std::move(h)) == std::this_thread::get_id());
    }

    TEST_CASE("the same seed gives the same winners of select") {
        auto run = [](std::uint64_t seed) {
            weir::runtime_options o;
            o.rng_seed = seed;
            rt_current_thread rt(o);
            std::string all = rt.block_on(race_of_ready_branches());
            all += rt.block_on(race_of_ready_branches());  // goes on where it was
            return all;
        };
        const std::string first = run(42);
        CHECK(first == run(42));
        CHECK(first != run(43));
        CHECK(first.find('a') != std::string::npos);
        CHECK(first.find('b') != std::string::npos);
    }

    TEST_CASE("two threads in block_on of one runtime both come to their end") {
        rt_current_thread rt;
        auto [tx_a, rx_a] = weir::oneshot::channel<int>();
        auto [tx_b, rx_b] = weir::oneshot::channel<int>();
        std::optional<int> b;
        // The second thread's value is sent by the first one's root and the other way round: only
        // when both are served, whoever drives, does either end.
        std::thread other([&rt, &b, tx = std::move(tx_a), rx = std::move(rx_b)]() mutable {
            b = rt.block_on([](weir::oneshot::sender<int> t,
                               weir::oneshot::receiver<int> r) -> weir::task<std::optional<int>> {
                CHECK(t.send(1).has_value());
                co_return co_await r;
            }(std::move(tx), std::move(rx)));
        });
        const auto a = rt.block_on([](weir::oneshot::sender<int> t,
                                      weir::oneshot::receiver<int> r)
                                       -> weir::task<std::optional<int>> {
            auto got = co_await r;
            CHECK(t.send(2).has_value());
            co_return got;
        }(std::move(tx_b), std::move(rx_a)));
        other.join();
        CHECK(a == 1);
        CHECK(b == 2);
    }
}

TEST_SUITE("runtime") {
    TEST_CASE_TEMPLATE("block_on returns the value of the root", R, WEIR_RUNTIMES) {
        R rt;
        CHECK(rt.block_on(one()) == 1);
        CHECK(rt.block_on(two()) == 2);
    }

    TEST_CASE_TEMPLATE("block_on throws the exception of the root, and goes on working", R,
                       WEIR_RUNTIMES) {
        R rt;
        CHECK_THROWS_AS(rt.block_on([]() -> weir::task<> {
            co_await weir::yield_now();
            throw std::runtime_error("root");
        }()),
                        std::runtime_error);
        CHECK(rt.block_on(one()) == 1);
    }

    TEST_CASE_TEMPLATE("block_on takes any awaitable", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = weir::oneshot::channel<int>();
        CHECK(tx.send(3).has_value());
        const auto value = rt.block_on(std::move(rx));
        CHECK(value == 3);
        rt.block_on(weir::yield_now());
        auto h = rt.spawn(one());
        CHECK(rt.block_on(std::move(h)) == 1);
    }

    TEST_CASE_TEMPLATE("a handle's block_on does what the runtime's does", R, WEIR_RUNTIMES) {
        R rt;
        auto spawned = rt.spawn(two());
        const weir::runtime_handle handle = rt.handle();
        std::thread other([&] {
            CHECK(handle.block_on(one()) == 1);
            CHECK_THROWS_AS(handle.block_on([]() -> weir::task<> {
                co_await weir::sleep_for(1ms);
                throw std::runtime_error("root");
            }()),
                            std::runtime_error);
            CHECK(handle.block_on(std::move(spawned)) == 2);
        });
        other.join();
    }

    TEST_CASE_TEMPLATE("the root of block_on may borrow from the caller", R, WEIR_RUNTIMES) {
        R rt;
        std::vector<int> list;
        rt.block_on([](std::vector<int>& l) -> weir::task<> {
            l.push_back(1);
            co_await weir::yield_now();
            l.push_back(2);
        }(list));
        CHECK(list == std::vector<int>{1, 2});
    }

    TEST_CASE("the free block_on brings its own runtime") {
        CHECK(weir::block_on(one()) == 1);
        const int sum = weir::block_on([]() -> weir::task<int> {
            auto h = weir::spawn(two());
            const int a = co_await h;
            co_return a + 1;
        }());
        CHECK(sum == 3);
    }

    TEST_CASE_TEMPLATE("block_on inside a task is a logic error that says what to do", R,
                       WEIR_RUNTIMES) {
        R rt;
        bool refused = false;
        rt.block_on(blocks_inside(refused));
        CHECK(refused);
        refused = false;
        auto h = rt.spawn(blocks_inside(refused));
        rt.block_on(std::move(h));
        CHECK(refused);
    }

    TEST_CASE_TEMPLATE("dropping the runtime destroys every task once", R, WEIR_RUNTIMES) {
        ledger l;
        {
            R rt;
            for (int i = 0; i < 10; ++i) rt.spawn(holds_and_waits(counted(l))).detach();
            rt.block_on(settle());
            rt.spawn(holds_and_waits(counted(l))).detach();  // may never have run
            CHECK(l.live() == 11);
        }
        CHECK(l.made == 11);
        CHECK(l.dropped == 11);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a dropped task may wake another one that is about to be dropped", R,
                       WEIR_RUNTIMES) {
        ledger l;
        {
            R rt;
            rt.block_on([](ledger& book) -> weir::task<> {
                auto [tx, rx] = weir::oneshot::channel<int>();
                auto [tx2, rx2] = weir::oneshot::channel<int>();
                auto holder = [](weir::oneshot::sender<int>, weir::oneshot::receiver<int> r,
                                 counted) -> weir::task<> { static_cast<void>(co_await r); };
                weir::spawn(holder(std::move(tx), std::move(rx2), counted(book))).detach();
                weir::spawn(holder(std::move(tx2), std::move(rx), counted(book))).detach();
                co_await settle();
            }(l));
            CHECK(l.live() == 2);
        }
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a task that holds a handle of its own runtime is dropped with it", R,
                       WEIR_RUNTIMES) {
        ledger l;
        {
            R rt;
            rt.spawn([](weir::runtime_handle, counted c) -> weir::task<> {
                co_await holds_and_waits(std::move(c));
            }(rt.handle(), counted(l)))
                .detach();
            rt.block_on(settle());
            CHECK(l.live() == 1);
        }
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a far timer does not keep the runtime", R, WEIR_RUNTIMES) {
        R rt;
        rt.spawn(run_operation(weir::sleep_for(24h))).detach();
        rt.block_on(settle());
    }

    TEST_CASE_TEMPLATE("a wake from another thread unparks a runtime that has no timers", R,
                       WEIR_RUNTIMES) {
        R rt;
        for (int i = 0; i < 100; ++i) {
            auto [tx, rx] = weir::oneshot::channel<int>();
            std::thread other([t = std::move(tx), i]() mutable { CHECK(t.send(i).has_value()); });
            const auto value = rt.block_on(std::move(rx));
            other.join();
            CHECK(value == i);
        }
    }

    TEST_CASE_TEMPLATE("a handle spawns from another thread while the runtime is idle", R,
                       WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = weir::oneshot::channel<int>();
        std::thread other([h = rt.handle(), t = std::move(tx)]() mutable {
            h.spawn([](weir::oneshot::sender<int> s) -> weir::task<> {
                 CHECK(s.send(8).has_value());
                 co_return;
             }(std::move(t)))
                .detach();
        });
        const auto value = rt.block_on(std::move(rx));
        other.join();
        CHECK(value == 8);
    }

    TEST_CASE_TEMPLATE("spawning on the handle of a runtime that is gone gives a cancelled task",
                       R, WEIR_RUNTIMES) {
        ledger l;
        std::optional<weir::runtime_handle> handle;
        {
            R rt;
            handle = rt.handle();
        }
        auto h = handle->spawn(holds_and_waits(counted(l)));
        CHECK(l.objects == 0);
        rt_current_thread other;
        auto r = other.block_on(h.result());
        REQUIRE_FALSE(r.has_value());
        CHECK(r.error().is_cancelled());
    }

    TEST_CASE_TEMPLATE("tasks of two runtimes wake each other", R, WEIR_RUNTIMES) {
        R a;
        R b;
        auto [tx1, rx1] = weir::oneshot::channel<int>();
        auto [tx2, rx2] = weir::oneshot::channel<int>();
        std::thread other([&b, t = std::move(tx2), r = std::move(rx1)]() mutable {
            b.block_on([](weir::oneshot::sender<int> s, weir::oneshot::receiver<int> q)
                           -> weir::task<> {
                auto got = co_await q;
                CHECK(s.send(*got + 1).has_value());
            }(std::move(t), std::move(r)));
        });
        const auto value = a.block_on([](weir::oneshot::sender<int> s,
                                         weir::oneshot::receiver<int> q)
                                          -> weir::task<std::optional<int>> {
            CHECK(s.send(1).has_value());
            co_return co_await q;
        }(std::move(tx1), std::move(rx2)));
        other.join();
        CHECK(value == 2);
    }
}

TEST_SUITE("runtime context") {
    TEST_CASE_TEMPLATE("enter gives spawn a context, and leaving takes it away", R,
                       WEIR_RUNTIMES) {
        R rt;
        CHECK_FALSE(weir::runtime_handle::try_current().has_value());
        CHECK_THROWS_AS(static_cast<void>(weir::runtime_handle::current()), std::logic_error);
        std::optional<weir::join_handle<int>> h;
        {
            auto entered = rt.enter();
            CHECK(weir::runtime_handle::current() == rt.handle());
            h = weir::spawn(one());
        }
        CHECK_FALSE(weir::runtime_handle::try_current().has_value());
        CHECK(rt.block_on(std::move(*h)) == 1);
    }

    TEST_CASE_TEMPLATE("nested contexts shadow and restore", R, WEIR_RUNTIMES) {
        R a;
        R b;
        CHECK_FALSE(a.handle() == b.handle());
        auto in_a = a.enter();
        {
            auto in_b = b.enter();
            CHECK(weir::runtime_handle::current() == b.handle());
        }
        CHECK(weir::runtime_handle::current() == a.handle());
    }

    TEST_CASE_TEMPLATE("a task sees the handle of its runtime", R, WEIR_RUNTIMES) {
        R rt;
        auto h = rt.spawn([]() -> weir::task<weir::runtime_handle> {
            co_await weir::yield_now();
            co_return weir::runtime_handle::current();
        }());
        CHECK(rt.block_on(std::move(h)) == rt.handle());
    }
}
