// weir/runtime.hpp: several workers, and what they owe each other.

#include <array>
#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

#include <weir/detail/core/standalone.hpp>
#include <weir/detail/runtime/injection_queue.hpp>
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

// Until every worker sleeps for good: one that gets up by itself would do so within 10 ms. A machine
// that is slower makes the test weaker, not wrong.
template <class R>
bool all_sleep(R& rt) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    auto before = rt.metrics();
    while (std::chrono::steady_clock::now() < give_up) {
        std::this_thread::sleep_for(15ms);
        const auto now = rt.metrics();
        bool all = true;
        for (std::size_t i = 0; i < now.workers.size(); ++i)
            all = all && now.workers[i].park_unpark_count % 2 == 1 &&
                  now.workers[i].park_count == before.workers[i].park_count;
        if (all) return true;
        before = now;
    }
    return false;
}

weir::task<> opens(gate& g) {
    g.release();
    co_return;
}

// Waits in the middle of a turn for what it has spawned last.
weir::task<> waits_for_its_child(gate& done) {
    gate child(0);
    weir::spawn(opens(child)).detach();
    CHECK(pass(child));
    done.release();
    co_return;
}

weir::task<> respawns(std::atomic<bool>& stop, std::atomic<int>& generations) {
    ++generations;
    if (!stop) weir::spawn(respawns(stop, generations)).detach();
    co_return;
}

weir::task<> ping(weir::mpsc::receiver<int> rx, weir::mpsc::sender<int> tx) {
    while (auto m = co_await rx.recv())
        if (const auto sent = co_await tx.send(*m + 1); !sent) co_return;
}

}  // namespace

TEST_SUITE("long turns") {
    TEST_CASE_TEMPLATE("what a worker woken from idleness puts into its slot runs although its turn goes on",
                       R, weir_test::rt_multi_thread<2>, weir_test::rt_multi_thread<3>,
                       weir_test::rt_multi_thread<4>) {
        R rt;
        for (int i = 0; i < 10; ++i) {
            REQUIRE(all_sleep(rt));
            gate done(0);
            rt.spawn(waits_for_its_child(done)).detach();
            REQUIRE(pass(done));
        }
    }

    TEST_CASE("the same for two workers at once, while a third one has them in view") {
        rt_multi_thread<3> rt;
        for (int i = 0; i < 10; ++i) {
            REQUIRE(all_sleep(rt));
            gate done(0);
            for (int k = 0; k < 2; ++k) rt.spawn(waits_for_its_child(done)).detach();
            for (int k = 0; k < 2; ++k) REQUIRE(pass(done));
        }
    }

    TEST_CASE("a worker that got up and found work passes its watch on") {
        rt_multi_thread<3> rt;
        for (int i = 0; i < 10; ++i) {
            REQUIRE(all_sleep(rt));
            gate inside(0), go(0), open(0), done(0);
            // One worker is in a turn, a second one gets into another one that lasts longer; then
            // the first one fills its slot.
            rt.spawn([](gate* in, gate* g, gate* d) -> weir::task<> {
                in->release();
                CHECK(pass(*g));
                co_await waits_for_its_child(*d);
            }, &inside, &go, &done).detach();
            REQUIRE(pass(inside));
            auto longer = rt.spawn([](gate* in, gate* o) -> weir::task<> {
                in->release();
                CHECK(pass(*o));
                co_return;
            }, &inside, &open);
            REQUIRE(pass(inside));
            go.release();
            REQUIRE(pass(done));
            open.release();
            rt.block_on(longer);  // it uses the gates
        }
    }

    TEST_CASE_TEMPLATE("timers fire although a turn goes on", R, weir_test::rt_multi_thread<2>,
                       weir_test::rt_multi_thread<4>) {
        R rt;
        for (int i = 0; i < 5; ++i) {
            REQUIRE(all_sleep(rt));
            gate fired(0);
            auto h = rt.spawn([](gate* g) -> weir::task<> {
                weir::spawn([](gate* f) -> weir::task<> {
                    co_await weir::sleep_for(1ms);
                    f->release();
                }, g).detach();
                CHECK(pass(*g));
                co_return;
            }, &fired);
            rt.block_on(std::move(h));
        }
    }

    TEST_CASE_TEMPLATE("a long turn does not keep tasks that were queued elsewhere", R,
                       weir_test::rt_multi_thread<2>, weir_test::rt_multi_thread<4>) {
        gate inside(0), open(0);
        R rt;
        auto stuck = rt.spawn([](gate* in, gate* g) -> weir::task<> {
            in->release();
            CHECK(pass(*g));
            co_return;
        }, &inside, &open);
        REQUIRE(pass(inside));
        for (int i = 0; i < 200; ++i) {
            auto h = rt.spawn([]() -> weir::task<int> {
                auto inner = weir::spawn([]() -> weir::task<int> { co_return 1; });
                co_return co_await inner;
            });
            CHECK(rt.block_on(std::move(h)) == 1);
        }
        open.release();
        rt.block_on(std::move(stuck));
    }
}

