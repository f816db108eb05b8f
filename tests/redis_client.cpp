// The client of the Redis example and its manager task, over real sockets.

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/spawn.hpp>
#include <weir/timeout.hpp>

#include "../examples/redis/manager.hpp"
#include "../examples/redis/request.hpp"
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

weir::task<bool> get_one(redis::shared_client client, int i) {
    const auto r = co_await client.get(std::to_string(i));
    co_return r.has_value() && r->has_value() && **r == std::to_string(i);
}

TEST_SUITE("redis_manager") {
    TEST_CASE("commands that wait travel in one write, and each reply finds its command") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            auto client = co_await connect_client(port_of(listener));
            auto server = co_await accept_one(listener);
            auto shared = redis::shared_client::start(std::move(client));
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
                auto shared = redis::shared_client::start(std::move(client));
                auto second = shared;
            }
            CHECK((co_await read_to_end(server)).empty());
        });
    }

    TEST_CASE("a lost connection fails the commands on their way, and those that come later") {
        run([](running_server&) -> weir::task<void> {
            auto listener = co_await listen();
            auto client = co_await connect_client(port_of(listener));
            auto shared = redis::shared_client::start(std::move(client));
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
            auto shared = redis::shared_client::start(std::move(client));
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
}

}  // namespace
