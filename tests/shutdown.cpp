// weir/runtime.hpp: how a runtime ends, and what becomes of what is running then.

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/block_in_place.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

using gate = std::counting_semaphore<>;
bool pass(gate& g) { return g.try_acquire_for(20s); }

weir::task<> waits_for_ever(counted) {
    auto [tx, rx] = weir::oneshot::channel<int>();
    static_cast<void>(co_await rx);
}

weir::task<> fails(std::string text) {
    co_await weir::yield_now();
    throw std::runtime_error(text);
}

// Blocks its thread in the middle of a turn.
weir::task<> stuck(gate& inside, gate& open, counted) {
    inside.release();
    CHECK(pass(open));
    co_await weir::yield_now();
    FAIL_CHECK("a turn began after the end of the runtime");
}

// For what a thread does that nobody can join.
template <class Pred>
bool comes_true(Pred pred) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!pred() && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
    return pred();
}

// What a thread outlives is shared with it.
struct gates {
    gate inside{0}, open{0}, done{0};
};

}  // namespace

TEST_SUITE("shutdown") {
    TEST_CASE_TEMPLATE("with nothing left it is complete, and tasks that wait are destroyed", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.spawn(waits_for_ever(counted(l))).detach();
        rt.spawn(run_operation(weir::sleep_for(24h))).detach();
        rt.block_on(settle());
        const auto report = rt.shutdown_timeout(20s);
        CHECK(report.complete());
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a blocking function that outlives it is named, and goes on", R,
                       WEIR_RUNTIMES) {
        ledger l;
        auto g = std::make_shared<gates>();
        weir::task_id id{};
        {
            R rt;
            weir::spawn_options named{.name = "reader"};
            auto h = rt.spawn_blocking(named, [g, c = counted(l)] {
                g->inside.release();
                CHECK(pass(g->open));
                g->done.release();
            });
            id = h.id();
            CHECK(pass(g->inside));
            const auto begin = std::chrono::steady_clock::now();
            const auto report = rt.shutdown_timeout(0s);
            CHECK(std::chrono::steady_clock::now() - begin < 1s);
            REQUIRE(report.still_running.size() == 1);
            CHECK_FALSE(report.complete());
            CHECK(report.still_running[0].name == "reader");
            CHECK(report.still_running[0].id == id);
            CHECK(report.still_running[0].kind == weir::task_kind::blocking);
            CHECK(std::string(report.still_running[0].site.file_name()).find("shutdown.cpp") !=
                  std::string::npos);
            std::move(h).detach();
        }  // the destructor does not wait either
        CHECK_FALSE(g->done.try_acquire());
        g->open.release();
        CHECK(pass(g->done));
        CHECK(comes_true([&] { return l.objects == 0; }));
    }

    TEST_CASE_TEMPLATE("a blocking function that ends in time is waited for", R, WEIR_RUNTIMES) {
        gate inside(0), open(0);
        std::atomic<bool> done{false};
        R rt;
        auto h = rt.spawn_blocking([&] {
            inside.release();
            CHECK(pass(open));
            done = true;
        });
        CHECK(pass(inside));
        std::thread opener([&] { open.release(); });
        const auto report = rt.shutdown_timeout(20s);
        opener.join();
        CHECK(report.complete());
        CHECK(done);
        CHECK(h.is_finished());
        CHECK(weir::block_on(h.result()).has_value());
    }

    TEST_CASE_TEMPLATE("a task in a long turn is named, and destroyed when the turn ends", R,
                       WEIR_PARALLEL_RUNTIMES) {
        ledger busy, idle;
        gate inside(0), open(0);
        std::optional<weir::join_handle<void>> h;
        {
            R rt;
            weir::spawn_options named{.name = "stuck"};
            rt.spawn(waits_for_ever(counted(idle))).detach();
            rt.block_on(settle());
            {
                auto in = rt.enter();
                h = weir::spawn(named, stuck(inside, open, counted(busy)));
            }
            CHECK(pass(inside));
            const auto report = rt.shutdown_timeout(1ms);
            REQUIRE(report.still_running.size() == 1);
            CHECK(report.still_running[0].name == "stuck");
            CHECK(report.still_running[0].id == h->id());
            CHECK(report.still_running[0].kind == weir::task_kind::task);
            CHECK(idle.objects == 0);  // not kept by the one that is stuck
            CHECK(busy.live() == 1);
        }
        open.release();
        const auto r = weir::block_on(h->result());
        REQUIRE_FALSE(r.has_value());
        CHECK(r.error().is_cancelled());
        CHECK(busy.objects == 0);
    }

    TEST_CASE_TEMPLATE("in the background it returns at once, and everything comes to an end", R,
                       WEIR_RUNTIMES) {
        ledger l;
        auto g = std::make_shared<gates>();
        std::optional<weir::runtime_handle> handle;
        {
            R rt;
            handle = rt.handle();
            for (int i = 0; i < 10; ++i) rt.spawn(waits_for_ever(counted(l))).detach();
            rt.spawn_blocking([g, c = counted(l)] {
                  g->inside.release();
                  CHECK(pass(g->open));
              }).detach();
            CHECK(pass(g->inside));
            rt.shutdown_background();
            auto late = rt.spawn(waits_for_ever(counted(l)));
            CHECK(late.is_finished());
        }
        auto later = handle->spawn_blocking([] { return 1; });
        CHECK(later.is_finished());
        g->open.release();
        CHECK(comes_true([&] { return l.objects == 0; }));
    }

    TEST_CASE_TEMPLATE("a task may shut its own runtime down in the background", R,
                       WEIR_PARALLEL_RUNTIMES) {
        auto rt = std::make_unique<R>();
        auto h = rt->spawn([](R& own) -> weir::task<> {
            own.shutdown_background();
            co_await weir::yield_now();
            FAIL_CHECK("a turn began after the end of the runtime");
        }(*rt));
        const auto r = weir::block_on(h.result());
        REQUIRE_FALSE(r.has_value());
        CHECK(r.error().is_cancelled());
    }

    TEST_CASE("a task of a current-thread runtime may not") {
        rt_current_thread rt;
        rt.block_on([](rt_current_thread& own) -> weir::task<> {
            CHECK_THROWS_AS(own.shutdown_background(), weir::blocking_in_async_error);
            co_return;
        }(rt));
        CHECK(rt.shutdown_timeout(0s).complete());
    }

    TEST_CASE_TEMPLATE("block_on of another thread ends with task_cancelled", R, WEIR_RUNTIMES) {
        ledger l;
        gate inside(0);
        std::atomic<bool> cancelled{false};
        R rt;
        std::thread other([&] {
            try {
                rt.block_on([](gate& in, counted c) -> weir::task<> {
                    in.release();
                    co_await waits_for_ever(std::move(c));
                }(inside, counted(l)));
            } catch (const weir::task_cancelled&) {
                cancelled = true;
            }
        });
        CHECK(pass(inside));
        CHECK(rt.shutdown_timeout(20s).complete());
        other.join();
        CHECK(cancelled);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("dropping a runtime whose blocking function drives it is clean", R,
                       WEIR_RUNTIMES) {
        std::atomic<bool> cancelled{false};
        {
            R rt;
            gate inside(0);
            rt.spawn_blocking([&, h = rt.handle()] {
                  try {
                      h.block_on([](gate& in) -> weir::task<> {
                          in.release();
                          co_await weir::sleep_for(24h);
                      }(inside));
                  } catch (const weir::task_cancelled&) {
                      cancelled = true;
                  }
              }).detach();
            CHECK(pass(inside));
        }
        CHECK(cancelled);
    }

    TEST_CASE_TEMPLATE("tasks that are spawned while it ends run or are dropped", R,
                       WEIR_RUNTIMES) {
        for (int round = 0; round < 50; ++round) {
            ledger l;
            std::atomic<bool> go{false};
            std::thread spawner;
            {
                R rt;
                spawner = std::thread([&go, &l, h = rt.handle()] {
                    while (!go) std::this_thread::yield();
                    for (int i = 0; i < 50; ++i) h.spawn(waits_for_ever(counted(l))).detach();
                });
                go = true;
            }
            spawner.join();
            CHECK(l.objects == 0);
            CHECK(l.made == 50);
        }
    }

    TEST_CASE_TEMPLATE("ten thousand waiting tasks are dropped while another thread wakes them all",
                       R, WEIR_RUNTIMES) {
        ledger l;
        auto event = std::make_shared<weir::notify>();
        std::atomic<bool> stop{false};
        std::thread waker;
        {
            R rt;
            for (int i = 0; i < 10'000; ++i)
                rt.spawn([](std::shared_ptr<weir::notify> e, counted) -> weir::task<> {
                    for (;;) co_await e->notified();
                }(event, counted(l))).detach();
            rt.block_on(settle());
            waker = std::thread([&] {
                while (!stop) event->notify_waiters();
            });
            rt.block_on(settle());
        }
        stop = true;
        waker.join();
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a runtime of a thread-local is destroyed at the thread's end", R,
                       WEIR_RUNTIMES) {
        static ledger l;
        std::thread([] {
            static thread_local std::unique_ptr<R> rt;
            rt = std::make_unique<R>();
            for (int i = 0; i < 10; ++i) rt->spawn(waits_for_ever(counted(l))).detach();
            rt->block_on(settle());
        }).join();
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("every thread that has started has stopped when it is over", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> started{0}, stopped{0};
        weir::runtime_options o;
        o.on_thread_start = [&] { ++started; };
        o.on_thread_stop = [&] { ++stopped; };
        ledger l;
        {
            R rt(o);
            rt.spawn(waits_for_ever(counted(l))).detach();
            auto h = rt.spawn_blocking([] {});
            rt.block_on(std::move(h));
        }
        CHECK(started > 0);
        CHECK(started == stopped);
        CHECK(l.dropped == 1);
    }

    TEST_CASE_TEMPLATE("with unhandled::shutdown every block_on throws the exception", R,
                       WEIR_RUNTIMES) {
        ledger l;
        weir::runtime_options o;
        o.on_unhandled = weir::unhandled::shutdown;
        R rt(o);
        gate inside(0);
        std::atomic<int> thrown{0};
        auto root = [](gate& in, counted) -> weir::task<> {
            in.release();
            for (;;) co_await weir::yield_now();
        };
        std::vector<std::thread> others;
        for (int i = 0; i < 3; ++i)
            others.emplace_back([&] {
                try {
                    rt.block_on(root(inside, counted(l)));
                } catch (const std::runtime_error& e) {
                    if (e.what() == std::string("fatal")) ++thrown;
                }
            });
        for (int i = 0; i < 3; ++i) CHECK(pass(inside));
        rt.spawn(waits_for_ever(counted(l))).detach();
        rt.spawn(fails("fatal")).detach();
        for (auto& t : others) t.join();
        CHECK(thrown == 3);
        CHECK(l.objects == 0);
        auto late = rt.spawn(waits_for_ever(counted(l)));
        CHECK(late.is_finished());
        CHECK_THROWS_AS(rt.block_on(settle()), std::runtime_error);
    }

    TEST_CASE_TEMPLATE("with unhandled::shutdown a blocking function's exception counts", R,
                       WEIR_RUNTIMES) {
        weir::runtime_options o;
        o.on_unhandled = weir::unhandled::shutdown;
        R rt(o);
        CHECK_THROWS_AS(rt.block_on([]() -> weir::task<> {
            gate detached(0);
            weir::spawn_blocking([&] {
                CHECK(pass(detached));
                throw std::runtime_error("fatal");
            }).detach();
            detached.release();
            co_await weir::sleep_for(24h);
        }()),
                        std::runtime_error);
    }
}

TEST_SUITE("current_thread_runtime") {
    TEST_CASE("when the thread that drives leaves, the other one takes over") {
        rt_current_thread rt;
        auto [tx, rx] = weir::oneshot::channel<int>();
        gate waiting(0), left(0);
        std::thread driver, other;
        auto [first_tx, first_rx] = weir::oneshot::channel<int>();
        driver = std::thread([&, r = std::move(first_rx)]() mutable {
            static_cast<void>(rt.block_on(std::move(r)));
            left.release();
        });
        std::optional<int> got;
        other = std::thread([&, r = std::move(rx)]() mutable {
            got = rt.block_on([](weir::oneshot::receiver<int> in, gate& w)
                                  -> weir::task<std::optional<int>> {
                w.release();
                co_return co_await in;
            }(std::move(r), waiting));
        });
        CHECK(pass(waiting));  // both roots run, on whichever thread drives
        CHECK(first_tx.send(1).has_value());
        CHECK(pass(left));
        CHECK(tx.send(2).has_value());
        driver.join();
        other.join();
        CHECK(got == 2);
    }

    TEST_CASE("an exception out of block_on leaves tasks whose destructors wake others") {
        ledger l;
        {
            rt_current_thread rt;
            CHECK_THROWS_AS(rt.block_on([](ledger& book) -> weir::task<> {
                auto [tx, rx] = weir::oneshot::channel<int>();
                weir::spawn([](weir::oneshot::sender<int>, counted c) -> weir::task<> {
                    co_await waits_for_ever(std::move(c));
                }(std::move(tx), counted(book))).detach();
                weir::spawn([](weir::oneshot::receiver<int> r, counted) -> weir::task<> {
                    static_cast<void>(co_await r);
                }(std::move(rx), counted(book))).detach();
                co_await settle();
                throw std::runtime_error("root");
            }(l)),
                            std::runtime_error);
            CHECK(l.live() == 2);
        }
        CHECK(l.objects == 0);
    }
}
