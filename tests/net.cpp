#include <doctest/doctest.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/net.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

#include "common/tcp.hpp"

using namespace std::chrono_literals;
using weir::net::tcp_listener;
using weir::net::tcp_stream;
using weir_test::connect_pair;
using weir_test::connect_to;
using weir_test::connection;
using weir_test::listen_locally;
using weir_test::port_of;
using weir_test::read_all;

namespace {

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

}  // namespace

TEST_SUITE("net") {
    TEST_CASE("an endpoint is a numeric address and a port") {
        using weir::net::endpoint;
        const auto v4 = endpoint::parse("127.0.0.1", 6379);
        REQUIRE(v4);
        CHECK(v4->is_v4());
        CHECK(v4->port() == 6379);
        CHECK(v4->address() == "127.0.0.1");
        CHECK(v4->to_string() == "127.0.0.1:6379");
        const auto v6 = endpoint::parse("2001:db8::1", 80);
        REQUIRE(v6);
        CHECK(v6->is_v6());
        CHECK(v6->to_string() == "[2001:db8::1]:80");
        CHECK(*v4 == *endpoint::parse("127.0.0.1", 6379));
        CHECK(*v4 != *endpoint::parse("127.0.0.1", 6380));
        CHECK(*v4 != *endpoint::parse("127.0.0.2", 6379));
        CHECK(*v6 != *endpoint::parse("2001:db8::2", 80));
        CHECK(*v4 != *endpoint::parse("::ffff:127.0.0.1", 6379));
        CHECK(endpoint().to_string() == "0.0.0.0:0");
        const std::string too_long(300, '1');
        for (std::string_view bad : {"", "localhost", "1.2.3", "1.2.3.4.5", "::1::", "127.0.0.1 "})
            CHECK(!endpoint::parse(bad, 1));
        CHECK(!endpoint::parse(too_long, 1));
    }

    TEST_CASE("accept yields the peer's address, and TCP_NODELAY is on at both ends") {
        weir::block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            auto client = co_await connect_to(port_of(listener));
            auto taken = co_await listener.accept();
            REQUIRE(taken.has_value());
            CHECK(taken->peer == client.local_endpoint().value());
            CHECK(taken->stream.peer_endpoint().value() == client.local_endpoint().value());
            CHECK(taken->stream.local_endpoint().value() == client.peer_endpoint().value());
            CHECK(client.no_delay().value());
            CHECK(taken->stream.no_delay().value());
            CHECK(client.set_no_delay(false).has_value());
            CHECK(!client.no_delay().value());
        }());
    }

    TEST_CASE("several tasks accept on one listener, and each connection goes to one of them") {
        weir::block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            std::vector<weir::join_handle<int>> acceptors;
            for (int i = 0; i < 4; ++i) {
                acceptors.push_back(weir::spawn([](tcp_listener& l) -> weir::task<int> {
                    int served = 0;
                    for (;;) {
                        auto a = co_await l.accept();
                        char kind = 0;
                        auto got = co_await a.value().stream.read_exact(std::span(&kind, 1));
                        if (!got || kind == 'q') co_return served;
                        ++served;
                    }
                }, std::ref(listener)));
            }
            for (int i = 0; i < 100; ++i) {
                auto c = co_await connect_to(port_of(listener));
                auto sent = co_await c.write_all("x");
                CHECK(sent.has_value());
            }
            for (int i = 0; i < 4; ++i) {
                auto c = co_await connect_to(port_of(listener));
                auto sent = co_await c.write_all("q");
                CHECK(sent.has_value());
            }
            int served = 0;
            for (auto& each : acceptors) served += co_await each;
            CHECK(served == 100);
        }());
    }

    TEST_CASE("an accept that was woken and is then aborted leaves the connection to the next") {
        weir::block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            const auto accept_one = [](tcp_listener& l) -> weir::task<bool> {
                auto a = co_await l.accept();
                co_return a.has_value();
            };
            auto first = weir::spawn(accept_one, std::ref(listener));
            auto second = weir::spawn(accept_one, std::ref(listener));
            co_await weir::yield_now();
            auto client = co_await connect_to(port_of(listener));
            first.abort();
            auto outcome = co_await first.result();
            if (!outcome) {
                CHECK(co_await second);
            } else {  // it was quicker
                auto other = co_await connect_to(port_of(listener));
                CHECK(co_await second);
            }
        }());
    }

    TEST_CASE("connecting to a port where nobody listens is refused") {
        weir::block_on([]() -> weir::task<> {
            std::uint16_t port = 0;
            {
                auto listener = co_await listen_locally();
                port = port_of(listener);
            }
            auto refused = co_await tcp_stream::connect("127.0.0.1", port);
            REQUIRE(!refused);
            CHECK(refused.error() == std::errc::connection_refused);
        }());
    }

    TEST_CASE("binding a port twice fails, and the error says why") {
        weir::block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            auto again = co_await tcp_listener::bind("127.0.0.1", port_of(listener));
            REQUIRE(!again);
            CHECK(again.error() == std::errc::address_in_use);
        }());
    }

    TEST_CASE("shutdown ends one direction, again is no error, and neither is it after a reset") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            CHECK(c.client.shutdown().has_value());
            CHECK(c.client.shutdown().has_value());
            CHECK(co_await read_all(c.server) == "");
            auto sent = co_await c.server.write_all("still open");
            CHECK(sent.has_value());
            {
                tcp_stream gone = std::move(c.server);
                CHECK(gone.shutdown().has_value());
            }
            CHECK(co_await read_all(c.client) == "still open");

            auto d = co_await connect_pair();
            {
                tcp_stream gone = std::move(d.server);
                CHECK(gone.reset_on_close().has_value());
            }
            std::array<char, 8> room{};
            auto reset = co_await d.client.read_some(room);
            REQUIRE(!reset);
            CHECK(reset.error() == std::errc::connection_reset);
            CHECK(d.client.shutdown().has_value());
        }());
    }

    TEST_CASE("shutting the receiving side down ends a read that waits") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto reading = weir::spawn(read_all(c.server));
            co_await weir::yield_now();
            CHECK(c.server.shutdown(weir::net::shutdown_mode::receive).has_value());
            CHECK(co_await reading == "");
        }());
    }

    TEST_CASE("reads and accepts that lose a select lose nothing") {
        weir::block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            auto client = weir::spawn([](std::uint16_t port) -> weir::task<> {
                auto c = co_await connect_to(port);
                for (int i = 0; i < 500; ++i) {
                    auto sent = co_await c.write_all("0123456789");
                    CHECK(sent.has_value());
                    if (i % 10 == 0) co_await weir::yield_now();
                }
            }, port_of(listener));
            std::optional<tcp_stream> stream;
            while (!stream) {
                auto won = co_await weir::select(listener.accept(), weir::yield_now());
                if (won.index() == 0) stream.emplace(std::move(std::get<0>(won).value().stream));
            }
            weir::byte_buffer in;
            for (bool open = true; open;) {
                auto won = co_await weir::select(stream->read_some(in), weir::yield_now());
                open = won.index() != 0 || std::get<0>(won).value() != 0;
            }
            CHECK(in.size() == 5000);
            for (std::size_t i = 0; i < in.size(); ++i)
                if (in.view()[i] != static_cast<char>('0' + i % 10)) FAIL("lost at ", i);
            co_await client;
        }());
    }

    TEST_CASE("a thousand connections leave no descriptor behind") {
        weir::current_thread_runtime runtime;
        const auto round = [](int count) -> weir::task<> {
            auto listener = co_await listen_locally();
            for (int i = 0; i < count; ++i) {
                auto client = co_await connect_to(port_of(listener));
                auto taken = co_await listener.accept();
                auto sent = co_await taken.value().stream.write_all("hello");
                CHECK(sent.has_value());
                std::array<char, 5> room{};
                auto got = co_await client.read_exact(room);
                CHECK(got.has_value());
                auto refused = co_await weir::timeout(0ms, client.read_some(room));
                CHECK(!refused);
            }
        };
        runtime.block_on(round(1));
        const auto before = open_descriptors();
        runtime.block_on(round(1000));
        CHECK(open_descriptors() <= before);
    }

    TEST_CASE("accept reports at once that there are no descriptors left, and works afterwards") {
        weir::block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            auto client = co_await connect_to(port_of(listener));
            rlimit before{};
            REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
            rlimit none = before;
            none.rlim_cur = 0;
            REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
            auto refused = co_await listener.accept();
            auto again = co_await listener.accept();
            auto no_socket = co_await tcp_stream::connect("127.0.0.1", port_of(listener));
            REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
            REQUIRE(!refused);
            CHECK(refused.error() == std::errc::too_many_files_open);
            REQUIRE(!again);
            CHECK(again.error() == std::errc::too_many_files_open);
            CHECK(!no_socket);
            auto taken = co_await listener.accept();
            CHECK(taken.has_value());
        }());
    }
}
