// The Redis example in a simulation: server, network and clients in one thread, under faults.

#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <utility>

#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/test.hpp>
#include <weir/time.hpp>

#include "../examples/redis/client.hpp"
#include "../examples/redis/server.hpp"

using namespace std::chrono_literals;
using weir::test::simulation;
using weir::test::simulation_options;

namespace {

// A server that every test stops, so that nothing may be left of it.
class server {
public:
    server() : server(weir::oneshot::channel<bool>()) {}

    static weir::task<> run(weir::oneshot::receiver<bool> stop) {
        auto listener = co_await weir::net::tcp_listener::bind("redis", 6379);
        auto told = until_told(std::move(stop));
        redis::server_options options;
        options.grace = 1s;
        co_await redis::serve(std::move(listener).value(), std::move(told), options);
    }
    weir::task<> stop() {
        static_cast<void>(stop_.send(true));
        co_await ended_;
    }

private:
    using ends = std::pair<weir::oneshot::sender<bool>, weir::oneshot::receiver<bool>>;
    explicit server(ends stop)
        : stop_(std::move(stop.first)), ended_(weir::spawn(run(std::move(stop.second)))) {}

    static weir::task<> until_told(weir::oneshot::receiver<bool> stop) { co_await stop; }

    weir::oneshot::sender<bool> stop_;
    weir::join_handle<void> ended_;
};

// Until the server listens, nobody answers.
weir::task<redis::client> connect() {
    for (;;) {
        auto connected = co_await redis::client::connect("redis", 6379);
        if (connected) co_return std::move(*connected);
        co_await weir::sleep_for(1ms);
    }
}

// Counts up, once per connection; says what the server has confirmed.
struct counting {
    int attempted = 0;
    int confirmed = 0;

    weir::task<> increment(redis::client& client, int times) {
        for (int i = 0; i < times; ++i) {
            ++attempted;
            client.queue({"INCR", "n"});
            client.queue({"SET", "text", "0123456789"});
            auto replies = co_await client.exchange();
            if (!replies) co_return;
            CHECK(replies->at(0).integer() <= attempted);
            CHECK(replies->at(1).view() == "OK");
            ++confirmed;
        }
    }
    weir::task<> session(int times) {
        auto client = co_await connect();
        co_await increment(client, times);
    }

    // What a client that comes later reads: neither less than was confirmed nor more than was asked.
    weir::task<> check() const {
        for (int tries = 0; tries < 3; ++tries) {
            auto client = co_await connect();
            const auto got = co_await client.get("n");
            if (!got) continue;  // the fault was meant for another connection
            const int n = *got ? std::stoi(std::string((*got)->view())) : 0;
            CHECK(n >= confirmed);
            CHECK(n <= attempted);
            co_return;
        }
        FAIL("a fresh connection does not work");
    }
};

weir::task<> sessions(counting& count) {
    server s;
    auto a = weir::spawn(count.session(2));
    auto b = weir::spawn(count.session(2));
    co_await a;
    co_await b;
    co_await count.check();
    co_await s.stop();
}

weir::task<> beside(counting& count, weir::join_handle<void> victim) {
    server s;
    static_cast<void>(co_await victim.result());
    co_await count.check();
    co_await s.stop();
}

}  // namespace

TEST_SUITE("simulated redis") {
    TEST_CASE("clients count together, under any seed") {
        weir::test::explore(100, [](simulation& sim) {
            counting count;
            sim.block_on(sessions(count));
            CHECK(count.confirmed == 4);
        });
    }

    TEST_CASE("a connection that is reset at any byte harms nobody else") {
        std::uint64_t resets = 0;
        for (std::uint64_t limit = 0;; ++limit) {
            CAPTURE(limit);
            simulation sim(limit);
            sim.reset_after(limit);
            counting count;
            sim.block_on(sessions(count));
            sim.check_leaks();
            if (!sim.has_reset()) break;
            ++resets;
        }
        CHECK(resets > 300);  // as many as a session has bytes
    }

    TEST_CASE("connections that break at random do not confuse the count") {
        simulation_options options;
        options.network.reset = 0.05;
        options.check_leaks = true;
        weir::test::explore(100, [](simulation& sim) {
            counting count;
            sim.block_on([](counting& c) -> weir::task<> {
                server s;
                auto a = weir::spawn(c.session(3));
                auto b = weir::spawn(c.session(3));
                co_await a;
                co_await b;
                co_await s.stop();
            }(count));
            CHECK(count.confirmed <= count.attempted);
        }, options);
    }

    TEST_CASE("a client that is cancelled anywhere harms nobody else") {
        for (std::uint64_t seed = 0; seed < 5; ++seed) {
            simulation_options options;
            options.seed = seed;
            const auto points = weir::test::cancel_everywhere([](simulation& sim) {
                counting count;
                auto victim = sim.spawn_under_test(count.session(2));
                sim.block_on(beside(count, std::move(victim)));
            }, options);
            CHECK(points > 5);
        }
    }

    TEST_CASE("the runtime can be destroyed at each step") {
        for (const std::uint64_t seed : {1u, 2u}) {
            for (std::uint64_t steps = 0;; ++steps) {
                simulation_options options;
                options.seed = seed;
                options.max_steps = steps;
                counting count;
                simulation sim(options);
                bool completed = true;
                try {
                    sim.block_on(sessions(count));
                } catch (const weir::test::step_limit_error&) {
                    completed = false;
                }
                CHECK(sim.live_tasks() == 0);
                if (completed) break;
                REQUIRE(steps < 10'000);
            }
        }
    }
}
