// The client of the Redis example and its manager task, over real sockets.

#include <doctest/doctest.h>

#include <chrono>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/spawn.hpp>
#include <weir/timeout.hpp>

#include "../examples/redis/blocking_client.hpp"
#include "../examples/redis/buffered_client.hpp"
#include "../examples/redis/embedded_server.hpp"
#include "../examples/redis/slots.hpp"
#include "../examples/redis/subscriber.hpp"
#include "common/redis_fixture.hpp"

namespace {

using namespace redis_test;
using namespace std::chrono_literals;

// A server that says what the test wants it to say, to one client.
weir::task<tcp_stream> accept_one(tcp_listener& listener) {
    auto accepted = co_await listener.accept();
    co_return std::move(accepted.value().stream);
}

TEST_SUITE("redis_client") {
    TEST_CASE("large requests and large replies pass each other on one connection") {
        run([](running_server& server) -> weir::task<void> {
            auto client = co_await connect_client(server.port());
            const std::string large(4'000'000, 'x');
            const auto set = co_await client.set("k", weir::bytes::copy_of(large));
            CHECK(set.has_value());
            for (int i = 0; i < 8; ++i) client.queue({"GET", "k"});
            for (int i = 0; i < 8; ++i) client.queue({"SET", "k", large});
            const auto replies = co_await client.exchange();
            REQUIRE(replies.has_value());
            REQUIRE(replies->size() == 16);
            CHECK((*replies)[7].view() == large);
            CHECK((*replies)[15].view() == "OK");
        });
    }

    TEST_CASE("a client may speak RESP3, and is not confused by what is pushed") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            auto client = co_await connect_client(server.port());
            client.queue({"HELLO", "3"});
            client.queue({"GET", "nosuch"});
            client.queue({"CONFIG", "GET", "save"});
            client.queue({"PING"});
            const auto replies = co_await client.exchange();
            REQUIRE(replies.has_value());
            REQUIRE(replies->size() == 4);
            CHECK((*replies)[0].elements().size() == 14);
            CHECK((*replies)[1].is_null());
            CHECK((*replies)[2].elements().size() == 2);
            CHECK((*replies)[3].view() == "PONG");
        });
    }

    TEST_CASE("a second call while one runs throws") {
        run([](running_server& server) -> weir::task<void> {
            auto client = co_await connect_client(server.port());
            bool thrown = false;
            try {
                co_await weir::join(client.ping(), client.ping());
            } catch (const std::logic_error& e) {
                thrown = std::string_view(e.what()).find("manager task") != std::string_view::npos;
            }
            CHECK(thrown);
        });
    }

    TEST_CASE("failures are values: nobody there, an error reply, nonsense, a lost connection") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            const auto port = port_of(listener);
            auto client = co_await connect_client(port);
            auto server = co_await accept_one(listener);
            const auto sent = co_await server.write_all("-ERR no\r\n");
            CHECK(sent.has_value());
            const auto refused = co_await client.get("k");
            CHECK(refused.error().text() == "ERR no");
            CHECK_FALSE(refused.error().code());
            const auto nonsense = co_await server.write_all("what?\r\n");
            CHECK(nonsense.has_value());
            CHECK_FALSE((co_await client.get("k")).has_value());

            auto second = co_await connect_client(port);
            {
                const auto lost = co_await accept_one(listener);
            }
            const auto closed = co_await second.get("k");
            CHECK(closed.error().code() == std::errc::connection_reset);
            {
                const auto gone = std::move(listener);
            }
            const auto nobody = co_await redis::client::connect("127.0.0.1", port);
            CHECK(nobody.error().code() == std::errc::connection_refused);
        });
    }
}

weir::task<bool> get_one(redis::buffered_client client, int i) {
    const auto r = co_await client.get(std::to_string(i));
    co_return r.has_value() && r->has_value() && **r == std::to_string(i);
}