TEST_SUITE("fairness") {
    TEST_CASE("two tasks that wake each other leave a third one its turns") {
        rt_multi_thread<1> rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx_a, rx_a] = weir::mpsc::channel<int>(1);
            auto [tx_b, rx_b] = weir::mpsc::channel<int>(1);
            CHECK(tx_a.try_send(0).has_value());
            auto a = weir::spawn(ping(std::move(rx_a), std::move(tx_b)));
            auto b = weir::spawn(ping(std::move(rx_b), std::move(tx_a)));
            auto third = weir::spawn([]() -> weir::task<> {
                for (int i = 0; i < 5; ++i) co_await weir::yield_now();
            });
            co_await third;
            a.abort();
            b.abort();
            static_cast<void>(co_await a.result());
            static_cast<void>(co_await b.result());
        }());
    }

    TEST_CASE("a task that spawns its successor for ever leaves others their turns") {
        std::atomic<bool> stop{false};
        std::atomic<int> generations{0};
        rt_multi_thread<1> rt;
        rt.block_on([](std::atomic<bool>& s, std::atomic<int>& n) -> weir::task<> {
            weir::spawn(respawns(s, n)).detach();
            for (int i = 0; i < 100; ++i) co_await weir::yield_now();
            auto other = weir::spawn([]() -> weir::task<> { co_await weir::yield_now(); });
            co_await other;
            co_await weir::sleep_for(1ms);
            s = true;
        }(stop, generations));
        CHECK(generations > 10);
    }

    TEST_CASE_TEMPLATE("block_on completes among tasks that are always ready", R, WEIR_RUNTIMES) {
        std::atomic<bool> stop{false};
        R rt;
        for (int i = 0; i < 8; ++i)
            rt.spawn([](std::atomic<bool>* s) -> weir::task<> {
                while (!*s) co_await weir::yield_now();
            }, &stop).detach();
        for (int i = 0; i < 50; ++i) {
            const int value = rt.block_on([]() -> weir::task<int> {
                auto h = weir::spawn([]() -> weir::task<int> {
                    co_await weir::yield_now();
                    co_return 1;
                });
                co_return co_await h;
            }());
            CHECK(value == 1);
        }
        stop = true;
    }
}

