#pragma once
// The server: sockets on one side, connections on the other, and a bound on everything.

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <weir/net.hpp>
#include <weir/task.hpp>

#include "connection.hpp"

namespace redis {

/// What was when the server stopped.
struct server_report {
    std::uint64_t accepted = 0;          // connections since the start
    std::size_t open = 0;                // connections when it was told to stop
    std::size_t cut = 0;                 // those that had not ended when the grace was over
    std::chrono::milliseconds stopping{};  // from the stop to the end
};

/// Serves the connections of `listener` until `stop` completes; then stops accepting, lets each
/// connection answer what it has received, and returns when the last one is closed; those that take
/// longer than the grace are ended. Spawns one task for each connection on the current runtime.
weir::task<server_report> serve(weir::net::tcp_listener listener, weir::task<void> stop,
                                server_options options = {});

}  // namespace redis
