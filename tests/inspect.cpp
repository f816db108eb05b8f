// weir/inspect.hpp: what a dump says of tasks that wait.

#include <atomic>
#include <chrono>
#include <csignal>
#include <doctest/doctest.h>
#include <memory>
#include <semaphore>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <weir/inspect.hpp>
#include <weir/join.hpp>
#include <weir/join_set.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/rwlock.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/task_local.hpp>
#include <weir/test.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

const weir::task_info* named(const weir::runtime_dump& d, const std::string& name) {
    for (const weir::task_info& t : d.tasks)
        if (t.name == name) return &t;
    return nullptr;
}

// Dumps until the tasks are as a test wants them; the last dump in any case.
template <class R, class Pred>
weir::runtime_dump dump_when(R& rt, Pred pred) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    for (;;) {
        weir::runtime_dump d = rt.dump();
        if (pred(d) || std::chrono::steady_clock::now() > give_up) return d;
        std::this_thread::yield();
    }
}
template <class R>
weir::runtime_dump dump_when_waiting(R& rt, std::size_t tasks) {
    return dump_when(rt, [&](const weir::runtime_dump& d) {
        std::size_t n = 0;
        for (const weir::task_info& t : d.tasks) n += t.state == weir::task_state::waiting;
        return n == tasks;
    });
}

// Runs what was spawned until everything waits. Several threads run without being asked to.
void run_ready(weir::current_thread_runtime& rt) { rt.block_on(settle()); }
template <std::size_t N>
void run_ready(rt_multi_thread<N>&) {}

template <class R>
auto spawn_named(R& rt, const char* name, weir::task<> t) {
    weir::spawn_options options;
    options.name = name;
    auto const in = rt.enter();
    return weir::spawn(options, std::move(t));
}

constexpr unsigned recv_line = __LINE__ + 2;
weir::task<int> receives(weir::mpsc::receiver<int>& rx) {
    const auto v = co_await rx.recv();
    co_return v.value_or(0);
}
constexpr unsigned call_line = __LINE__ + 2;
weir::task<> calls(weir::mpsc::receiver<int> rx) {
    const int n = co_await receives(rx);
    CHECK(n == 0);
}
weir::task<> spawns_and_joins(weir::mpsc::receiver<int> rx) {
    auto h = weir::spawn(calls(std::move(rx)));
    co_await h;
}

constexpr unsigned second_lock_line = __LINE__ + 8;
// Two of these lock two mutexes in opposite orders.
weir::task<> locks_both(weir::mutex<>& first, weir::mutex<>& second, std::atomic<int>& holding) {
    auto one = co_await first.lock();
    ++holding;
    const bool both = co_await until([&] { return holding == 2; });
    CHECK(both);

    auto two = co_await second.lock();
    FAIL("it cannot have both");
}

weir::task<> reads_twice(weir::rwlock<int>& l, std::atomic<int>& step) {
    auto one = co_await l.read();
    step = 1;
    const bool queued = co_await until([&] { return step == 2; });
    CHECK(queued);
    auto two = co_await l.read();
}
weir::task<> writes(weir::rwlock<int>& l, std::atomic<int>& step) {
    const bool read = co_await until([&] { return step == 1; });
    CHECK(read);
    auto write = l.write();
    step = 2;  // on one thread it is queued before the other goes on; several may take turns
    auto guard = co_await std::move(write);
}

}  // namespace

