// The simulated network: weir::net inside of a simulation.

#include <chrono>
#include <cstddef>
#include <doctest/doctest.h>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <weir/join.hpp>
#include <weir/net.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/test.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

#include "common/tcp.hpp"

using namespace std::chrono_literals;
using namespace weir_test;
using weir::net::tcp_listener;
using weir::net::tcp_stream;
using weir::test::simulation;
using weir::test::simulation_options;

namespace {

weir::task<> echo(tcp_stream stream) {
    weir::byte_buffer in;
    for (;;) {
        const auto n = co_await stream.read_some(in);
        if (!n || *n == 0) co_return;
        const auto written = co_await stream.write_all(in.view());
        if (!written) co_return;
        in.consume(in.size());
    }
}

weir::task<> echo_server(tcp_listener listener, int connections) {
    for (int i = 0; i < connections; ++i) {
        auto taken = co_await listener.accept();
        weir::spawn(echo(std::move(taken.value().stream))).detach();
    }
}

weir::task<> sends(tcp_stream& to, std::string text) {
    const auto sent = co_await to.write_all(text);
    CHECK(sent.has_value());
    static_cast<void>(to.shutdown());
}

weir::task<> echo_round(std::string text) {
    auto listener = co_await listen_locally();
    const auto port = port_of(listener);
    weir::spawn(echo_server(std::move(listener), 1)).detach();
    auto client = co_await connect_to(port);
    auto both = co_await weir::join(sends(client, text), read_all(client));
    CHECK(std::get<1>(both) == text);
}

// How a write of `size` bytes arrives: the sizes that single reads see.
weir::task<std::string> read_sizes(std::size_t size) {
    auto pair = co_await connect_pair();
    auto writing = weir::spawn([](tcp_stream s, std::size_t n) -> weir::task<> {
        static_cast<void>(co_await s.write_all(pattern(n)));
    }, std::move(pair.client), size);
    std::string sizes;
    weir::byte_buffer in;
    for (;;) {
        const auto n = co_await pair.server.read_some(in);
        if (n.value() == 0) break;
        sizes += std::to_string(*n) + ' ';
    }
    CHECK(in.view() == pattern(size));
    co_await writing;
    co_return sizes;
}

}  // namespace

