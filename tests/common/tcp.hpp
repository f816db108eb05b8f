#pragma once
// A listener and a connection on 127.0.0.1, for the tests of TCP.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <weir/bytes.hpp>
#include <weir/net.hpp>
#include <weir/task.hpp>

namespace weir_test {

inline weir::task<weir::net::tcp_listener> listen_locally() {
    auto bound = co_await weir::net::tcp_listener::bind("127.0.0.1", 0);
    co_return std::move(bound).value();
}

inline std::uint16_t port_of(const weir::net::tcp_listener& l) {
    return l.local_endpoint().value().port();
}

inline weir::task<weir::net::tcp_stream> connect_to(std::uint16_t port) {
    auto connected = co_await weir::net::tcp_stream::connect("127.0.0.1", port);
    co_return std::move(connected).value();
}

struct connection {
    connection(weir::net::tcp_stream c, weir::net::tcp_stream s)
        : client(std::move(c)), server(std::move(s)) {}
    weir::net::tcp_stream client;
    weir::net::tcp_stream server;
};

inline weir::task<connection> connect_pair() {
    auto listener = co_await listen_locally();
    auto client = co_await connect_to(port_of(listener));
    auto taken = co_await listener.accept();
    co_return connection(std::move(client), std::move(taken.value().stream));
}

// Reads to the end of the stream.
inline weir::task<std::string> read_all(weir::net::tcp_stream& stream) {
    weir::byte_buffer in;
    for (;;) {
        auto n = co_await stream.read_some(in);
        if (n.value() == 0) co_return std::string(in.view());
    }
}

// Text that shows where it was cut or repeated.
inline std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
    return text;
}

}  // namespace weir_test
