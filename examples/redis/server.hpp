#pragma once
// The server: sockets on one side, conversations on the other, and a bound on everything.

#include <chrono>
#include <cstddef>
#include <memory>

#include <weir/net.hpp>
#include <weir/task.hpp>

namespace redis {

struct server_options {
    std::size_t max_connections = 10'000;
    /// How long connections may take to send their last replies when the server stops.
    std::chrono::milliseconds grace = std::chrono::seconds(5);
};

/// Serves the connections of `listener` until `stop` completes; then stops accepting, lets each
/// connection answer what it has received, and returns when the last one is closed or the grace
/// is over. Spawns one task for each connection on the current runtime.
weir::task<void> serve(weir::net::tcp_listener listener, weir::task<void> stop,
                       server_options options = {});

}  // namespace redis
