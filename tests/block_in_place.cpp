// weir/block_in_place.hpp: blocking in the middle of a task.

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <thread>
#include <vector>

#include <weir/block_in_place.hpp>
#include <weir/mpsc.hpp>
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

weir::task<> opens(gate& g) {
    g.release();
    co_return;
}

}  // namespace

TEST_SUITE("block_in_place") {
    TEST_CASE_TEMPLATE("yields what the function returns and throws what it throws", R,
                       WEIR_PARALLEL_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            const int n = weir::block_in_place([] { return 5; });
            CHECK(n == 5);
            int local = 1;
            int& same = weir::block_in_place([&]() -> int& { return local; });
            CHECK(&same == &local);
            CHECK_THROWS_AS(weir::block_in_place([] { throw std::runtime_error("disk"); }),
                            std::runtime_error);
            co_await weir::yield_now();
        }());
    }

    TEST_CASE_TEMPLATE("other tasks go on while every worker's thread is blocked", R,
                       WEIR_PARALLEL_RUNTIMES) {
        gate open(0);
        std::atomic<int> inside{0}, ran{0};
        R rt;
        std::vector<weir::join_handle<void>> all;
        for (int i = 0; i < 4; ++i)
            all.push_back(rt.spawn([](gate* g, std::atomic<int>* in) -> weir::task<> {
                weir::block_in_place([&] {
                    ++*in;
                    CHECK(pass(*g));
                });
                co_await weir::yield_now();
            }, &open, &inside));
        rt.block_on([](std::atomic<int>& in, std::atomic<int>& n) -> weir::task<> {
            const bool blocked = co_await until([&] { return in == 4; });
            REQUIRE(blocked);
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 1000; ++i)
                tasks.push_back(weir::spawn([](std::atomic<int>* count) -> weir::task<> {
                    co_await weir::yield_now();
                    ++*count;
                }, &n));
            for (auto& t : tasks) co_await t;
        }(inside, ran));
        CHECK(ran == 1000);
        open.release(4);
        for (auto& h : all) rt.block_on(std::move(h));
    }

    TEST_CASE_TEMPLATE("what the task has queued before runs while it is blocked", R,
                       WEIR_PARALLEL_RUNTIMES) {
        // The first goes into the ring, the second into the slot for the next turn.
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 50; ++i) {
                gate open(0);
                auto first = weir::spawn(opens(open));
                auto second = weir::spawn(opens(open));
                weir::block_in_place([&] {
                    CHECK(pass(open));
                    CHECK(pass(open));
                });
                co_await first;
                co_await second;
            }
        }());
    }

    TEST_CASE_TEMPLATE("a task that has yielded runs while another one is blocked", R,
                       WEIR_PARALLEL_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            gate open(0);
            auto yielder = weir::spawn([](gate* g) -> weir::task<> {
                for (int i = 0; i < 100; ++i) co_await weir::yield_now();
                g->release();
            }, &open);
            co_await weir::yield_now();
            weir::block_in_place([&] { CHECK(pass(open)); });
            co_await yielder;
        }());
    }

    TEST_CASE_TEMPLATE("nested calls, and one inside of a blocking function, work", R,
                       WEIR_PARALLEL_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            gate open(0);
            auto other = weir::spawn(opens(open));
            const int n = weir::block_in_place([&] {
                return weir::block_in_place([&] {
                    CHECK(pass(open));
                    return 3;
                });
            });
            CHECK(n == 3);
            co_await other;
            // The worker is gone from here on: a second one in the same turn.
            auto another = weir::spawn(opens(open));
            weir::block_in_place([&] { CHECK(pass(open)); });
            co_await another;
            auto h = weir::spawn_blocking([] { return weir::block_in_place([] { return 4; }); });
            const int four = co_await h;
            CHECK(four == 4);
        }());
    }

    TEST_CASE_TEMPLATE("a task that blocks twice in one turn goes on and wakes others", R,
                       WEIR_PARALLEL_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 20; ++i) {
                gate open(0);
                auto [tx, rx] = weir::oneshot::channel<int>();
                auto receiver = weir::spawn(run_operation(std::move(rx)));
                for (int k = 0; k < 2; ++k) {
                    auto other = weir::spawn(opens(open));
                    weir::block_in_place([&] { CHECK(pass(open)); });
                    std::move(other).detach();
                }
                CHECK(tx.send(i).has_value());
                const auto got = co_await receiver;
                CHECK(got == i);
            }
        }());
    }

    TEST_CASE_TEMPLATE("blocking operations and block_on work inside", R, WEIR_PARALLEL_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            auto sender = weir::spawn([](weir::mpsc::sender<int> t) -> weir::task<> {
                for (int i = 0; i < 10; ++i) {
                    const auto sent = co_await t.send(i);
                    CHECK(sent.has_value());
                }
            }(std::move(tx)));
            const int sum = weir::block_in_place([&] {
                int total = 0;
                while (auto m = rx.blocking_recv()) total += *m;
                weir::runtime_handle::current().block_on(weir::sleep_for(1ms));
                return total + weir::block_on([]() -> weir::task<int> { co_return 1; }());
            });
            CHECK(sum == 46);
            co_await sender;
        }());
    }

    TEST_CASE_TEMPLATE("the id and the context are the task's, inside and after", R,
                       WEIR_PARALLEL_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            const auto id = weir::this_task::id();
            const auto runtime = weir::runtime_handle::current();
            gate open(0);
            auto other = weir::spawn(opens(open));
            weir::block_in_place([&] {
                CHECK(pass(open));
                CHECK(weir::this_task::id() == id);
                CHECK(weir::runtime_handle::current() == runtime);
            });
            CHECK(weir::this_task::id() == id);
            CHECK(weir::runtime_handle::current() == runtime);
            CHECK_THROWS_AS(weir::block_on([]() -> weir::task<> { co_return; }()),
                            weir::blocking_in_async_error);
            co_await other;
            CHECK(weir::this_task::id() == id);
        }());
    }

    TEST_CASE("afterwards the task has a budget as before") {
        rt_multi_thread<1> rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1000);
            for (int i = 0; i < 1000; ++i) CHECK(tx.try_send(i).has_value());
            { auto last = std::move(tx); }
            std::atomic<int> received{0};
            std::atomic<int> seen{-1};
            gate open(0);
            // Lets the blocked task begin only when another thread has the worker.
            auto opener = weir::spawn(opens(open));
            auto drainer = weir::spawn([](weir::mpsc::receiver<int>& r, std::atomic<int>& n,
                                          std::atomic<int>& other, gate& g) -> weir::task<> {
                weir::block_in_place([&] { CHECK(pass(g)); });
                auto observer = weir::spawn([](std::atomic<int>& a, std::atomic<int>& b)
                                                -> weir::task<> {
                    b = a.load();
                    co_return;
                }(n, other));
                while (auto m = co_await r.recv()) ++n;
                co_await observer;
            }(rx, received, seen, open));
            co_await drainer;
            co_await opener;
            CHECK(received == 1000);
            CHECK(seen >= 0);
            CHECK(seen < 1000);
        }());
    }

    TEST_CASE("on a current-thread runtime it is a logic error that says what to do") {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            bool ran = false;
            CHECK_THROWS_AS(weir::block_in_place([&] { ran = true; }),
                            weir::blocking_in_async_error);
            CHECK_FALSE(ran);
            co_return;
        }());
    }

    TEST_CASE("outside of a runtime it is a plain call") {
        const auto here = weir::block_in_place([] { return std::this_thread::get_id(); });
        CHECK(here == std::this_thread::get_id());
    }

    TEST_CASE_TEMPLATE("threads that start also stop, and the blocked ones are waited for", R,
                       WEIR_PARALLEL_RUNTIMES) {
        std::atomic<int> started{0}, stopped{0}, finished{0};
        weir::runtime_options o;
        o.on_thread_start = [&] { ++started; };
        o.on_thread_stop = [&] { ++stopped; };
        {
            gate inside(0);
            R rt(o);
            for (int i = 0; i < 6; ++i)
                rt.spawn([](gate* in, std::atomic<int>* n) -> weir::task<> {
                    weir::block_in_place([&] {
                        in->release();
                        std::this_thread::sleep_for(1ms);
                    });
                    ++*n;
                    co_await weir::yield_now();
                }, &inside, &finished).detach();
            for (int i = 0; i < 6; ++i) CHECK(pass(inside));
        }
        CHECK(finished == 6);
        CHECK(started > 0);
        CHECK(started == stopped);
    }

    TEST_CASE_TEMPLATE("a task that blocks again and again, among others that do not", R,
                       WEIR_PARALLEL_RUNTIMES) {
        std::atomic<int> done{0};
        R rt;
        rt.block_on([](std::atomic<int>& n) -> weir::task<> {
            std::vector<weir::join_handle<void>> all;
            for (int i = 0; i < 8; ++i)
                all.push_back(weir::spawn([](std::atomic<int>* count) -> weir::task<> {
                    for (int k = 0; k < 50; ++k) {
                        weir::block_in_place([] { std::this_thread::yield(); });
                        co_await weir::yield_now();
                        ++*count;
                    }
                }, &n));
            for (auto& h : all) co_await h;
        }(done));
        CHECK(done == 400);
    }
}