TEST_SUITE("many tasks") {
    TEST_CASE("one worker runs a task that sends to the root") {
        rt_multi_thread<1> rt;
        auto [tx, rx] = weir::oneshot::channel<int>();
        rt.spawn([](weir::oneshot::sender<int> t) -> weir::task<> {
            CHECK(t.send(1).has_value());
            co_return;
        }(std::move(tx))).detach();
        const auto value = rt.block_on(std::move(rx));
        CHECK(value == 1);
    }

    TEST_CASE_TEMPLATE("a thousand tasks with a message each, ten times over", R, WEIR_RUNTIMES) {
        for (int round = 0; round < 10; ++round) {
            R rt;
            std::vector<weir::oneshot::receiver<int>> all;
            for (int i = 0; i < 1000; ++i) {
                auto [tx, rx] = weir::oneshot::channel<int>();
                rt.spawn([](weir::oneshot::sender<int> t, int n) -> weir::task<> {
                    CHECK(t.send(n).has_value());
                    co_return;
                }(std::move(tx), i)).detach();
                all.push_back(std::move(rx));
            }
            int sum = 0;
            for (auto& rx : all) sum += rt.block_on(std::move(rx)).value();
            CHECK(sum == 999 * 1000 / 2);
        }
    }

    TEST_CASE_TEMPLATE("two hundred chains pass tokens along", R, WEIR_RUNTIMES) {
        R rt;
        constexpr int chains = 200, links = 20, tokens = 5;
        rt.block_on([]() -> weir::task<> {
            std::vector<weir::join_handle<int>> ends;
            for (int c = 0; c < chains; ++c) {
                auto [first, rx] = weir::mpsc::channel<int>(2);
                auto in = std::move(rx);
                for (int i = 0; i < links; ++i) {
                    auto [tx, next] = weir::mpsc::channel<int>(2);
                    weir::spawn(ping(std::move(in), std::move(tx))).detach();
                    in = std::move(next);
                }
                ends.push_back(weir::spawn([](weir::mpsc::receiver<int> r) -> weir::task<int> {
                    int sum = 0;
                    while (auto m = co_await r.recv()) sum += *m;
                    co_return sum;
                }(std::move(in))));
                weir::spawn([](weir::mpsc::sender<int> t) -> weir::task<> {
                    for (int k = 0; k < tokens; ++k) {
                        const auto sent = co_await t.send(k);
                        CHECK(sent.has_value());
                    }
                }(std::move(first))).detach();
            }
            for (auto& e : ends) {
                const int sum = co_await e;
                CHECK(sum == links * tokens + tokens * (tokens - 1) / 2);
            }
        }());
    }

    TEST_CASE_TEMPLATE("tasks that spawn trees of tasks all end, whoever steals them", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> leaves{0};
        R rt;
        struct tree {
            static weir::task<> grow(int depth, std::atomic<int>& n) {
                if (depth == 0) {
                    ++n;
                    co_return;
                }
                auto left = weir::spawn(grow(depth - 1, n));
                auto right = weir::spawn(grow(depth - 1, n));
                co_await left;
                co_await right;
            }
        };
        rt.block_on(tree::grow(12, leaves));
        CHECK(leaves == 4096);
    }
}

TEST_SUITE("injection queue") {
    TEST_CASE("pushes, chains and pops keep the order; what is not popped stays") {
        using namespace weir::detail;
        injection_queue q;
        std::array<thread_owner, 6> o;
        auto nothing = [] {};
        q.push(o[0], nothing);
        work_queue::chain chain;
        chain.append(o[1]);
        chain.append(o[2]);
        chain.append(o[3]);
        q.push(chain);
        q.push(work_queue::chain());
        q.push(o[4], nothing);
        CHECK(q.size_hint() == 5);
        auto first = q.pop(2);
        CHECK(first.length == 2);
        CHECK(first.first == &o[0]);
        CHECK(first.last == &o[1]);
        q.push(o[5], nothing);
        auto rest = q.pop(100);
        CHECK(rest.length == 4);
        owner* expected = &o[2];
        for (owner* at = rest.first; at != nullptr; at = at->next_owner) {
            CHECK(at == expected);
            expected = static_cast<thread_owner*>(expected) + 1;
        }
        CHECK(q.empty_locked());
        CHECK(q.pop(1).first == nullptr);
        CHECK(q.size_hint() == 0);
    }
}

TEST_SUITE("work queue") {
    TEST_CASE("a chain of thieves loses nothing and doubles nothing") {
        using namespace weir::detail;
        constexpr std::size_t count = 256, thieves = 4;
        std::array<work_queue, thieves + 1> q;
        std::array<thread_owner, count> owners;
        std::array<std::atomic<int>, count> seen{};
        for (int round = 0; round < 50; ++round) {
            std::atomic<std::size_t> taken{0};
            auto take = [&](owner* o) {
                ++seen[static_cast<std::size_t>(static_cast<thread_owner*>(o) - owners.data())];
                ++taken;
            };
            // Each steals from the one before it, and from itself takes what others did not steal.
            std::vector<std::thread> threads;
            for (std::size_t i = 1; i <= thieves; ++i)
                threads.emplace_back([&, i] {
                    while (taken < count) {
                        static_cast<void>(q[i - 1].steal_into(q[i]));
                        for (owner* o = q[i].pop(); o != nullptr; o = q[i].pop()) {
                            take(o);
                            if (i != thieves) std::this_thread::yield();
                        }
                    }
                });
            work_queue::chain overflow;
            for (thread_owner& o : owners) q[0].push(o, overflow);
            CHECK(overflow.first == nullptr);
            for (auto& t : threads) t.join();
            CHECK(taken == count);
            for (auto& n : seen) CHECK(n == round + 1);
            for (auto& each : q) CHECK(each.empty());
        }
    }
}
