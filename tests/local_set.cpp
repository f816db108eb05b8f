// weir/local_set.hpp

#include <atomic>
#include <chrono>
#include <doctest/doctest.h>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/local_set.hpp>
#include <weir/mpsc.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"
#include "common/thread_bound.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<> ends_after(int turns, int& ended) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    ++ended;
}

}  // namespace

TEST_SUITE("local_set") {
    TEST_CASE_TEMPLATE("its tasks run on the thread that drives it, whatever wakes them", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> elsewhere{0};
        auto [tx, rx] = weir::mpsc::channel<int>(1);
        R rt;
        weir::local_set set;
        auto use = [&](thread_bound held, weir::mpsc::receiver<int> in) -> weir::task<int> {
            held.use();
            int sum = 0;
            while (auto n = co_await in.recv()) {
                held.use();
                sum += *n;
            }
            co_await weir::sleep_for(1ms);
            held.use();
            co_await weir::spawn([]() -> weir::task<> { co_await weir::yield_now(); });
            held.use();
            co_return sum;
        };
        auto send = [](weir::mpsc::sender<int> out) -> weir::task<> {
            for (int i = 1; i <= 100; ++i) {
                auto sent = co_await out.send(i);
                CHECK(sent.has_value());
            }
        };
        auto sum = set.block_on(
            rt, [](auto& used, auto& sends, auto in, auto out, auto& count) -> weir::task<int> {
                auto h = weir::spawn_local(used, thread_bound(count), std::move(in));
                weir::spawn(sends, std::move(out)).detach();
                co_return co_await h;
            }(use, send, std::move(rx), std::move(tx), elsewhere));
        CHECK(sum == 5050);
        CHECK(elsewhere == 0);
    }

    TEST_CASE_TEMPLATE("a set may be driven by a thread that blocks for a runtime", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> elsewhere{0};
        R rt;
        rt.block_on([](std::atomic<int>& count) -> weir::task<> {
            auto h = weir::spawn_blocking([&count, here = weir::runtime_handle::current()] {
                weir::local_set set;
                auto work = [](thread_bound held) -> weir::task<int> {
                    for (int i = 0; i < 10; ++i) {
                        co_await weir::spawn([]() -> weir::task<> { co_return; });
                        held.use();
                    }
                    co_return 7;
                };
                // A runtime of one thread is driven by that one.
                if (!parallel) return 7;
                return set.block_on(here, work(thread_bound(count)));
            });
            auto n = co_await h;
            CHECK(n == 7);
        }(elsewhere));
        CHECK(elsewhere == 0);
    }

    TEST_CASE_TEMPLATE("spawn_local runs nothing of the task inside the call", R, WEIR_RUNTIMES) {
        R rt;
        weir::local_set set;
        set.block_on(rt, []() -> weir::task<> {
            bool ran = false;
            auto h = weir::spawn_local([&ran]() -> weir::task<> {
                ran = true;
                co_return;
            });
            CHECK_FALSE(ran);
            co_await h;
            CHECK(ran);
        }());
    }

    TEST_CASE_TEMPLATE("spawn_local outside of a set is an error that says what to do", R,
                       WEIR_RUNTIMES) {
        R rt;
        auto fails = []() -> weir::task<bool> {
            try {
                weir::spawn_local([]() -> weir::task<> { co_return; }).detach();
            } catch (const weir::no_local_set_error& e) {
                co_return std::string(e.what()).find("run_until") != std::string::npos;
            }
            co_return false;
        };
        auto in_a_task = rt.block_on(fails());
        CHECK(in_a_task);
        CHECK_THROWS_AS(weir::spawn_local(fails()).detach(), weir::no_local_set_error);

        weir::local_set set;  // its tasks may spawn others, which are outside of it
        auto beside = set.block_on(rt, [](auto& f) -> weir::task<bool> {
            co_return co_await weir::spawn(f);
        }(fails));
        CHECK(beside);
    }

    TEST_CASE("entered, a set is current without being driven") {
        rt_current_thread rt;
        weir::local_set set;
        int ended = 0;
        {
            auto const in = set.enter();
            weir::spawn_local(ends_after(1, ended)).detach();
        }
        CHECK_THROWS_AS(weir::spawn_local(ends_after(1, ended)).detach(), weir::no_local_set_error);
        CHECK(set.size() == 1);
        rt.block_on(settle());
        CHECK(ended == 0);
        rt.block_on(set);
        CHECK(ended == 1);
        CHECK(set.empty());
    }

    TEST_CASE("awaited, a set ends when each of its tasks has") {
        rt_current_thread rt;
        weir::local_set set;
        int ended = 0;
        for (int i = 0; i < 200; ++i) set.spawn_local(ends_after(i % 7, ended)).detach();
        set.spawn_local([](int& n) -> weir::task<> {
            co_await weir::sleep_for(1ms);
            weir::spawn_local(ends_after(3, n)).detach();
        }, std::ref(ended)).detach();
        rt.block_on([](weir::local_set& s, int& n) -> weir::task<> {
            co_await s;
            CHECK(n == 201);
            co_await s;  // there are none
        }(set, ended));
    }

    TEST_CASE("its tasks go on as long as run_until does, and stop with it") {
        rt_current_thread rt;
        weir::local_set set;
        int turns = 0;
        set.spawn_local([](int& n) -> weir::task<> {
            for (;;) {
                ++n;
                co_await weir::yield_now();
            }
        }, std::ref(turns)).detach();
        rt.block_on([](weir::local_set& s, int& n) -> weir::task<> {
            co_await settle();
            CHECK(n == 0);
            auto result = co_await s.run_until([](int& m) -> weir::task<int> {
                auto reached = co_await until([&] { return m > 100; });
                CHECK(reached);
                co_return 5;
            }(n));
            CHECK(result == 5);
            const int stopped_at = n;
            co_await settle();
            CHECK(n == stopped_at);
        }(set, turns));
    }

    TEST_CASE("a run_until that loses a race leaves the tasks where they are") {
        weir::notify go;
        rt_current_thread rt;
        weir::local_set set;
        ledger l;
        int ended = 0;
        set.spawn_local([](weir::notify& n, int& count, counted) -> weir::task<> {
            co_await n.notified();
            ++count;
        }, std::ref(go), std::ref(ended), counted(l)).detach();
        rt.block_on([](weir::local_set& s, weir::notify& n, int& count, ledger& values)
                        -> weir::task<> {
            auto forever = []() -> weir::task<> { co_await std::suspend_always(); };
            for (int i = 0; i < 3; ++i) {
                auto r = co_await weir::select(s.run_until(forever()), settle());
                CHECK(r.index() == 1);
            }
            CHECK(values.live() == 1);
            n.notify_one();
            CHECK(count == 0);
            co_await s;
            CHECK(count == 1);
            CHECK(values.live() == 0);
        }(set, go, ended, l));
    }

    TEST_CASE("several may drive one set, and the others go on when one of them leaves") {
        rt_current_thread rt;
        weir::local_set set;
        rt.block_on([](weir::local_set& s) -> weir::task<> {
            auto work = [](int n) -> weir::task<int> {
                auto inner = weir::spawn_local([](int m) -> weir::task<int> {
                    for (int i = 0; i < 10 * m; ++i) co_await weir::yield_now();
                    co_return m;
                }, n);
                co_return co_await inner;
            };
            auto drive = [](weir::local_set& to_drive, auto w, int n) -> weir::task<int> {
                co_return co_await to_drive.run_until(w(n));
            };
            auto a = weir::spawn(drive, std::ref(s), work, 1);
            auto b = weir::spawn(drive, std::ref(s), work, 2);
            auto empty = weir::spawn([](weir::local_set& t) -> weir::task<> {
                co_await weir::yield_now();
                co_await t;
            }, std::ref(s));
            auto third = co_await s.run_until(work(3));
            CHECK(third == 3);
            auto first = co_await a;
            CHECK(first == 1);
            auto second = co_await b;
            CHECK(second == 2);
            co_await empty;
            CHECK(s.empty());
        }(set));
    }

    TEST_CASE("run_until lives on the budget of its caller") {
        rt_current_thread rt;
        weir::local_set set;
        auto yields_after = [](weir::local_set* s) -> weir::task<int> {
            bool other_ran = false;
            auto other = weir::spawn([](bool& ran) -> weir::task<> {
                ran = true;
                co_return;
            }, std::ref(other_ran));
            for (int i = 0; i < 100; ++i) co_await weir::this_task::consume_budget();
            auto spend = [](bool& ran) -> weir::task<int> {
                int spent = 0;
                while (!ran) {
                    co_await weir::this_task::consume_budget();
                    ++spent;
                }
                co_return spent;
            };
            int spent = 0;
            if (s != nullptr)
                spent = co_await s->run_until(spend(other_ran));
            else
                spent = co_await spend(other_ran);
            co_await other;
            co_return spent;
        };
        auto without = rt.block_on(yields_after(nullptr));
        auto within = rt.block_on(yields_after(&set));
        CHECK(without == 29);
        CHECK(within == without);
    }

    TEST_CASE_TEMPLATE("a hungry task of a set does not keep the others from their turn", R,
                       WEIR_RUNTIMES) {
        std::atomic<bool> seen{false};
        R rt;
        weir::local_set set;
        set.block_on(rt, [](std::atomic<bool>& flag) -> weir::task<> {
            auto hungry = weir::spawn_local([]() -> weir::task<> {
                for (;;) co_await weir::this_task::consume_budget();
            });
            auto outside = weir::spawn([](std::atomic<bool>& f) -> weir::task<> {
                co_await weir::sleep_for(1ms);
                f = true;
            }, std::ref(flag));
            auto reached = co_await until([&] { return flag.load(); });
            CHECK(reached);
            hungry.abort();
            co_await outside;
        }(seen));
    }

    TEST_CASE_TEMPLATE("wakes from many threads while tasks come and go lose none", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> elsewhere{0};
        R rt;
        weir::local_set set;
        int got = 0;
        {
            auto [tx, rx] = weir::mpsc::channel<weir::oneshot::sender<int>>(4);
            std::thread answers([in = std::move(rx)]() mutable {
                while (auto s = in.blocking_recv()) static_cast<void>(s->send(1));
            });
            set.block_on(rt, [](auto out, int& n, std::atomic<int>& count) -> weir::task<> {
                std::vector<weir::join_handle<int>> handles;
                auto ask = [](auto to, thread_bound held) -> weir::task<int> {
                    auto ends = weir::oneshot::channel<int>();
                    auto sent = co_await to.send(std::move(ends.first));
                    CHECK(sent.has_value());
                    auto answer = co_await ends.second;
                    held.use();
                    co_return answer.value_or(0);
                };
                for (int round = 0; round < 20; ++round) {
                    for (int i = 0; i < 50; ++i)
                        handles.push_back(weir::spawn_local(ask, out, thread_bound(count)));
                    for (std::size_t i = 0; i < handles.size(); i += 5) handles[i].abort();
                    for (auto& h : handles) {
                        auto r = co_await h.result();
                        n += r.value_or(0);
                    }
                    handles.clear();
                }
            }(std::move(tx), got, elsewhere));
            answers.join();
        }
        CHECK(got == 800);
        CHECK(elsewhere == 0);
    }

    TEST_CASE("a local_runtime has a set of its own") {
        ledger l;
        int sum = 0;
        {
            weir::local_runtime rt;
            rt.spawn_local([](int& s) -> weir::task<> {
                s += 1;
                weir::spawn_local([](int& t) -> weir::task<> {
                    t += 10;
                    co_return;
                }, std::ref(s)).detach();
                co_return;
            }, std::ref(sum)).detach();
            rt.spawn_local(waits_for_ever(counted(l))).detach();
            auto answer = rt.block_on([]() -> weir::task<int> {
                co_await settle();
                auto h = weir::spawn_local([]() -> weir::task<int> { co_return 5; });
                auto beside = weir::spawn([]() -> weir::task<int> { co_return 6; });
                auto a = co_await h;
                auto b = co_await beside;
                co_return a + b;
            }());
            CHECK(answer == 11);
            CHECK(sum == 11);
            CHECK(l.live() == 1);
        }
        CHECK(l.live() == 0);
    }
}