TEST_SUITE("simulated network") {
    TEST_CASE("bytes arrive in order and complete, however they are cut") {
        weir::test::explore(300, [](simulation& sim) { sim.block_on(echo_round(pattern(5000))); });
    }

    TEST_CASE("more than the window goes through it") {
        simulation_options options;
        options.network.window = 7;
        weir::test::explore(
            20, [](simulation& sim) { sim.block_on(echo_round(pattern(200))); }, options);
        options.network.split = 1;
        weir::test::explore(
            20, [](simulation& sim) { sim.block_on(echo_round(pattern(200))); }, options);
    }

    TEST_CASE("pieces and times are the seed's") {
        std::set<std::string> seen;
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            simulation a(seed), b(seed);
            const std::string sizes = a.block_on(read_sizes(100));
            CHECK(sizes == b.block_on(read_sizes(100)));
            CHECK(a.now() == b.now());
            CHECK(a.trace() == b.trace());
            seen.insert(sizes);
        }
        CHECK(seen.size() > 5);
    }

    TEST_CASE("without splits and latency a write is a read") {
        simulation_options options;
        options.network.split = 0;
        options.network.min_latency = options.network.max_latency = 0ns;
        simulation sim(options);
        CHECK(sim.block_on(read_sizes(100)) == "100 ");
        CHECK(sim.now() == weir::clock::time_point());
        CHECK(sim.bytes_carried() == 100);
    }

    TEST_CASE("latency is virtual time within its bounds") {
        simulation_options options;
        options.network.min_latency = 10ms;
        options.network.max_latency = 20ms;
        simulation sim(options);
        sim.block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            const auto before = weir::clock::now();
            auto client = co_await connect_to(port_of(listener));  // there and back
            const auto took = weir::clock::now() - before;
            CHECK(took >= 20ms);
            CHECK(took <= 40ms);
        }());
    }

    TEST_CASE("names are hosts of their own, and endpoints tell them apart") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            auto bound = co_await tcp_listener::bind("cache", 6379);
            auto other = co_await tcp_listener::bind("store", 6379);
            CHECK(bound.value().local_endpoint().value().port() == 6379);
            CHECK(bound->local_endpoint().value() != other.value().local_endpoint().value());
            auto client = co_await tcp_stream::connect("store", 6379);
            CHECK(client.value().peer_endpoint() == other->local_endpoint());
            auto taken = co_await other->accept();
            CHECK(taken.value().peer == client->local_endpoint().value());
            CHECK(taken->stream.peer_endpoint() == client->local_endpoint());
            CHECK(taken->stream.local_endpoint() == client->peer_endpoint());
            const auto nobody = bound->try_accept();
            CHECK(nobody.error() == std::errc::operation_would_block);
            CHECK(client->no_delay() == true);
        }());
    }

    TEST_CASE("a port is taken once, and free again") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            {
                auto first = co_await tcp_listener::bind("127.0.0.1", 80);
                CHECK(first.has_value());
                auto second = co_await tcp_listener::bind("127.0.0.1", 80);
                CHECK(second.error() == std::errc::address_in_use);
            }
            auto third = co_await tcp_listener::bind("127.0.0.1", 80);
            CHECK(third.has_value());
        }());
    }

    TEST_CASE("connecting to nobody is refused") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            auto refused = co_await tcp_stream::connect("127.0.0.1", 1);
            CHECK(refused.error() == std::errc::connection_refused);
        }());
    }

    TEST_CASE("a listener that goes resets who has not been accepted") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            auto listener = std::optional(co_await listen_locally());
            auto client = co_await connect_to(port_of(*listener));
            listener.reset();
            std::byte one[1];
            const auto n = co_await client.read_some(one);
            CHECK(n.error() == std::errc::connection_reset);
        }());
    }

    TEST_CASE("a direction can end while the other goes on") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            auto pair = co_await connect_pair();
            static_cast<void>(co_await pair.client.write_all("last words"));
            static_cast<void>(pair.client.shutdown());
            const auto refused = co_await pair.client.write_all("more");
            CHECK(refused.error() == std::errc::broken_pipe);
            const auto heard = co_await read_all(pair.server);
            CHECK(heard == "last words");
            static_cast<void>(co_await pair.server.write_all("answer"));
            static_cast<void>(pair.server.shutdown());
            const auto answer = co_await read_all(pair.client);
            CHECK(answer == "answer");
        }());
    }

    TEST_CASE("shutting the receiving direction ends a read that waits, behind what has arrived") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            auto pair = co_await connect_pair();
            auto ends = [](tcp_stream& s) -> weir::task<> {
                co_await weir::sleep_for(1s);
                static_cast<void>(s.shutdown(weir::net::shutdown_mode::receive));
            };
            auto both = co_await weir::join(read_all(pair.server), ends(pair.server));
            CHECK(std::get<0>(both).empty());
        }());
    }

    TEST_CASE("writing to a peer that has gone is an error, soon") {
        weir::test::explore(20, [](simulation& sim) {
            sim.block_on([]() -> weir::task<> {
                auto pair = co_await connect_pair();
                { auto const gone = std::move(pair.server); }
                for (;;) {
                    const auto sent = co_await pair.client.write_all("x");
                    if (!sent) {
                        CHECK(sent.error() == std::errc::connection_reset);
                        co_return;
                    }
                    co_await weir::sleep_for(1ms);
                }
            }());
        });
    }

    TEST_CASE("closing with unread data, or with reset_on_close, resets") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            auto pair = co_await connect_pair();
            static_cast<void>(co_await pair.client.write_all("unread"));
            { auto const gone = std::move(pair.server); }
            std::byte one[1];
            auto n = co_await pair.client.read_some(one);
            CHECK(n.error() == std::errc::connection_reset);
            auto another = co_await connect_pair();
            CHECK(another.server.reset_on_close().has_value());
            { auto const gone = std::move(another.server); }
            n = co_await another.client.read_some(one);
            CHECK(n.error() == std::errc::connection_reset);
        }());
    }

    TEST_CASE("reset_after breaks the connection behind exactly so many bytes") {
        for (std::uint64_t limit = 0; limit <= 10; ++limit) {
            simulation sim(limit);
            sim.reset_after(limit);
            const auto received = sim.block_on([]() -> weir::task<std::size_t> {
                auto pair = co_await connect_pair();
                const auto sent = co_await pair.client.write_all("0123456789abcdef");
                if (sent) CHECK(sent.has_value());
                weir::byte_buffer in;
                for (;;) {
                    const auto n = co_await pair.server.read_some(in);
                    if (n) continue;
                    CHECK(n.error() == std::errc::connection_reset);
                    co_return in.size();
                }
            }());
            CHECK(received <= limit);
            CHECK(sim.bytes_carried() == limit);
            CHECK(sim.has_reset());
        }
    }

    TEST_CASE("writes find random resets") {
        simulation_options options;
        options.network.reset = 0.1;
        int broken = 0;
        for (options.seed = 0; options.seed < 50; ++options.seed) {
            simulation sim(options);
            broken += sim.block_on([]() -> weir::task<int> {
                auto pair = co_await connect_pair();
                for (int i = 0; i < 10; ++i)
                    if (!co_await pair.client.write_some("x")) co_return 1;
                co_return 0;
            }());
        }
        CHECK(broken > 10);
        CHECK(broken < 50);
    }

    TEST_CASE("a read can be cancelled, and the next one misses nothing") {
        weir::test::explore(50, [](simulation& sim) {
            sim.block_on([]() -> weir::task<> {
                auto pair = co_await connect_pair();
                auto writes = [](tcp_stream s) -> weir::task<> {
                    for (char c = 'a'; c <= 'z'; ++c) {
                        static_cast<void>(co_await s.write_all(std::string_view(&c, 1)));
                        co_await weir::sleep_for(500us);
                    }
                };
                auto writing = weir::spawn(writes(std::move(pair.client)));
                std::string got;
                for (bool ended = false; !ended;) {
                    char some[4];
                    auto n = co_await weir::timeout(300us, pair.server.read_some(std::span(some)));
                    if (!n) continue;
                    got.append(some, n->value());
                    ended = n->value() == 0;
                }
                CHECK(got == "abcdefghijklmnopqrstuvwxyz");
                co_await writing;
            }());
        });
    }

    TEST_CASE("halves end their own direction, in two tasks") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            auto pair = co_await connect_pair();
            auto [read, write] = std::move(pair.client).into_split();
            auto writing = weir::spawn([](weir::net::owned_write_half w) -> weir::task<> {
                static_cast<void>(co_await w.write_all("abc"));
            }, std::move(write));
            const auto got = co_await read_all(pair.server);
            CHECK(got == "abc");
            co_await writing;
            static_cast<void>(co_await pair.server.write_all("def"));
            char back[3];
            const auto all = co_await read.read_exact(std::span(back));
            CHECK(all.has_value());
            CHECK(std::string_view(back, 3) == "def");
        }());
    }

    TEST_CASE("sockets that outlive the simulation fail") {
        auto sim = std::make_unique<simulation>(1);
        auto pair = sim->block_on(connect_pair());
        sim.reset();
        std::byte one[1];
        CHECK(pair.client.try_read_some(one).error() == std::errc::network_down);
        CHECK(pair.client.try_write_some("x").error() == std::errc::network_down);
    }

    TEST_CASE("connections that accept has no room for wait for it") {
        simulation sim(1);
        sim.block_on([]() -> weir::task<> {
            weir::net::listen_options narrow;
            narrow.backlog = 1;
            auto bound = co_await tcp_listener::bind("127.0.0.1", 90, narrow);
            auto first = weir::spawn(connect_to(90));
            auto second = weir::spawn(connect_to(90));
            co_await weir::sleep_for(100ms);
            CHECK(first.is_finished() != second.is_finished());
            auto taken = co_await bound.value().accept();
            auto another = co_await bound->accept();
            CHECK(another.has_value());
            static_cast<void>(co_await first);
            static_cast<void>(co_await second);
        }());
    }
}
