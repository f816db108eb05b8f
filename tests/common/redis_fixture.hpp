#pragma once
// A server of the Redis example on the test's own runtime, and connections to it.

#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <weir/bytes.hpp>
#include <weir/net.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>
#include <weir/timeout.hpp>

#include "../../examples/redis/client.hpp"
#include "../../examples/redis/server.hpp"

namespace redis_test {

using weir::net::tcp_listener;
using weir::net::tcp_stream;

inline weir::task<tcp_listener> listen() {
    auto listener = co_await tcp_listener::bind("127.0.0.1", 0);
    co_return std::move(listener).value();
}

inline std::uint16_t port_of(const tcp_listener& l) { return l.local_endpoint().value().port(); }

inline weir::task<tcp_stream> connect(std::uint16_t port) {
    auto stream = co_await tcp_stream::connect("127.0.0.1", port);
    co_return std::move(stream).value();
}

inline weir::task<redis::client> connect_client(std::uint16_t port) {
    auto client = co_await redis::client::connect("127.0.0.1", port);
    co_return std::move(client).value();
}

// A server that runs on the test's own runtime until it is told to stop.
class running_server {
public:
    running_server(tcp_listener listener, redis::server_options options)
        : running_server(std::move(listener), options, weir::oneshot::channel<bool>()) {}

    std::uint16_t port() const { return port_; }
    weir::task<redis::server_report> stop() {
        static_cast<void>(stop_.send(true));
        co_return co_await ended_;
    }

private:
    using ends = std::pair<weir::oneshot::sender<bool>, weir::oneshot::receiver<bool>>;

    running_server(tcp_listener listener, redis::server_options options, ends stop)
        : port_(port_of(listener)),
          stop_(std::move(stop.first)),
          ended_(weir::spawn(
              redis::serve(std::move(listener), until_told(std::move(stop.second)), options))) {}

    static weir::task<void> until_told(weir::oneshot::receiver<bool> stop) { co_await stop; }

    std::uint16_t port_;
    weir::oneshot::sender<bool> stop_;
    weir::join_handle<redis::server_report> ended_;
};

inline weir::task<void> with_server(weir::task<void> (*test)(running_server&),
                                    redis::server_options options) {
    auto listener = co_await listen();
    running_server server(std::move(listener), options);
    co_await test(server);
}

inline weir::task<bool> limited(weir::task<void> (*test)(running_server&),
                                redis::server_options options) {
    const auto done = co_await weir::timeout(std::chrono::seconds(60), with_server(test, options));
    co_return done.has_value();
}

inline void run(weir::task<void> (*test)(running_server&), redis::server_options options = {}) {
    CHECK(weir::block_on(limited(test, options)));
}

// The same with the keys in each of the places that there are, on both runtimes.
inline void run_with_every_state(weir::task<void> (*test)(running_server&),
                                 redis::server_options options = {}) {
    for (const auto kind : {redis::state_kind::one_lock, redis::state_kind::shards,
                            redis::state_kind::manager}) {
        CAPTURE(std::string(redis::name_of(kind)));
        options.state = kind;
        CHECK(weir::block_on(limited(test, options)));
        weir::runtime_options threads;
        threads.worker_threads = 2;
        CHECK(weir::run(limited(test, options), threads));
    }
}

// Reads until `wanted` bytes have arrived, or the end.
inline weir::task<std::string> read(tcp_stream& stream, std::size_t wanted) {
    weir::byte_buffer in;
    while (in.size() < wanted) {
        const auto n = co_await stream.read_some(in);
        if (!n || *n == 0) break;
    }
    co_return std::string(in.view());
}

inline weir::task<std::string> read_to_end(tcp_stream& stream) {
    co_return co_await read(stream, static_cast<std::size_t>(-1));
}

// Sends a line and returns what comes back, as long as `reply_size` says.
inline weir::task<std::string> ask(tcp_stream& stream, std::string line, std::size_t reply_size) {
    line += "\r\n";
    const auto written = co_await stream.write_all(line);
    if (!written) co_return "";
    co_return co_await read(stream, reply_size);
}

}  // namespace redis_test
