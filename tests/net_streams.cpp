#include <doctest/doctest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/join.hpp>
#include <weir/net.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

#include "common/tcp.hpp"

using namespace std::chrono_literals;
using weir::net::tcp_stream;
using weir_test::connect_pair;
using weir_test::connection;
using weir_test::pattern;
using weir_test::read_all;

namespace {

using weir::cancel_safety;
using bytes_out = std::span<std::byte>;
using bytes_in = std::span<const std::byte>;
template <class A>
constexpr cancel_safety safety = weir::cancel_safety_v<A>;

static_assert(safety<decltype(tcp_stream::connect("", 0))> == cancel_safety::safe);
static_assert(safety<decltype(std::declval<tcp_stream>().read_some(bytes_out()))> ==
              cancel_safety::safe);
static_assert(safety<decltype(std::declval<tcp_stream>().write_some(bytes_in()))> ==
              cancel_safety::safe);
static_assert(safety<decltype(std::declval<tcp_stream>().read_exact(bytes_out()))> ==
              cancel_safety::loses_data);
static_assert(safety<decltype(std::declval<tcp_stream>().write_all(bytes_in()))> ==
              cancel_safety::loses_data);
static_assert(!std::is_copy_constructible_v<tcp_stream>);

}  // namespace

TEST_SUITE("net_streams") {
    TEST_CASE("a stream socket that was made elsewhere can be adopted") {
        weir::block_on([]() -> weir::task<> {
            int ends[2];
            REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
            auto one = tcp_stream::adopt(ends[0]);
            auto two = tcp_stream::adopt(ends[1]);
            auto reading = weir::spawn(read_all(two.value()));
            co_await weir::yield_now();
            auto sent = co_await one.value().write_all("not TCP at all");
            CHECK(sent.has_value());
            CHECK(one->shutdown().has_value());
            CHECK(co_await reading == "not TCP at all");
            CHECK(!tcp_stream::adopt(-1));
        }());
    }

    TEST_CASE("a read at the end of the stream yields 0, and read_exact an error") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto sent = co_await c.client.write_all("abc");
            CHECK(sent.has_value());
            CHECK(c.client.shutdown().has_value());
            std::array<char, 2> two{};
            auto exact = co_await c.server.read_exact(two);
            CHECK(exact.has_value());
            CHECK(std::string_view(two.data(), 2) == "ab");
            exact = co_await c.server.read_exact(two);
            REQUIRE(!exact);
            CHECK(exact.error() == weir::net::error::end_of_stream);
            CHECK(!exact.error().message().empty());
            for (int i = 0; i < 3; ++i) {
                auto end = co_await c.server.read_some(two);
                CHECK(end.value() == 0);
            }
            auto none = co_await c.server.read_some(std::span<char>());
            CHECK(none.value() == 0);
        }());
    }

    TEST_CASE("a write to a peer that has gone is an error and no signal") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            {
                tcp_stream gone = std::move(c.server);
                CHECK(gone.reset_on_close().has_value());
            }
            std::optional<std::error_code> error;
            for (int i = 0; i < 100 && !error; ++i) {
                auto sent = co_await c.client.write_all("into the void");
                if (!sent) error = sent.error();
            }
            REQUIRE(error);
            CHECK((error == std::errc::broken_pipe || error == std::errc::connection_reset));
        }());
    }

    TEST_CASE("the borrowed halves serve two branches of one task") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            const std::string text = pattern(2'000'000);
            auto echo = weir::spawn([](tcp_stream stream) -> weir::task<> {
                weir::byte_buffer in;
                for (;;) {
                    auto n = co_await stream.read_some(in);
                    if (!n || *n == 0) co_return;
                    auto sent = co_await stream.write_all(in.view());
                    if (!sent) co_return;
                    in.clear();
                }
            }, std::move(c.server));
            std::string back(text.size(), '\0');
            auto halves = c.client.split();
            auto both = co_await weir::join(halves.second.write_all(text),
                                            halves.first.read_exact(back));
            CHECK(std::get<0>(both).has_value());
            CHECK(std::get<1>(both).has_value());
            CHECK(back == text);
            CHECK(c.client.shutdown().has_value());
            co_await echo;
        }());
    }

    TEST_CASE("dropping the owned write half sends the end, and the read half goes on") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto halves = std::move(c.client).into_split();
            auto writer = weir::spawn([](weir::net::owned_write_half w) -> weir::task<> {
                auto sent = co_await w.write_all("last words");
                CHECK(sent.has_value());
            }, std::move(halves.second));
            CHECK(co_await read_all(c.server) == "last words");
            co_await writer;
            auto sent = co_await c.server.write_all("heard");
            CHECK(sent.has_value());
            std::array<char, 5> five{};
            auto got = co_await halves.first.read_exact(five);
            CHECK(got.has_value());
            CHECK(std::string_view(five.data(), 5) == "heard");
        }());
    }

    TEST_CASE("halves reunite only with their own other half") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto one = std::move(c.client).into_split();
            auto two = std::move(c.server).into_split();
            auto wrong = weir::net::reunite(std::move(one.first), std::move(two.second));
            REQUIRE(!wrong);
            auto& handed_back = wrong.error();
            auto client = weir::net::reunite(std::move(handed_back.first), std::move(one.second));
            auto server = weir::net::reunite(std::move(two.first), std::move(handed_back.second));
            REQUIRE(client);
            REQUIRE(server);
            auto sent = co_await client->write_all("whole again");
            CHECK(sent.has_value());
            CHECK(client->shutdown().has_value());
            CHECK(co_await read_all(*server) == "whole again");
        }());
    }

    TEST_CASE("peek leaves the bytes, and the try functions never wait") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            std::array<char, 16> room{};
            auto nothing = c.server.try_read_some(std::as_writable_bytes(std::span(room)));
            REQUIRE(!nothing);
            CHECK(nothing.error() == std::errc::operation_would_block);
            CHECK(c.client.try_write_some("peek").value() == 4);
            auto ready = co_await c.server.readable();
            CHECK(ready.has_value());
            for (int i = 0; i < 3; ++i) {
                auto seen = co_await c.server.peek(room);
                CHECK(std::string_view(room.data(), seen.value()) == "peek");
            }
            weir::byte_buffer in;
            CHECK(c.server.try_read_some(in).value() == 4);
            CHECK(in.view() == "peek");
            std::vector<std::byte> lots(1 << 20);
            while (c.client.try_write_some(lots)) {
            }
            nothing = c.client.try_write_some(lots);
            CHECK(nothing.error() == std::errc::operation_would_block);
            auto full = co_await weir::timeout(1ms, c.client.writable());
            CHECK(!full);
        }());
    }

    TEST_CASE("an idle connection holds no buffer, and reading fills what is there") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            weir::byte_buffer in;
            auto idle = co_await weir::timeout(1ms, c.server.read_some(in));
            CHECK(!idle);
            CHECK(in.capacity() == 0);
            const std::string text = pattern(100'000);
            auto writing = weir::spawn([](tcp_stream& s, std::string_view t) -> weir::task<bool> {
                auto sent = co_await s.write_all(t);
                co_return sent.has_value();
            }, std::ref(c.client), std::string_view(text));
            while (in.size() < text.size()) {
                auto n = co_await c.server.read_some(in);
                REQUIRE(n.value() > 0);
            }
            CHECK(in.view() == text);
            CHECK(co_await writing);
        }());
    }

    TEST_CASE("many pieces arrive in order, through a socket that takes little at a time") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            CHECK(c.client.set_send_buffer_size(8192).has_value());
            CHECK(c.server.set_receive_buffer_size(8192).has_value());
            const std::string text = pattern(1'500'000);
            std::vector<std::span<const std::byte>> pieces;
            const auto all = std::as_bytes(std::span(text));
            for (std::size_t at = 0, size = 0; at < all.size(); at += size) {
                size = std::min(all.size() - at, pieces.size() * 37 % 9001);
                pieces.push_back(all.subspan(at, size));
            }
            REQUIRE(pieces.size() > 128);
            auto writing = weir::spawn(
                [](tcp_stream& s, std::span<const std::span<const std::byte>> p) -> weir::task<> {
                    auto sent = co_await s.write_all(p);
                    CHECK(sent.has_value());
                    CHECK(s.shutdown().has_value());
                }, std::ref(c.client), std::span<const std::span<const std::byte>>(pieces));
            CHECK(co_await read_all(c.server) == text);
            co_await writing;
        }());
    }

    TEST_CASE("a writer waits for a slow reader instead of buffering without bound") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            constexpr std::size_t total = 64 << 20;
            std::size_t written = 0;
            auto writing = weir::spawn([](tcp_stream& s, std::size_t& count) -> weir::task<> {
                const std::string block = pattern(1 << 16);
                while (count < total) {
                    auto sent = co_await s.write_all(block);
                    if (!sent) co_return;
                    count += block.size();
                }
                CHECK(s.shutdown().has_value());
            }, std::ref(c.client), std::ref(written));
            std::size_t before = 1;
            while (before != std::exchange(before, written)) co_await weir::sleep_for(5ms);
            CHECK(written < total);
            CHECK(!writing.is_finished());
            std::vector<char> room(1 << 18);
            std::size_t received = 0;
            for (;;) {
                auto n = co_await c.server.read_some(room);
                if (n.value() == 0) break;
                received += *n;
            }
            CHECK(received == total);
            co_await writing;
        }());
    }
}
