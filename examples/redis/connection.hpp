#pragma once
// One connection of the server: a socket on one side, a conversation on the other.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <weir/net.hpp>
#include <weir/notify.hpp>
#include <weir/semaphore.hpp>
#include <weir/task.hpp>

#include "log.hpp"
#include "state_layer.hpp"

namespace redis {

/// What becomes of a client that listens and does not keep up with what is published.
enum class slow_listener : std::uint8_t { disconnect, skip };

struct server_options {
    std::size_t max_connections = 10'000;
    state_kind state = state_kind::one_lock;
    slow_listener slow = slow_listener::disconnect;
    /// How long connections may take to send their last replies when the server stops.
    std::chrono::milliseconds grace = std::chrono::seconds(5);
    /// How long a request that has begun, or a reply, may take; and so long again for every
    /// `least_rate` bytes of it for each second.
    std::chrono::milliseconds patience = std::chrono::seconds(30);
    std::size_t least_rate = 64 * 1024;
    /// How long a client may send nothing at all; zero: for ever.
    std::chrono::milliseconds idle_limit = std::chrono::seconds(0);
    logger log;
};

/// What the accept loop, the connections and the purge share, for as long as the last of them lives.
struct server_context {
    explicit server_context(const server_options& o)
        : options(o),
          state(std::make_shared<server_state>()),
          keys(make_state_layer(o.state, state)),
          free_places(o.max_connections) {}

    const server_options options;
    const std::shared_ptr<server_state> state;
    const std::unique_ptr<state_layer> keys;
    weir::semaphore free_places;
    weir::notify stopping;  // answer what has arrived, then end
    weir::notify ending;    // end now
    weir::synchronized<bool> stopped;
};

/// The task of one connection. Its place is free again when the task ends, however it ends.
weir::task<void> handle_connection(std::shared_ptr<server_context> server,
                                   weir::net::tcp_stream accepted,
                                   weir::semaphore::owned_permit permit);

}  // namespace redis
