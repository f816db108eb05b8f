#pragma once
// Many tasks, one connection: the manager task owns it, and the others send it commands.

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/task.hpp>

#include "client.hpp"

// A connection cannot be shared: its requests and replies must not interleave. A lock around it
// would be held during a round trip, one request at a time. A task that owns it needs no lock and
// does better: while one batch of requests is on its way, the channel collects the next, and the
// whole batch travels in one write. The more tasks there are, the larger the batches.
//
//     task ──send(command)──▶ ┌────────────┐
//     task ──send(command)──▶ │ mpsc(32)   │ ──recv_many──▶ manager ══▶ server
//     task ──send(command)──▶ └────────────┘                   │
//       ◀──────────────── oneshot: the reply ──────────────────┘
//
// The channel is the backpressure: the 33rd command waits in its sender.

namespace redis {

/// Where a command's result goes. The receiver may be gone by then, which is no error.
template <class T>
using responder = weir::oneshot::sender<result<T>>;

// The commands have constructors, which makes them safe as temporaries next to a co_await on g++
// 12: it destroys aggregates there twice.

class get_command {
public:
    get_command(std::string k, responder<value> r) : key(std::move(k)), respond(std::move(r)) {}

    std::string key;
    responder<value> respond;
};

class set_command {
public:
    set_command(std::string k, weir::bytes v, responder<void> r)
        : key(std::move(k)), new_value(std::move(v)), respond(std::move(r)) {}

    std::string key;
    weir::bytes new_value;
    responder<void> respond;
};

using command = std::variant<get_command, set_command>;

/// Runs the commands of a channel on a connection, in batches of what is waiting. Ends when the
/// last sender is gone and the channel is drained; the connection closes with it.
weir::task<void> manage(client connection, weir::mpsc::receiver<command> commands);

/// What the tasks hold: a cheap copy each. The manager ends with the last of them.
class shared_client {
public:
    static constexpr std::size_t default_queue = 32;

    /// Spawns a manager for `connection` on the current runtime.
    static shared_client start(client connection, std::size_t queue = default_queue);

    weir::task<result<value>> get(std::string key);
    weir::task<result<void>> set(std::string key, weir::bytes new_value);

private:
    explicit shared_client(weir::mpsc::sender<command> commands)
        : commands_(std::move(commands)) {}

    weir::mpsc::sender<command> commands_;
};

}  // namespace redis
