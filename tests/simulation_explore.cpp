// weir/test/explore.hpp and poll.hpp: many runs of one body, and single looks at one operation.

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <doctest/doctest.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/test.hpp>
#include <weir/time.hpp>

using namespace std::chrono_literals;
using weir::test::simulation;
using weir::test::simulation_options;

namespace {

class seed_variable {
public:
    explicit seed_variable(std::uint64_t seed) {
        ::setenv("WEIR_SEED", std::to_string(seed).c_str(), 1);
    }
    seed_variable(const seed_variable&) = delete;
    seed_variable& operator=(const seed_variable&) = delete;
    ~seed_variable() { ::unsetenv("WEIR_SEED"); }
};

// Reads, waits, writes: right in the order of spawning, wrong when the other one comes between.
weir::task<> adds(int& balance, int amount, weir::notify& turn, bool goes_first) {
    if (!goes_first) co_await turn.notified();
    const int seen = balance;
    if (goes_first) turn.notify_one();
    for (int i = 0; i < 2; ++i) co_await weir::yield_now();
    balance = seen + amount;
}

weir::task<> writes(int& place, int value) {
    place = value;
    co_return;
}

// Trusts that the task which was spawned first has run first.
void trusts_order(simulation& sim) {
    int place = 0;
    sim.spawn(writes(place, 1)).detach();
    sim.spawn(writes(place, 2)).detach();
    sim.run_until_idle();
    if (place != 2) throw std::runtime_error("the second one came first");
}

template <class F>
std::optional<std::uint64_t> failing_run(F f) {
    try {
        f();
    } catch (const weir::test::run_failed& e) {
        return e.run();
    }
    return std::nullopt;
}

// Takes a permit twice and gives it back, with waits while it has none, one, and one again.
weir::task<> uses(weir::semaphore& places) {
    for (int i = 0; i < 2; ++i) {
        const auto permit = co_await places.acquire();
        co_await weir::yield_now();
    }
}

weir::task<> holds_for(weir::semaphore& places, std::chrono::nanoseconds d) {
    const auto permit = co_await places.acquire();
    co_await weir::sleep_for(d);
}

// Two senders, one slot, a receiver that sleeps now and then.
weir::task<> sends(weir::mpsc::sender<int> tx, int count) {
    for (int i = 0; i < count; ++i) {
        auto const sent = co_await tx.send(i);
        REQUIRE(sent.has_value());
    }
}
weir::task<> receives(weir::mpsc::receiver<int> rx, int& received) {
    while (auto const value = co_await rx.recv()) {
        ++received;
        if (*value == 2) co_await weir::sleep_for(1ms);
    }
}

}  // namespace

TEST_SUITE("explore") {
    TEST_CASE("a hundred thousand small simulations take less than a minute of one core") {
        constexpr std::uint64_t runs = 2000;
        const std::clock_t start = std::clock();  // the processor's time: the machine may be busy
        weir::test::explore(runs, [](simulation& sim) {
            int received = 0;
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            for (int s = 0; s < 2; ++s) sim.spawn(sends(tx, 5)).detach();
            { auto const last = std::move(tx); }
            sim.block_on(receives(std::move(rx), received));
            REQUIRE(received == 10);
        });
        const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        MESSAGE((runs / seconds * 60) << " simulations a minute");
        CHECK(seconds * 100'000 / runs < 60);
    }


    TEST_CASE("it runs every seed once, in order") {
        std::vector<std::uint64_t> seeds;
        weir::test::explore(5, [&](simulation& sim) { seeds.push_back(sim.seed()); });
        CHECK(seeds == std::vector<std::uint64_t>{0, 1, 2, 3, 4});
    }

    TEST_CASE("it finds a dependence on the order, and names the seed") {
        const auto seed = failing_run([] { weir::test::explore(100, trusts_order); });
        REQUIRE(seed.has_value());
        try {
            weir::test::explore(100, trusts_order);
        } catch (const weir::test::run_failed& e) {
            const std::string text = e.what();
            CHECK(text.find("seed " + std::to_string(*seed)) != text.npos);
            CHECK(text.find("WEIR_SEED=" + std::to_string(*seed)) != text.npos);
            CHECK(text.find("the second one came first") != text.npos);
            CHECK_THROWS_AS(std::rethrow_exception(e.cause()), std::runtime_error);
        }
        simulation_options fifo;
        fifo.schedule = weir::test::schedule::fifo;
        CHECK_NOTHROW(weir::test::explore(100, trusts_order, fifo));
    }

    TEST_CASE("WEIR_SEED runs that seed alone, with the same outcome") {
        const auto bad = failing_run([] { weir::test::explore(100, trusts_order); });
        REQUIRE(bad.has_value());
        int runs = 0;
        const auto counted = [&](simulation& sim) {
            ++runs;
            trusts_order(sim);
        };
        {
            seed_variable const set(*bad);
            CHECK(failing_run([&] { weir::test::explore(100, counted); }) == bad);
            CHECK(runs == 1);
        }
        seed_variable const wrong(0);
        ::setenv("WEIR_SEED", "12x", 1);
        CHECK_THROWS_AS(weir::test::explore(1, counted), std::invalid_argument);
    }

    TEST_CASE("it finds a lost update that the usual order hides") {
        const auto body = [](simulation& sim) {
            int balance = 0;
            weir::notify turn;
            sim.block_on([](int& b, weir::notify& n) -> weir::task<> {
                auto x = weir::spawn(adds(b, 1, n, true));
                auto y = weir::spawn(adds(b, 2, n, false));
                co_await x;
                co_await y;
            }(balance, turn));
            if (balance != 3) throw std::runtime_error("an update was lost");
        };
        CHECK(failing_run([&] { weir::test::explore(100, body); }).has_value());
    }

    TEST_CASE("a leak fails the run, unless it is allowed") {
        weir::notify never;
        const auto body = [&](simulation& sim) {
            sim.spawn([](weir::notify& n) -> weir::task<> { co_await n.notified(); },
                      std::ref(never)).detach();
        };
        CHECK(failing_run([&] { weir::test::explore(3, body); }) == 0);
        simulation_options options;
        options.check_leaks = false;
        CHECK_NOTHROW(weir::test::explore(3, body, options));
    }
}

TEST_SUITE("cancel_everywhere") {
    TEST_CASE("it visits every suspension, before and after the wake, and the start") {
        std::vector<int> reached;
        const auto points = weir::test::cancel_everywhere([&](simulation& sim) {
            int steps = 0;
            auto h = sim.spawn_under_test([](int& n) -> weir::task<> {
                for (int i = 0; i < 3; ++i, ++n) co_await weir::sleep_for(1s);
            }(steps));
            sim.advance(1min);
            reached.push_back(steps);
            CHECK(h.is_finished());
        });
        CHECK(points == 7);
        CHECK(reached == std::vector<int>{0, 0, 0, 1, 1, 2, 2, 3});
    }

    TEST_CASE("a semaphore keeps its permits wherever a waiter goes") {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            simulation_options options;
            options.seed = seed;
            const auto points = weir::test::cancel_everywhere([](simulation& sim) {
                weir::semaphore places(1);
                auto h = sim.spawn_under_test(uses(places));
                sim.spawn(holds_for(places, 1ms)).detach();
                sim.spawn(holds_for(places, 2ms)).detach();
                sim.advance(1s);
                REQUIRE(sim.live_tasks() == 0);
                REQUIRE(places.available_permits() == 1);
            }, options);
            CHECK(points > 4);
        }
    }

    TEST_CASE("a check that fails names the point") {
        std::string text;
        try {
            weir::test::cancel_everywhere([](simulation& sim) {
                bool in_use = false;  // given back by hand: not where it is cancelled
                auto h = sim.spawn_under_test([](bool& flag) -> weir::task<> {
                    co_await weir::yield_now();
                    flag = true;
                    co_await weir::yield_now();
                    flag = false;
                }(in_use));
                sim.run_until_idle();
                if (in_use) throw std::runtime_error("still in use");
            });
        } catch (const weir::test::run_failed& e) {
            text = e.what();
            CHECK(e.run() == 3);
        }
        CHECK(text == "cancelled at suspension 1: still in use");
    }
}

