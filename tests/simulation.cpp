// weir/test/simulation.hpp: one seed, one run.

#include <chrono>
#include <doctest/doctest.h>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/test.hpp>
#include <weir/time.hpp>

#include "common/runtimes.hpp"

using namespace std::chrono_literals;
using weir::test::simulation;
using weir::test::simulation_options;

namespace {

weir::task<> appends(std::string& to, char c) {
    to += c;
    co_return;
}

weir::task<> appends_all(std::string& to) {
    for (char c = 'a'; c != 'h'; ++c) weir::spawn(appends(to, c)).detach();
    co_return;
}

std::string order_under(const simulation_options& options) {
    std::string order;
    simulation sim(options);
    sim.block_on(appends_all(order));
    sim.run_until_idle();
    return order;
}

std::string order_under(std::uint64_t seed) {
    simulation_options options;
    options.seed = seed;
    return order_under(options);
}

weir::task<> appends_at(std::string& to, char c, std::chrono::nanoseconds d) {
    co_await weir::sleep_for(d);
    to += c;
}

weir::task<> counts(int& turns) {
    for (;; ++turns) co_await weir::yield_now();
}

weir::task<> waits_for(weir::notify& n) { co_await n.notified(); }

}  // namespace

TEST_SUITE("simulation") {
    TEST_CASE("the same seed gives the same run") {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            simulation a(seed), b(seed);
            std::string order_a, order_b;
            a.block_on(appends_all(order_a));
            b.block_on(appends_all(order_b));
            a.run_until_idle();
            b.run_until_idle();
            CHECK(order_a == order_b);
            CHECK(a.trace() == b.trace());
            CHECK(a.steps() == b.steps());
            CHECK(a.random() == b.random());
        }
    }

    TEST_CASE("other seeds give other orders, and every task runs in each") {
        std::set<std::string> orders;
        for (std::uint64_t seed = 0; seed < 100; ++seed) {
            const std::string order = order_under(seed);
            CHECK(std::set<char>(order.begin(), order.end()).size() == 7);
            orders.insert(order);
        }
        CHECK(orders.size() > 90);  // of 5040
    }

    TEST_CASE("in fifo order every seed gives the order of spawning") {
        for (std::uint64_t seed = 0; seed < 10; ++seed) {
            simulation_options options;
            options.seed = seed;
            options.schedule = weir::test::schedule::fifo;
            CHECK(order_under(options) == "abcdefg");
        }
    }

    TEST_CASE("sleeping takes no time, and the clock starts at zero") {
        simulation sim(1);
        CHECK(sim.now() == weir::clock::time_point());
        sim.block_on([]() -> weir::task<> {
            co_await weir::sleep_for(24h);
            CHECK(weir::clock::now() == weir::clock::time_point(24h));
        }());
        CHECK(sim.now() == weir::clock::time_point(24h));
    }

    TEST_CASE("timers of one deadline fire in an order of the seed, those of others in theirs") {
        std::set<std::string> orders;
        for (std::uint64_t seed = 0; seed < 50; ++seed) {
            simulation sim(seed);
            std::string order;
            sim.block_on([](std::string& to) -> weir::task<> {
                co_await weir::join(appends_at(to, 'x', 1s), appends_at(to, 'y', 1s),
                                    appends_at(to, '1', 999ms), appends_at(to, '2', 1001ms),
                                    appends_at(to, 'z', 1s));
            }(order));
            REQUIRE(order.size() == 5);
            CHECK(order.front() == '1');
            CHECK(order.back() == '2');
            orders.insert(order);
        }
        CHECK(orders.size() == 6);
    }

    TEST_CASE("advance runs what becomes due, each at its time") {
        simulation sim(7);
        std::string order;
        sim.spawn(appends_at(order, 'c', 3s)).detach();
        sim.spawn(appends_at(order, 'a', 1s)).detach();
        sim.spawn(appends_at(order, 'b', 2s)).detach();
        sim.run_until_idle();
        CHECK(order.empty());
        sim.advance(2s);
        CHECK(order == "ab");
        CHECK(sim.now() == weir::clock::time_point(2s));
        CHECK(sim.live_tasks() == 1);
        sim.advance(999ms);
        CHECK(order == "ab");
        sim.advance(1ms);
        CHECK(order == "abc");
        sim.check_leaks();
    }

    TEST_CASE("with auto_advance off, only advance moves the clock") {
        simulation_options options;
        options.auto_advance = false;
        simulation sim(options);
        CHECK_THROWS_AS(sim.block_on(weir::sleep_for(1s)), weir::test::deadlock_error);
        auto sleeper = sim.spawn([]() -> weir::task<> { co_await weir::sleep_for(1s); });
        sim.advance(1s);
        CHECK(sleeper.is_finished());
    }

    TEST_CASE("extra yields make ready operations suspend") {
        const auto steps = [](double chance) {
            simulation_options options;
            options.seed = 3;
            options.yield_probability = chance;
            simulation sim(options);
            sim.block_on([]() -> weir::task<> {
                auto [tx, rx] = weir::mpsc::unbounded_channel<int>();
                for (int i = 0; i < 50; ++i) {
                    static_cast<void>(tx.send(i));
                    const auto got = co_await rx.recv();
                    CHECK(got == i);
                }
            }());
            return sim.steps();
        };
        CHECK(steps(0) == 1);
        CHECK(steps(0.5) > 10);
        CHECK(steps(0.5) < 100);
        CHECK(steps(1) > 49);
    }

    TEST_CASE("a deadlock throws and names the tasks") {
        simulation sim(1);
        std::string text;
        try {
            sim.block_on([]() -> weir::task<> {
                weir::mutex<> a, b;
                auto crossed = [](weir::mutex<>& first, weir::mutex<>& second) -> weir::task<> {
                    auto g = co_await first.lock();
                    co_await weir::sleep_for(1ms);
                    auto h = co_await second.lock();
                };
                weir::spawn_options one, two;
                one.name = "left";
                two.name = "right";
                auto x = weir::spawn(one, crossed(a, b));
                auto y = weir::spawn(two, crossed(b, a));
                co_await x;
                co_await y;
            }());
        } catch (const weir::test::deadlock_error& e) {
            text = e.what();
        }
        CHECK(text.find("deadlock") != text.npos);
        CHECK(text.find("task 1, spawned at ") != text.npos);
        CHECK(text.find("task 2 \"left\", spawned at ") != text.npos);
        CHECK(text.find("task 3 \"right\", spawned at ") != text.npos);
        CHECK(text.find("simulation.cpp:") != text.npos);
        CHECK(text.find("waits") != text.npos);
        CHECK(sim.live_tasks() == 0);
        sim.check_leaks();
    }

    TEST_CASE("after a deadlock the simulation can go on") {
        simulation sim(1);
        weir::notify never;
        CHECK_THROWS_AS(sim.block_on(waits_for(never)), weir::test::deadlock_error);
        CHECK(sim.block_on([]() -> weir::task<int> { co_return 5; }()) == 5);
    }

    TEST_CASE("tasks that never end are stopped by max_steps") {
        simulation_options options;
        options.max_steps = 100;
        simulation sim(options);
        int turns = 0;
        sim.spawn(counts(turns)).detach();
        CHECK_THROWS_AS(sim.run_until_idle(), weir::test::step_limit_error);
        CHECK(turns > 90);
        CHECK(sim.live_tasks() == 0);
    }

    TEST_CASE("a task that is left is a leak, with its spawn site") {
        simulation sim(1);
        weir::notify never;
        sim.block_on([](weir::notify& n) -> weir::task<> {
            weir::spawn_options named;
            named.name = "forgotten";
            weir::spawn(named, waits_for(n)).detach();
            co_return;
        }(never));
        try {
            sim.check_leaks();
            FAIL("no leak was found");
        } catch (const weir::test::leak_error& e) {
            CHECK(std::string(e.what()).find("\"forgotten\"") != std::string::npos);
        }
    }

