#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/net.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/signal.hpp>
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
using weir_test::listen_locally;
using weir_test::pattern;
using weir_test::port_of;
using weir_test::read_all;

namespace {

// Runs `make()` on multi-thread runtimes of several sizes.
template <class Make>
void on_each_size(Make make) {
    for (std::size_t workers : {1u, 2u, 4u}) {
        CAPTURE(workers);
        weir::runtime_options options;
        options.worker_threads = workers;
        weir::multi_thread_runtime runtime(std::move(options));
        runtime.block_on(make());
    }
}

weir::task<> echo(tcp_stream stream) {
    weir::byte_buffer in;
    for (;;) {
        auto n = co_await stream.read_some(in);
        if (!n || *n == 0) co_return;
        auto sent = co_await stream.write_all(in.view());
        if (!sent) co_return;
        in.clear();
    }
}

weir::task<> accept_and_echo(std::shared_ptr<tcp_listener> listener) {
    for (;;) {
        auto a = co_await listener->accept();
        if (!a) co_return;
        weir::spawn(echo(std::move(a->stream))).detach();
    }
}

// Sends and gets back numbered messages; yields how many came back right.
weir::task<int> converse(std::uint16_t port, int client, int messages) {
    auto stream = co_await connect_to(port);
    int right = 0;
    for (int i = 0; i < messages; ++i) {
        const std::string sent = std::to_string(client) + ":" + std::to_string(i) + ";";
        auto written = co_await stream.write_all(sent);
        std::string back(sent.size(), '\0');
        auto got = co_await stream.read_exact(back);
        if (written && got && back == sent) ++right;
    }
    co_return right;
}

}  // namespace

TEST_SUITE("net_parallel") {
    TEST_CASE("many clients and several acceptors, on several threads") {
        on_each_size([]() -> weir::task<> {
            constexpr int clients = 32, messages = 50;
            auto listener = std::make_shared<tcp_listener>(co_await listen_locally());
            std::vector<weir::join_handle<void>> acceptors;
            for (int i = 0; i < 3; ++i) acceptors.push_back(weir::spawn(accept_and_echo(listener)));
            std::vector<weir::join_handle<int>> running;
            for (int i = 0; i < clients; ++i)
                running.push_back(weir::spawn(converse(port_of(*listener), i, messages)));
            int right = 0;
            for (auto& each : running) right += co_await each;
            CHECK(right == clients * messages);
            for (auto& each : acceptors) each.abort();
            for (auto& each : acceptors) {
                auto ended = co_await each.result();
                CHECK(!ended);
            }
        });
    }

    TEST_CASE("both halves of both ends at work at the same time") {
        on_each_size([]() -> weir::task<> {
            auto c = co_await connect_pair();
            const auto send = [](weir::net::owned_write_half w) -> weir::task<> {
                const std::string text = pattern(500'000);
                auto sent = co_await w.write_all(text);
                CHECK(sent.has_value());
            };
            const auto receive = [](weir::net::owned_read_half r) -> weir::task<bool> {
                weir::byte_buffer in;
                for (;;) {
                    auto n = co_await r.read_some(in);
                    if (n.value() == 0) co_return in.view() == pattern(500'000);
                }
            };
            auto left = std::move(c.client).into_split();
            auto right = std::move(c.server).into_split();
            auto one = weir::spawn(send, std::move(left.second));
            auto two = weir::spawn(send, std::move(right.second));
            auto three = weir::spawn(receive, std::move(left.first));
            auto four = weir::spawn(receive, std::move(right.first));
            CHECK(co_await three);
            CHECK(co_await four);
            co_await one;
            co_await two;
        });
    }

    TEST_CASE("reads that run out of time race with data and lose none of it") {
        on_each_size([]() -> weir::task<> {
            auto c = co_await connect_pair();
            auto writing = weir::spawn([](tcp_stream stream) -> weir::task<> {
                for (int i = 0; i < 300; ++i) {
                    auto sent = co_await stream.write_all("0123456789");
                    CHECK(sent.has_value());
                    co_await weir::sleep_for(std::chrono::microseconds(i % 7 * 20));
                }
            }, std::move(c.client));
            weir::byte_buffer in;
            for (bool open = true; open;) {
                auto n = co_await weir::timeout(50us, c.server.read_some(in));
                open = !n || n->value() != 0;
            }
            CHECK(in.size() == 3000);
            for (std::size_t i = 0; i < in.size(); ++i)
                if (in.view()[i] != static_cast<char>('0' + i % 10)) FAIL("lost at ", i);
            co_await writing;
        });
    }

    TEST_CASE("tasks are aborted while their sockets become ready") {
        on_each_size([]() -> weir::task<> {
            for (int round = 0; round < 100; ++round) {
                auto c = co_await connect_pair();
                auto reading = weir::spawn(echo(std::move(c.server)));
                if (round % 3 != 0) co_await weir::yield_now();
                auto sent = co_await c.client.write_all("x");
                CHECK(sent.has_value());
                if (round % 2 != 0) co_await weir::yield_now();
                reading.abort();
                auto ended = co_await reading.result();
                CHECK(!ended);
                auto rest = co_await c.client.read_some(std::span<char>());
                CHECK(rest.has_value());
            }
        });
    }

    TEST_CASE("a runtime that ends destroys the tasks that wait for sockets") {
        for (int round = 0; round < 10; ++round) {
            weir::runtime_options options;
            options.worker_threads = 2;
            weir::multi_thread_runtime runtime(std::move(options));
            const std::uint16_t port = runtime.block_on([]() -> weir::task<std::uint16_t> {
                auto listener = std::make_shared<tcp_listener>(co_await listen_locally());
                for (int i = 0; i < 2; ++i) weir::spawn(accept_and_echo(listener)).detach();
                co_return port_of(*listener);
            }());
            for (int i = 0; i < 8; ++i) runtime.spawn(converse(port, i, 1'000'000)).detach();
            CHECK(runtime.block_on(converse(port, 9, 20)) == 20);
        }
    }

    TEST_CASE("two runtimes share a connection, and each waits in its own epoll set") {
        weir::runtime_options options;
        options.worker_threads = 2;
        weir::multi_thread_runtime pool(std::move(options));
        weir::current_thread_runtime here;
        auto c = here.block_on(connect_pair());
        auto far = pool.spawn(echo(std::move(c.server)));
        here.block_on([](tcp_stream& stream) -> weir::task<> {
            std::string text = pattern(1000);
            for (int i = 0; i < 200; ++i) {
                auto sent = co_await stream.write_all(text);
                std::string back(text.size(), '\0');
                auto got = co_await stream.read_exact(back);
                CHECK(sent.has_value());
                CHECK(got.has_value());
                CHECK(back == text);
            }
            CHECK(stream.shutdown().has_value());
        }(c.client));
        pool.block_on(std::move(far));
    }

    TEST_CASE("a signal is heard by listeners on every worker") {
        on_each_size([]() -> weir::task<> {
            std::vector<weir::join_handle<void>> waiting;
            for (int i = 0; i < 8; ++i) {
                waiting.push_back(weir::spawn([](weir::signal_listener l) -> weir::task<> {
                    co_await l;
                }, weir::signal(SIGUSR1)));
            }
            ::raise(SIGUSR1);
            for (auto& each : waiting) co_await each;
        });
    }
}
