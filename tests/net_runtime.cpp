#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include <weir/net.hpp>
#include <weir/oneshot.hpp>
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
using weir_test::listen_locally;
using weir_test::pattern;
using weir_test::port_of;
using weir_test::read_all;

namespace {

// A coroutine that is not weir's; an exception leaves it where it is resumed.
struct foreign {
    struct promise_type {
        foreign get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { throw; }
    };
};

foreign read_foreign(tcp_stream& stream, std::optional<std::string>& result) {
    std::array<char, 64> room{};
    auto n = co_await stream.read_some(room);
    if (n)
        result = std::string(room.data(), *n);
    else if (n.error() == std::errc::operation_canceled)
        result = "operation_canceled";
    else
        result = n.error().message();
}

}  // namespace

TEST_SUITE("net_runtime") {
    TEST_CASE("a name is resolved without stopping other tasks") {
        weir::block_on([]() -> weir::task<> {
            auto listener = co_await listen_locally();
            bool others_ran = false;
            auto other = weir::spawn([](bool& ran) -> weir::task<> {
                ran = true;
                co_return;
            }, std::ref(others_ran));
            auto named = co_await tcp_stream::connect("localhost", port_of(listener));
            CHECK(named.has_value());
            CHECK(others_ran);
            auto abandoned = co_await weir::timeout(0ms, tcp_stream::connect("localhost", 1));
            CHECK((!abandoned || !*abandoned));
        }());
    }

    TEST_CASE("destroying a stream fails what another task awaits on it") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto owner = std::make_unique<tcp_stream>(std::move(c.server));
            auto halves = owner->split();
            const auto wait_for_data = [](weir::net::read_half r) -> weir::task<std::error_code> {
                std::array<char, 4> room{};
                auto n = co_await r.read_some(room);
                co_return n ? std::error_code() : n.error();
            };
            auto one = weir::spawn(wait_for_data, halves.first);
            auto two = weir::spawn(wait_for_data, halves.first);
            co_await weir::yield_now();
            co_await weir::yield_now();
            owner.reset();
            two.abort();
            CHECK(co_await one == std::errc::operation_canceled);
            auto aborted = co_await two.result();
            CHECK(!aborted);
        }());
    }

    TEST_CASE("a stream goes on on another runtime when its first one has ended") {
        std::optional<connection> c;
        {
            weir::current_thread_runtime first;
            c.emplace(first.block_on(connect_pair()));
            first.block_on([](connection& x) -> weir::task<> {
                std::array<char, 4> room{};
                auto idle = co_await weir::timeout(1ms, x.server.read_some(room));
                CHECK(!idle);
            }(*c));
        }
        weir::block_on([](connection& x) -> weir::task<> {
            auto reading = weir::spawn(read_all(x.server));
            co_await weir::yield_now();
            auto sent = co_await x.client.write_all("moved house");
            CHECK(sent.has_value());
            CHECK(x.client.shutdown().has_value());
            CHECK(co_await reading == "moved house");
        }(*c));
    }

    TEST_CASE("a foreign coroutine reads, and is resumed where the events are taken") {
        weir::current_thread_runtime runtime;
        connection c = runtime.block_on(connect_pair());
        std::optional<std::string> got;
        {
            auto entered = runtime.enter();
            read_foreign(c.server, got);
        }
        CHECK(!got);
        runtime.block_on([](connection& x, std::optional<std::string>& result) -> weir::task<> {
            auto sent = co_await x.client.write_all("from afar");
            CHECK(sent.has_value());
            while (!result) co_await weir::sleep_for(100us);
        }(c, got));
        CHECK(got == "from afar");
    }

    TEST_CASE("an operation that has to wait without a runtime says what it needs") {
        weir::current_thread_runtime runtime;
        connection c = runtime.block_on(connect_pair());
        std::optional<std::string> got;
        CHECK_THROWS_AS(read_foreign(c.server, got), weir::no_runtime_error);
    }

    TEST_CASE("the end of the runtime fails an operation that others wait for") {
        std::optional<connection> c;
        std::optional<std::string> got;
        {
            weir::current_thread_runtime runtime;
            c.emplace(runtime.block_on(connect_pair()));
            auto entered = runtime.enter();
            read_foreign(c->server, got);
            CHECK(!got);
        }
        CHECK(got == "operation_canceled");
    }

    TEST_CASE("a runtime that sleeps in epoll is woken by another thread") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto reading = weir::spawn(read_all(c.server));
            for (int i = 0; i < 100; ++i) {
                auto [tx, rx] = weir::oneshot::channel<int>();
                weir::detail::sync::thread other(
                    [sender = std::move(tx), i]() mutable { static_cast<void>(sender.send(i)); });
                CHECK(co_await rx == i);
                other.join();
            }
            CHECK(!reading.is_finished());
            CHECK(c.client.shutdown().has_value());
            CHECK(co_await reading == "");
        }());
    }

    TEST_CASE("sleeps below a millisecond are not early in a runtime that waits for sockets") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto reading = weir::spawn(read_all(c.server));
            for (int i = 0; i < 50; ++i) {
                const auto start = std::chrono::steady_clock::now();
                co_await weir::sleep_for(200us);
                CHECK(std::chrono::steady_clock::now() - start >= 200us);
            }
            CHECK(c.client.shutdown().has_value());
            CHECK(co_await reading == "");
        }());
    }

    TEST_CASE("a reader that always finds data lets others run") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto sent = co_await c.client.write_all(pattern(20'000));
            CHECK(sent.has_value());
            int turns = 0;
            auto other = weir::spawn([](int& count) -> weir::task<> {
                for (;;) {
                    ++count;
                    co_await weir::yield_now();
                }
            }, std::ref(turns));
            char one = 0;
            for (int i = 0; i < 20'000; ++i) {
                auto got = co_await c.server.read_exact(std::span(&one, 1));
                CHECK(got.has_value());
            }
            CHECK(turns >= 20'000 / 130);  // a turn: the budget of 128, and what it began with
            other.abort();
        }());
    }

    TEST_CASE("tasks that never wait do not keep a socket waiting") {
        weir::block_on([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto reading = weir::spawn(read_all(c.server));
            co_await weir::yield_now();
            auto sent = co_await c.client.write_all("x");
            CHECK(sent.has_value());
            CHECK(c.client.shutdown().has_value());
            int turns = 0;
            while (!reading.is_finished() && turns < 1'000'000) {
                ++turns;
                co_await weir::yield_now();
            }
            CHECK(turns < 1'000'000);
            CHECK(co_await reading == "x");
        }());
    }
}