#if !WEIR_ASAN
    TEST_CASE("a frame that is not freed is a leak") {
        auto kept = weir::oneshot::channel<int>();
        simulation sim(1);
        sim.check_leaks();
        kept = weir::oneshot::channel<int>();
        sim.check_leaks();  // one made, one freed
        auto another = weir::oneshot::channel<int>();
        CHECK_THROWS_AS(sim.check_leaks(), weir::test::leak_error);
    }
#endif

    TEST_CASE("an exception in a detached task ends the simulation") {
        simulation sim(1);
        auto fails = []() -> weir::task<> {
            throw std::runtime_error("nobody joins me");
            co_return;
        };
        sim.spawn(fails()).detach();
        CHECK_THROWS_WITH(sim.run_until_idle(), "nobody joins me");
    }

    TEST_CASE("it is not run from inside itself, and its clock stays virtual") {
        simulation sim(1);
        sim.block_on([](simulation& s) -> weir::task<> {
            CHECK_THROWS_AS(s.run_until_idle(), weir::blocking_in_async_error);
            CHECK_THROWS_AS(s.advance(1s), weir::blocking_in_async_error);
            CHECK_THROWS_AS(s.block_on(weir::yield_now()), weir::blocking_in_async_error);
            CHECK_THROWS_AS(weir::clock::resume(), std::logic_error);
            weir::clock::advance(1s);
            CHECK(s.now() == weir::clock::time_point(1s));
            co_return;
        }(sim));
    }

    TEST_CASE("what another thread wakes runs at the next opportunity") {
        simulation sim(1);
        auto [tx, rx] = weir::oneshot::channel<int>();
        auto receives = [](weir::oneshot::receiver<int> r) -> weir::task<int> {
            auto const got = co_await r;
            co_return got.value();
        };
        auto waiting = sim.spawn(receives(std::move(rx)));
        sim.run_until_idle();
        CHECK_FALSE(waiting.is_finished());
        std::thread([&t = tx] { static_cast<void>(t.send(3)); }).join();
        sim.run_until_idle();
        CHECK(sim.block_on(waiting) == 3);
    }

    TEST_CASE("blocking functions are turns like others, in an order of the seed") {
        std::set<std::string> orders;
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            simulation sim(seed);
            std::string order;
            sim.block_on([](std::string& to) -> weir::task<> {
                auto a = weir::spawn_blocking([&to] { to += 'a'; });
                auto b = weir::spawn_blocking([&to] { to += 'b'; });
                co_await b;
                co_await a;
            }(order));
            orders.insert(order);
        }
        CHECK(orders == std::set<std::string>{"ab", "ba"});
    }

    TEST_CASE("tasks are destroyed with it, where they wait") {
        bool destroyed = false;
        {
            simulation sim(1);
            sim.spawn([](bool& flag) -> weir::task<> {
                struct sets {
                    bool& to;
                    ~sets() { to = true; }
                } const at_end{flag};
                co_await weir::sleep_for(1h);
            }, std::ref(destroyed)).detach();
            sim.run_until_idle();
            CHECK_FALSE(destroyed);
        }
        CHECK(destroyed);
    }
}