TEST_SUITE("redis_manager") {
    TEST_CASE("commands that wait travel in one write, and each reply finds its command") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            auto client = co_await connect_client(port_of(listener));
            auto server = co_await accept_one(listener);
            auto shared = redis::buffered_client::start(redis::link(std::move(client)));
            std::vector<weir::join_handle<bool>> tasks;
            for (int i = 0; i < 32; ++i) tasks.push_back(weir::spawn(get_one(shared, i)));
            // All that the first read brings was written at once.
            weir::byte_buffer in;
            const auto received = co_await server.read_some(in);
            CHECK(received.has_value());
            redis::request_parser parser;
            std::string replies;
            int commands = 0;
            while (parser.parse(in.view()) == redis::request_parser::result::request) {
                const std::string key(parser.args()[1]);
                replies += "$" + std::to_string(key.size()) + "\r\n" + key + "\r\n";
                in.consume(parser.size());
                ++commands;
            }
            CHECK(in.empty());
            CHECK(commands == 32);
            const auto sent = co_await server.write_all(replies);
            CHECK(sent.has_value());
            for (auto& task : tasks) CHECK(co_await task);
        });
    }

    TEST_CASE("the manager closes the connection when the last handle has gone") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            auto client = co_await connect_client(port_of(listener));
            auto server = co_await accept_one(listener);
            {
                auto shared = redis::buffered_client::start(redis::link(std::move(client)));
                auto second = shared;
            }
            CHECK((co_await read_to_end(server)).empty());
        });
    }

    TEST_CASE("a lost connection fails the commands on their way, and those that come later") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            auto client = co_await connect_client(port_of(listener));
            auto shared = redis::buffered_client::start(redis::link(std::move(client)));
            auto waiting = weir::spawn(get_one(shared, 1));
            {
                auto server = co_await accept_one(listener);
                const auto request = co_await read(server, 1);
                CHECK(request[0] == '*');
            }
            CHECK_FALSE(co_await waiting);
            const auto later = co_await shared.set("k", weir::bytes());
            CHECK_FALSE(later.has_value());
        });
    }

    TEST_CASE("whoever stops waiting does not disturb the others") {
        run([](running_server& server) -> weir::task<void> {
            auto client = co_await connect_client(server.port());
            auto shared = redis::buffered_client::start(redis::link(std::move(client)));
            for (int i = 0; i < 50; ++i) {
                const auto value = std::to_string(i);
                const auto cut = co_await weir::timeout(0ms, shared.get("k"));
                static_cast<void>(cut);
                const auto set = co_await shared.set("k", weir::bytes::copy_of(value));
                CHECK(set.has_value());
                const auto got = co_await shared.get("k");
                CHECK(got.value().value() == value);
            }
        });
    }
    TEST_CASE("a lost connection is made again, and what was on its way is not sent twice") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            redis::link_options options;
            options.shortest_pause = 1ms;
            auto shared = redis::buffered_client::start(
                redis::link(redis::address{"127.0.0.1", port_of(listener)}, options));
            auto first = weir::spawn(get_one(shared, 1));
            {
                auto server = co_await accept_one(listener);
                CHECK((co_await read(server, 1)).substr(0, 1) == "*");
            }
            CHECK_FALSE(co_await first);
            auto second = weir::spawn(get_one(shared, 2));
            auto server = co_await accept_one(listener);
            const std::string expected = "*2\r\n$3\r\nGET\r\n$1\r\n2\r\n";
            CHECK(co_await read(server, expected.size()) == expected);
            const auto sent = co_await server.write_all("$1\r\n2\r\n");
            CHECK(sent.has_value());
            CHECK(co_await second);
        });
    }

    TEST_CASE("a request waits for a server that is not there yet, and fails unsent if none comes") {
        run([](running_server&) -> weir::task<void> {
            redis::link_options options;
            options.connect_patience = 50ms;
            options.shortest_pause = 1ms;
            std::uint16_t port = 0;
            {
                auto listener = co_await listen();
                port = port_of(listener);
            }
            auto shared = redis::buffered_client::start(
                redis::link(redis::address{"127.0.0.1", port}, options));
            const auto nobody = co_await shared.get("k");
            CHECK(nobody.error().code() == std::errc::connection_refused);
            CHECK_FALSE(nobody.error().was_sent());
        });
    }

    TEST_CASE("a server that does not answer in time costs the request, not the client") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            redis::link_options options;
            options.client.reply_limit = 20ms;
            auto shared = redis::buffered_client::start(
                redis::link(redis::address{"127.0.0.1", port_of(listener)}, options));
            const auto late = co_await shared.get("k");
            CHECK(late.error().code() == std::errc::timed_out);
            CHECK(late.error().was_sent());
            auto next = weir::spawn(get_one(shared, 7));
            auto ignored = co_await accept_one(listener);
            auto server = co_await accept_one(listener);
            const auto sent = co_await server.write_all("$1\r\n7\r\n");
            CHECK(sent.has_value());
            CHECK(co_await next);
        });
    }

    TEST_CASE("a pool uses all of its connections") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            auto pool = redis::pooled_client::start(redis::address{"127.0.0.1", server.port()}, 3);
            std::vector<weir::join_handle<redis::result<std::int64_t>>> tasks;
            for (int i = 0; i < 300; ++i) tasks.push_back(weir::spawn(pool.incr("n")));
            for (auto& t : tasks) {
                const auto n = co_await t;
                CHECK(n.has_value());
            }
            const auto sum = co_await pool.get("n");
            CHECK(sum.value().value() == "300");
        });
    }
}

