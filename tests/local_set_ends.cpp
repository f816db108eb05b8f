// weir/local_set.hpp: how its tasks end, and what is refused.

#include <atomic>
#include <chrono>
#include <coroutine>
#include <doctest/doctest.h>
#include <exception>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include <weir/local_set.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"
#include "common/thread_bound.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

TEST_SUITE("local_set ends") {
    TEST_CASE_TEMPLATE("destroying the set destroys its tasks, whoever holds their handles", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> elsewhere{0};
        ledger l;
        R rt;
        std::promise<weir::join_handle<int>> handed;
        std::thread joiner([&] {
            auto h = handed.get_future().get();
            CHECK_THROWS_AS(weir::block_on(h), weir::task_cancelled);
        });
        {
            weir::local_set set;
            set.block_on(rt, [](auto& to_joiner, auto& count, ledger& values) -> weir::task<> {
                to_joiner.set_value(weir::spawn_local(
                    [](thread_bound, counted) -> weir::task<int> {
                        co_await weir::sleep_for(1h);
                        co_return 1;
                    },
                    thread_bound(count), counted(values)));
                weir::spawn_local(waits_for_ever(counted(values))).detach();
                co_await settle();
                weir::spawn_local(waits_for_ever(counted(values))).detach();  // it does not begin
            }(handed, elsewhere, l));
            CHECK(l.live() == 3);
        }
        CHECK(l.live() == 0);
        joiner.join();
        CHECK(elsewhere == 0);
    }

    TEST_CASE("a set may end after the runtime that has driven it") {
        ledger l;
        weir::local_set set;
        {
            rt_current_thread rt;
            set.block_on(rt, [](ledger& values) -> weir::task<> {
                weir::spawn_local([](counted) -> weir::task<> { co_await weir::sleep_for(1h); },
                                  counted(values))
                    .detach();
                co_await settle();
            }(l));
        }
        CHECK(l.live() == 1);
        rt_current_thread another;
        CHECK_THROWS_AS(another.block_on(set), std::logic_error);
    }

    TEST_CASE_TEMPLATE("an abort from another thread destroys the task on its own one", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> elsewhere{0};
        R rt;
        weir::local_set set;
        set.block_on(rt, [](std::atomic<int>& count) -> weir::task<> {
            for (int i = 0; i < 20; ++i) {
                auto h = weir::spawn_local(
                    [](thread_bound) -> weir::task<> { co_await weir::sleep_for(1h); },
                    thread_bound(count));
                co_await weir::yield_now();
                std::thread aborter([a = h.get_abort_handle()] { a.abort(); });
                auto r = co_await h.result();
                CHECK_FALSE(r.has_value());
                aborter.join();
            }
        }(elsewhere));
        CHECK(elsewhere == 0);
    }

    TEST_CASE_TEMPLATE("an exception is contained, and thrown to who awaits the handle", R,
                       WEIR_RUNTIMES) {
        R rt;
        weir::local_set set;
        auto fails = []() -> weir::task<int> {
            co_await weir::yield_now();
            throw std::runtime_error("of the task");
        };
        CHECK_THROWS_AS(set.block_on(rt, fails()), std::runtime_error);
        set.block_on(rt, [](auto& f) -> weir::task<> {
            auto h = weir::spawn_local(f);
            auto r = co_await h.result();
            CHECK_FALSE(r.has_value());
            CHECK(r.error().what().find("of the task") != std::string::npos);
        }(fails));
    }

    TEST_CASE("one that leaves a detached task goes to the runtime") {
        std::string seen;
        weir::runtime_options options;
        options.on_unhandled = weir::unhandled([&](const weir::unhandled_exception_info& info) {
            try {
                std::rethrow_exception(info.exception);
            } catch (const std::exception& e) {
                seen = e.what();
            }
        });
        rt_current_thread rt(std::move(options));
        weir::local_set set;
        set.spawn_local([]() -> weir::task<> {
            co_await weir::yield_now();
            throw std::runtime_error("nobody asks");
        }).detach();
        rt.block_on(set);
        CHECK(seen == "nobody asks");
    }

    TEST_CASE("a set that is driven on another thread says so") {
        rt_current_thread rt;
        weir::local_set set;
        std::thread other([&] {
            CHECK_THROWS_AS(rt.block_on(set), std::logic_error);
            CHECK_THROWS_AS(set.block_on(rt, settle()), std::logic_error);
            CHECK_THROWS_AS(set.spawn_local(settle()).detach(), std::logic_error);
        });
        other.join();
    }

    TEST_CASE("what would block its thread, or drive it from inside, says so") {
        rt_current_thread rt;
        weir::local_set set;
        set.block_on(rt, [](weir::local_set& s, rt_current_thread& r) -> weir::task<> {
            bool refused = false;
            try {
                co_await s.run_until(settle());
            } catch (const std::logic_error&) {
                refused = true;
            }
            CHECK(refused);
            CHECK_THROWS_AS(s.block_on(weir::runtime_handle::current(), settle()),
                            weir::blocking_in_async_error);
            CHECK_THROWS_AS(r.shutdown_background(), weir::blocking_in_async_error);
        }(set, rt));
    }

    TEST_CASE_TEMPLATE("a task that moves between threads cannot drive a set", R,
                       WEIR_PARALLEL_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::local_set set;
            std::string said;
            try {
                co_await set.run_until(settle());
            } catch (const std::logic_error& e) {
                said = e.what();
            }
            CHECK(said.find("block_on") != std::string::npos);
        }());
    }

    TEST_CASE_TEMPLATE("block_on ends with the runtime, and leaves the other tasks to the set", R,
                       WEIR_PARALLEL_RUNTIMES) {
        ledger l;
        R rt;
        {
            weir::local_set set;
            std::thread ender;
            auto work = [](std::thread& t, R& r, counted of_root) -> weir::task<> {
                weir::spawn_local(waits_for_ever(of_root)).detach();
                co_await settle();
                t = std::thread([&r] { r.shutdown_background(); });
                co_await std::suspend_always();
            };
            CHECK_THROWS_AS(set.block_on(rt, work(ender, rt, counted(l))), weir::task_cancelled);
            ender.join();
            CHECK(l.live() == 1);
            CHECK_THROWS_AS(set.block_on(rt, settle()), weir::task_cancelled);
        }
        CHECK(l.live() == 0);
    }

    TEST_CASE_TEMPLATE("the end of the runtime ends a set that its blocking thread drives", R,
                       WEIR_PARALLEL_RUNTIMES) {
        ledger l;
        std::atomic<bool> begun{false};
        std::optional<weir::join_handle<void>> driving;
        {
            R rt;
            driving = rt.spawn_blocking([&, here = rt.handle()] {
                weir::local_set set;
                set.block_on(here, [](std::atomic<bool>& begins, counted) -> weir::task<> {
                    begins = true;
                    co_await std::suspend_always();
                }(begun, counted(l)));
            });
            while (!begun) std::this_thread::yield();
        }
        CHECK(driving->is_finished());
        CHECK(l.live() == 0);
    }
}
