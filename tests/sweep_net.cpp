// Every suspension of the TCP operations, cancelled, on the simulated network and on the real one.

#include <chrono>
#include <doctest/doctest.h>
#include <optional>
#include <string>
#include <utility>

#include <weir/net.hpp>
#include <weir/once_cell.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/sweep.hpp"
#include "common/tcp.hpp"

using namespace std::chrono_literals;
using namespace weir_test;
using weir::net::tcp_stream;

namespace {

// What read_some has not returned is there for the next one.
struct read_some : scenario {
    weir::task<> victim() {
        pair.emplace(co_await connect_pair());
        writing.emplace(weir::spawn(write()));
        co_await read();
    }
    weir::task<> read() {
        for (std::size_t n = 1; n != 0;) {
            const auto result = co_await pair->server.read_some(in);
            CHECK(result.has_value());
            n = result.value_or(0);
        }
    }
    weir::task<> write() {
        const std::string text = pattern(50);
        for (std::size_t i = 0; i < 50; i += 10) {
            const auto sent = co_await pair->client.write_all(std::string_view(text).substr(i, 10));
            CHECK(sent.has_value());
            co_await weir::yield_now();
        }
        static_cast<void>(pair->client.shutdown());
    }
    weir::task<> after() {
        if (!pair) co_return;
        if (!writing) writing.emplace(weir::spawn(write()));
        co_await read();
        co_await *writing;
        CHECK(in.view() == pattern(50));
    }
    void check() {}

    std::optional<connection> pair;
    std::optional<weir::join_handle<void>> writing;
    weir::byte_buffer in;
};

// write_some says how much it has written: what comes after a cancelled one goes on from there.
struct write_some : scenario {
    weir::task<> victim() {
        connected_pair.emplace(co_await connect_pair());
        co_await write();
    }
    weir::task<> write() {
        const std::string text = pattern(60);
        while (written < text.size()) {
            const auto n =
                co_await connected_pair->client.write_some(std::string_view(text).substr(written));
            CHECK(n.has_value());
            written += n.value_or(text.size());
        }
    }
    weir::task<> after() {
        if (!connected_pair) co_return;
        co_await write();
        static_cast<void>(connected_pair->client.shutdown());
        const std::string got = co_await read_all(connected_pair->server);
        CHECK(got == pattern(60));
    }
    void check() {}

    std::optional<connection> connected_pair;
    std::size_t written = 0;
};

// A connection that accept has not returned is there for the next one.
struct accept_one : scenario {
    weir::task<> victim() {
        listener.emplace(co_await listen_locally());
        static_cast<void>(port.set(port_of(*listener)));
        co_await take();
    }
    weir::task<> take() {
        while (taken < 2) {
            auto one = co_await listener->accept();
            CHECK(one.has_value());
            ++taken;
        }
    }
    weir::task<> beside() {
        const std::uint16_t to = co_await port.wait();
        for (int i = 0; i < 2 && to != 0; ++i) {
            const auto stream = co_await connect_to(to);
            co_await weir::yield_now();
        }
    }
    weir::task<> after() {
        static_cast<void>(port.set(std::uint16_t{0}));
        if (listener) co_await take();
    }
    void check() {}

    std::optional<weir::net::tcp_listener> listener;
    weir::set_once<std::uint16_t> port;
    int taken = 0;
};

// An attempt to connect is given up; the listener goes on.
struct connect_one : scenario {
    weir::task<> victim() {
        const auto listener = co_await listen_locally();
        const auto stream = co_await connect_to(port_of(listener));
    }
    weir::task<> after() {
        auto pair = co_await connect_pair();
        static_cast<void>(co_await pair.client.write_all("x"));
        static_cast<void>(pair.client.shutdown());
        const std::string got = co_await read_all(pair.server);
        CHECK(got == "x");
    }
    void check() {}
};

template <class S>
void sweep_network(std::uint64_t least) {
    sweep_simulation<S>(least);
    sweep_runtime<rt_current_thread, S>();
    sweep_runtime<rt_multi_thread<2>, S>();
}

}  // namespace

TEST_SUITE("cancellation sweep: network") {
    TEST_CASE("read_some") { sweep_network<read_some>(5); }
    TEST_CASE("write_some") { sweep_network<write_some>(5); }
    TEST_CASE("accept") { sweep_network<accept_one>(3); }
    TEST_CASE("connect") { sweep_network<connect_one>(3); }
}