TEST_SUITE("redis_subscriber") {
    TEST_CASE("a subscriber gets the messages of its channels and patterns, and can change them") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            auto publisher = co_await connect_client(server.port());
            auto connected = co_await connect_client(server.port());
            const std::vector<std::string> channels{"a", "b"};
            auto made = co_await std::move(connected).subscribe(channels);
            redis::subscriber listener = std::move(made).value();
            CHECK(listener.channels() == std::set<std::string>{"a", "b"});
            CHECK((co_await publisher.publish("a", weir::bytes::from_static("1"))).value() == 1);
            CHECK((co_await publisher.publish("b", weir::bytes::from_static("2"))).value() == 1);
            CHECK((co_await publisher.publish("c", weir::bytes::from_static("3"))).value() == 0);
            std::set<std::string> got;
            for (int i = 0; i < 2; ++i) {
                const auto m = co_await listener.next_message();
                got.insert(m.value().channel + "=" + m.value().text.to_string());
            }
            CHECK(got == std::set<std::string>{"a=1", "b=2"});

            // A message that comes between the confirmations is kept.
            CHECK((co_await publisher.publish("a", weir::bytes::from_static("4"))).value() == 1);
            const std::vector<std::string> patterns{"c*"};
            CHECK((co_await listener.psubscribe(patterns)).has_value());
            CHECK((co_await listener.unsubscribe()).has_value());
            CHECK(listener.channels().empty());
            CHECK(listener.patterns() == std::set<std::string>{"c*"});
            CHECK((co_await publisher.publish("b", weir::bytes::from_static("5"))).value() == 0);
            CHECK((co_await publisher.publish("cc", weir::bytes::from_static("6"))).value() == 1);
            auto next = co_await listener.next_message();
            if (next.value().channel == "a") next = co_await listener.next_message();
            CHECK(next.value().channel == "cc");
            CHECK(next.value().pattern == "c*");
            CHECK((co_await listener.punsubscribe()).has_value());
            CHECK(listener.patterns().empty());
            const auto nothing = co_await weir::timeout(10ms, listener.next_message());
            CHECK_FALSE(nothing.has_value());
        });
    }

    TEST_CASE("a blocking client needs no coroutine") {
        redis::embedded_server server;
        const redis::address where{"127.0.0.1", server.port()};
        auto connected = redis::blocking_client::connect(where);
        redis::blocking_client client = std::move(connected).value();
        CHECK(client.ping().value() == "PONG");
        CHECK(client.set("k", weir::bytes::from_static("v")).has_value());
        CHECK(client.get("k").value().value() == "v");
        CHECK(client.incr("n").value() == 1);
        CHECK(client.del("k").value() == 1);
        CHECK(client.call(redis::request({"FOO"})).value().is_error());
        auto second = redis::blocking_client::connect(where);
        auto listening = std::move(second).value().subscribe({"c"});
        redis::blocking_subscriber listener = std::move(listening).value();
        CHECK(client.publish("c", weir::bytes::from_static("hi")).value() == 1);
        CHECK(listener.next_message().value().text == "hi");
        CHECK(listener.unsubscribe().has_value());
        CHECK_FALSE(redis::blocking_client::connect({"127.0.0.1", 1}).has_value());
    }
}

TEST_SUITE("redis_cluster") {
    TEST_CASE("slots are those of the cluster specification") {
        using redis::slot_of;
        CHECK(slot_of("123456789") == 0x31c3);
        CHECK(slot_of("") == 0);
        CHECK(slot_of("foo") == 12182);
        CHECK(slot_of("{user1000}.following") == slot_of("user1000"));
        CHECK(slot_of("foo{}{bar}") == slot_of("foo{}{bar}"));
        CHECK(slot_of("foo{}{bar}") != slot_of("bar"));
        CHECK(slot_of("foo{{bar}}zap") == slot_of("{bar"));
        CHECK(slot_of("foo{bar}{zap}") == slot_of("bar"));
    }

    TEST_CASE("redirections are read with care") {
        const auto moved = redis::parse_redirection("MOVED 3999 127.0.0.1:6381");
        REQUIRE(moved.has_value());
        CHECK(moved->what == redis::redirection::kind::moved);
        CHECK(moved->slot == 3999);
        CHECK(moved->to == redis::address{"127.0.0.1", 6381});
        const auto ask = redis::parse_redirection("ASK 1 ::1:7000");
        REQUIRE(ask.has_value());
        CHECK(ask->what == redis::redirection::kind::ask);
        CHECK(ask->to == redis::address{"::1", 7000});
        for (const char* wrong : {"", "MOVED", "MOVED x 1:1", "MOVED 16384 h:1", "MOVED -1 h:1",
                                  "MOVED 1 h", "MOVED 1 h:0", "MOVED 1 h:99999", "ERR 1 h:1"}) {
            CAPTURE(wrong);
            CHECK_FALSE(redis::parse_redirection(wrong).has_value());
        }
    }
}

}  // namespace