TEST_SUITE("polled") {
    TEST_CASE("an operation is started, woken, and ready when looked at") {
        auto [tx, rx] = weir::mpsc::channel<int>(1);
        weir::test::polled receive(rx.recv());
        CHECK_FALSE(receive.is_woken());
        CHECK(receive.is_pending());
        CHECK(receive.is_pending());
        CHECK_FALSE(receive.is_woken());
        CHECK_THROWS_AS(receive.take(), std::logic_error);
        CHECK(tx.try_send(7).has_value());
        CHECK(receive.is_woken());
        CHECK(receive.is_ready());
        CHECK_FALSE(receive.is_woken());
        CHECK(receive.take() == 7);
    }

    TEST_CASE("dropping one that waits gives its turn up") {
        weir::semaphore places(0);
        {
            weir::test::polled first(places.acquire());
            weir::test::polled second(places.acquire());
            CHECK(first.is_pending());
            CHECK(second.is_pending());
            places.add_permits(1);
            CHECK(first.is_woken());
            CHECK_FALSE(second.is_woken());
        }
        CHECK(places.available_permits() == 1);
    }

    TEST_CASE("tasks and selects are operations too") {
        weir::notify n;
        auto waits = [](weir::notify& to) -> weir::task<int> {
            co_await to.notified();
            co_return 3;
        };
        auto never = [](weir::notify& to) -> weir::task<int> {
            co_await to.notified();
            co_await to.notified();
            co_return 4;
        };
        weir::test::polled race(weir::select(waits(n), never(n)));
        CHECK(race.is_pending());
        n.notify_waiters();
        CHECK(race.is_ready());
        CHECK(std::get<0>(race.take()) == 3);
    }

    TEST_CASE("timers are those of the simulation that was entered") {
        simulation sim(1);
        auto const in = sim.enter();
        weir::test::polled sleep(weir::sleep_for(1s));
        CHECK(sleep.is_pending());
        sim.advance(999ms);
        CHECK(sleep.is_pending());
        sim.advance(1ms);
        CHECK(sleep.is_woken());
        CHECK(sleep.is_ready());
    }

    TEST_CASE("poll_once yields what is ready, and nothing otherwise") {
        auto [tx, rx] = weir::oneshot::channel<int>();
        CHECK_FALSE(weir::test::poll_once(rx).has_value());
        CHECK(tx.send(4).has_value());
        const auto got = weir::test::poll_once(rx);
        REQUIRE(got.has_value());
        CHECK(**got == 4);
        weir::notify n;
        CHECK_FALSE(weir::test::poll_once(n.notified()));
        n.notify_one();
        CHECK(weir::test::poll_once(n.notified()));
        CHECK_FALSE(weir::test::poll_once(n.notified()));
    }
}