TEST_SUITE("inspect") {
    TEST_CASE_TEMPLATE("a task that waits is shown with every co_await on the way", R,
                       WEIR_RUNTIMES) {
        auto [tx, rx] = weir::mpsc::channel<int>(4);
        R rt;
        auto h = spawn_named(rt, "parent", spawns_and_joins(std::move(rx)));
        run_ready(rt);
        const weir::runtime_dump d = dump_when_waiting(rt, 2);
        INFO(d.to_string());
        REQUIRE(d.complete);
        REQUIRE(d.tasks.size() == 2);
        const weir::task_info* const parent = named(d, "parent");
        REQUIRE(parent != nullptr);
        const weir::task_info& child = d.tasks[parent == &d.tasks[0] ? 1 : 0];
        CHECK(parent->id == h.id());
        CHECK_FALSE(parent->spawned_by);
        CHECK(parent->resumes >= 1);
        REQUIRE(parent->waits.size() == 1);
        CHECK(contains(parent->waits[0].what, "join_handle of task"));

        CHECK(child.spawned_by == parent->id);
        CHECK(child.joined_by == parent->id);
        CHECK(std::string(child.spawned_at.file_name()) == __FILE__);
        REQUIRE(child.waits.size() == 2);
        CHECK(child.waits[0].site.line() == call_line);
        CHECK(child.waits[0].depth == 0);
        CHECK(child.waits[1].site.line() == recv_line);
        CHECK(child.waits[1].what == "mpsc::recv, 1 sender alive");
        CHECK(child.waits[1].depth == 1);
        CHECK(child.resumes == 1);

        REQUIRE(d.channels.size() == 1);
        CHECK(d.channels[0].kind == "mpsc");
        CHECK(d.channels[0].capacity == 4);
        CHECK(d.channels[0].senders == 1);
        CHECK(d.channels[0].waiting_receivers == 1);
        CHECK(d.deadlocks.empty());
        {
            const auto last = std::move(tx);
        }
        rt.block_on(std::move(h));
        CHECK(rt.dump().tasks.empty());
    }

    TEST_CASE_TEMPLATE("two tasks that wait for each other's mutex are a deadlock", R,
                       WEIR_RUNTIMES) {
        weir::mutex<> a, b;
        std::atomic<int> holding = 0;
        R rt;
        auto left = spawn_named(rt, "left", locks_both(a, b, holding));
        auto right = spawn_named(rt, "right", locks_both(b, a, holding));
        run_ready(rt);
        const weir::runtime_dump d =
            dump_when(rt, [](const weir::runtime_dump& seen) { return !seen.deadlocks.empty(); });
        const std::string text = d.to_string();
        INFO(text);
        REQUIRE(d.deadlocks.size() == 1);
        const auto& cycle = d.deadlocks[0];
        REQUIRE(cycle.size() == 2);
        CHECK(cycle[0].waits_for == cycle[1].task);
        CHECK(cycle[1].waits_for == cycle[0].task);
        for (const weir::wait_edge& e : cycle) CHECK(e.site.line() == second_lock_line);
        const weir::task_info* const first = d.find(left.id());
        REQUIRE(first != nullptr);
        REQUIRE(first->waits.size() == 1);
        CHECK(first->waits[0].what ==
              "mutex::lock, held by task " + std::to_string(static_cast<std::uint64_t>(right.id())) +
                  " \"right\", 1 waiting");
        REQUIRE(d.locks.size() == 2);
        for (const weir::lock_info& l : d.locks) {
            CHECK(l.kind == "mutex");
            CHECK(l.writing);
            CHECK(l.holder == (l.address == &b ? right.id() : left.id()));
            REQUIRE(l.waiters.size() == 1);
            CHECK(l.waiters[0] == (l.address == &b ? left.id() : right.id()));
        }
        CHECK(contains(text, "deadlock: 2 tasks for each other"));
        left.abort();
        right.abort();
    }

    TEST_CASE_TEMPLATE("a lock that a task wants a second time is a deadlock of one", R,
                       WEIR_RUNTIMES) {
        weir::mutex<int> m(0);
        R rt;
        auto h = spawn_named(rt, "again", [](weir::mutex<int>& l) -> weir::task<> {
            auto one = l.try_lock();
            auto two = co_await l.lock();
        }(m));
        run_ready(rt);
        const auto d = dump_when_waiting(rt, 1);
        INFO(d.to_string());
        REQUIRE(d.deadlocks.size() == 1);
        REQUIRE(d.deadlocks[0].size() == 1);
        CHECK(d.deadlocks[0][0].task == h.id());
        CHECK(d.deadlocks[0][0].waits_for == h.id());
        h.abort();
    }

    TEST_CASE_TEMPLATE("a reader that reads again behind a writer is a deadlock", R,
                       WEIR_ORDERED_RUNTIMES) {
        weir::rwlock<int> l(0);
        std::atomic<int> step = 0;
        R rt;
        auto reader = spawn_named(rt, "reader", reads_twice(l, step));
        auto writer = spawn_named(rt, "writer", writes(l, step));
        run_ready(rt);
        const auto d = rt.dump();
        INFO(d.to_string());
        REQUIRE(!d.deadlocks.empty());
        REQUIRE(d.deadlocks[0].size() == 1);
        CHECK(d.deadlocks[0][0].task == reader.id());
        CHECK(contains(d.deadlocks[0][0].what, "rwlock::read, held by task"));
        REQUIRE(d.locks.size() == 1);
        CHECK(d.locks[0].readers == 1);
        CHECK(d.locks[0].waiters.size() == 2);
        reader.abort();
        writer.abort();
    }

    TEST_CASE_TEMPLATE("a wait that something else can end is no part of a deadlock", R,
                       WEIR_RUNTIMES) {
        weir::mutex<> m;
        R rt;
        auto h = spawn_named(rt, "patient", [](weir::mutex<>& l) -> weir::task<> {
            auto one = co_await l.lock();
            const auto r = co_await weir::timeout(1h, l.lock());
            CHECK_FALSE(r);
        }(m));
        run_ready(rt);
        const auto d = dump_when_waiting(rt, 1);
        INFO(d.to_string());
        CHECK(d.deadlocks.empty());
        REQUIRE(d.tasks.size() == 1);
        REQUIRE(d.tasks[0].waits.size() == 3);
        CHECK(d.tasks[0].waits[0].what == "select of");
        CHECK(contains(d.tasks[0].waits[1].what, "mutex::lock, held by task"));
        CHECK(d.tasks[0].waits[1].depth == 1);
        CHECK(contains(d.tasks[0].waits[2].what, "sleep, 3"));
        h.abort();
    }

    TEST_CASE_TEMPLATE("all branches of a join must end, so that one of them can be a deadlock", R,
                       WEIR_RUNTIMES) {
        weir::mutex<> m;
        weir::notify n;
        R rt;
        auto h = spawn_named(rt, "joins", [](weir::mutex<>& l, weir::notify& other) -> weir::task<> {
            auto one = co_await l.lock();
            co_await weir::join(other.notified(), [](weir::mutex<>& same) -> weir::task<> {
                auto two = co_await same.lock();
            }(l));
        }(m, n));
        run_ready(rt);
        const auto d = dump_when_waiting(rt, 1);
        INFO(d.to_string());
        REQUIRE(d.deadlocks.size() == 1);
        CHECK(d.tasks.at(0).waits.size() == 3);
        h.abort();
    }

    TEST_CASE_TEMPLATE("a lock taken inside of a task_local scope is the task's", R, WEIR_RUNTIMES) {
        static weir::task_local<int> local;
        weir::mutex<> m;
        R rt;
        auto h = spawn_named(rt, "scoped", [](weir::mutex<>& l) -> weir::task<> {
            auto one = co_await l.lock();
            co_await local.scope(1, [](weir::mutex<>& same) -> weir::task<> {
                auto two = co_await same.lock();
            }(l));
        }(m));
        run_ready(rt);
        const auto d = dump_when_waiting(rt, 1);
        INFO(d.to_string());
        CHECK(d.deadlocks.size() == 1);
        REQUIRE(d.locks.size() == 1);
        REQUIRE(d.locks[0].waiters.size() == 1);
        CHECK(d.locks[0].waiters[0] == h.id());
        h.abort();
    }

    TEST_CASE_TEMPLATE("a task shows itself as running", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([](R& r) -> weir::task<> {
            const auto d = r.dump();
            const weir::task_info* const self = d.find(weir::this_task::id());
            REQUIRE(self != nullptr);
            CHECK(self->state == weir::task_state::running);
            CHECK(self->waits.empty());
            co_return;
        }(rt));
    }

    TEST_CASE_TEMPLATE("a blocking function is listed as such", R, WEIR_RUNTIMES) {
        std::counting_semaphore<> inside(0), open(0);
        R rt;
        weir::spawn_options options;
        options.name = "blocks";
        auto h = rt.spawn_blocking(options, [&] {
            inside.release();
            open.acquire();
        });
        inside.acquire();
        const auto d = rt.dump();
        open.release();
        const weir::task_info* const t = named(d, "blocks");
        REQUIRE(t != nullptr);
        CHECK(t->kind == weir::task_kind::blocking);
        CHECK(t->state == weir::task_state::running);
        rt.block_on(std::move(h));
    }

    TEST_CASE_TEMPLATE("a thread that drives the runtime answers one that asks for a dump", R,
                       WEIR_RUNTIMES) {
        weir::notify n;
        R rt;
        std::atomic<bool> up = false;
        std::thread driver([&] {
            rt.block_on([](weir::notify& wake, std::atomic<bool>& started) -> weir::task<> {
                started = true;
                co_await wake.notified();
            }(n, up));
        });
        const auto d = dump_when_waiting(rt, 1);
        n.notify_one();
        driver.join();
        REQUIRE(d.tasks.size() == 1);
        REQUIRE(d.tasks[0].waits.size() == 1);
        CHECK(d.tasks[0].waits[0].what == "notify::notified");
    }

    TEST_CASE_TEMPLATE("a dump while every task runs loses no wake", R, WEIR_RUNTIMES) {
        static constexpr int rounds = 2000;
        R rt;
        std::atomic<bool> done = false;
        std::size_t dumps = 0;
        std::thread looks([&] {
            while (!done) {
                dumps += rt.dump().tasks.size() < 1000;
                std::this_thread::yield();
            }
        });
        rt.block_on([]() -> weir::task<> {
            weir::join_set<> pairs;
            for (int i = 0; i < 4; ++i) {
                auto [tx, rx] = weir::mpsc::channel<int>(1);
                pairs.spawn([](weir::mpsc::sender<int> to) -> weir::task<> {
                    for (int k = 0; k < rounds; ++k) {
                        auto sent = co_await to.send(k);
                        CHECK(sent.has_value());
                    }
                }(std::move(tx)));
                pairs.spawn([](weir::mpsc::receiver<int> from) -> weir::task<> {
                    int expected = 0;
                    for (;;) {
                        const auto v = co_await weir::timeout(1h, from.recv());
                        if (!v.has_value() || !v->has_value()) break;
                        CHECK(**v == expected++);
                    }
                    CHECK(expected == rounds);
                }(std::move(rx)));
            }
            for (;;) {
                auto ended = co_await pairs.join_next();
                if (!ended) break;
                CHECK(ended->has_value());
            }
        }());
        done = true;
        looks.join();
        MESSAGE("dumps: ", dumps);
    }

    TEST_CASE_TEMPLATE("a turn that does not end leaves the dump incomplete", R,
                       WEIR_ORDERED_RUNTIMES) {
        std::counting_semaphore<> inside(0), open(0);
        R rt;
        std::thread driver([&] {
            rt.block_on([](auto& in, auto& out) -> weir::task<> {
                in.release();
                out.acquire();
                co_return;
            }(inside, open));
        });
        inside.acquire();
        const auto d = rt.dump();
        CHECK_FALSE(d.complete);
        CHECK(contains(d.to_string(), "in one turn for too long"));
        open.release();
        driver.join();
        CHECK(rt.dump().complete);
    }

    TEST_CASE_TEMPLATE("JSON escapes what a name may hold", R, WEIR_RUNTIMES) {
        weir::notify n;
        R rt;
        auto h = spawn_named(rt, "a \"b\"\\\n", [](weir::notify& w) -> weir::task<> {
            co_await w.notified();
        }(n));
        run_ready(rt);
        const auto json = dump_when_waiting(rt, 1).to_json();
        CHECK(contains(json, "\"name\":\"a \\\"b\\\"\\\\\\u000a\""));
        CHECK(contains(json, "\"what\":\"notify::notified\""));
        std::ostringstream out;
        out << rt.dump();
        CHECK(contains(out.str(), "notify::notified"));
        h.abort();
    }

    TEST_CASE_TEMPLATE("a signal makes a dump while the runtime runs", R, WEIR_RUNTIMES) {
        weir::notify n;
        std::counting_semaphore<> seen(0);
        std::string text;
        R rt;
        auto h = spawn_named(rt, "idle", [](weir::notify& w) -> weir::task<> {
            co_await w.notified();
        }(n));
        run_ready(rt);
        static_cast<void>(dump_when_waiting(rt, 1));
        {
            weir::dump_on_signal const on_signal(rt.handle(), SIGUSR1,
                                                 [&](const weir::runtime_dump& d) {
                                                     text = d.to_string();
                                                     seen.release();
                                                 });
            std::raise(SIGUSR1);
            CHECK(seen.try_acquire_for(20s));
        }
        CHECK(contains(text, "\"idle\""));
        h.abort();
    }

    TEST_CASE("a simulation's deadlock_error holds the dump") {
        weir::test::simulation sim(1);
        std::string what;
        try {
            sim.block_on([]() -> weir::task<> {
                weir::mutex<> m;
                co_await weir::sleep_for(3s);
                auto one = co_await m.lock();
                auto two = co_await m.lock();
            }());
        } catch (const weir::test::deadlock_error& e) {
            what = e.what();
        }
        INFO(what);
        CHECK(contains(what, "deadlock: 1 task for each other"));
        CHECK(contains(what, std::string(__FILE__) + ":"));
        CHECK(contains(what, "mutex::lock, held by task 1"));
    }

    TEST_CASE("a simulation measures waits in virtual time") {
        weir::notify n;
        weir::test::simulation sim(1);
        const unsigned line = __LINE__ + 1;
        auto h = sim.spawn([](weir::notify& w) -> weir::task<> { co_await w.notified(); }(n));
        sim.run_until_idle();
        sim.advance(2500ms);
        const auto d = sim.dump();
        REQUIRE(d.tasks.size() == 1);
        CHECK(d.tasks[0].spawned_at.line() == line);
        CHECK(d.tasks[0].idle_for >= 2499ms);
        CHECK(d.tasks[0].idle_for <= 2500ms);
        h.abort();
        sim.run_until_idle();
    }

    TEST_CASE_TEMPLATE("a chain of any depth is shown, its middle left out", R, WEIR_RUNTIMES) {
        struct nest {
            static weir::task<> down(int n, weir::notify& w) {
                if (n == 0)
                    co_await w.notified();
                else
                    co_await down(n - 1, w);
            }
        };
        weir::notify n;
        R rt;
        auto h = spawn_named(rt, "deep", nest::down(20'000, n));
        run_ready(rt);
        const auto d = dump_when_waiting(rt, 1);
        REQUIRE(d.tasks.size() == 1);
        REQUIRE(!d.tasks[0].waits.empty());
        CHECK(d.tasks[0].waits.size() < 100);
        CHECK(d.tasks[0].waits.back().what == "notify::notified");
        n.notify_one();
        rt.block_on(std::move(h));
    }
}
