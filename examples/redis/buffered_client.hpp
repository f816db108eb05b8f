#pragma once
// Many tasks, one connection: the manager task owns it, and the others send it commands.

#include <cstddef>
#include <string>
#include <utility>

#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/task.hpp>

#include "link.hpp"

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

/// A request, and where its reply goes. The receiver may be gone by then, which is no error.
/// It has a constructor, which makes it safe as a temporary next to a co_await on g++ 12: it
/// destroys aggregates there twice.
class command {
public:
    command(request r, weir::oneshot::sender<result<reply>> to)
        : asked(std::move(r)), respond(std::move(to)) {}

    request asked;
    weir::oneshot::sender<result<reply>> respond;
};

/// Runs the commands of a channel on a connection, in batches of what is waiting. Ends when the
/// last sender is gone and the channel is drained; the connection closes with it.
weir::task<void> manage(link connection, weir::mpsc::receiver<command> commands);

/// What the tasks hold: a cheap copy each. The manager ends with the last of them.
class buffered_client : public typed_commands<buffered_client> {
public:
    static constexpr std::size_t default_queue = 32;

    /// Spawns a manager for `connection` on the current runtime.
    static buffered_client start(link connection, std::size_t queue = default_queue);

    /// Cancel safety: a command whose caller stops waiting may be executed all the same.
    weir::task<result<reply>> call(request r);

private:
    explicit buffered_client(weir::mpsc::sender<command> commands)
        : commands_(std::move(commands)) {}

    weir::mpsc::sender<command> commands_;
};

/// The same with several connections: their managers take from one channel, so that a command goes
/// to whichever is free first. Commands of different tasks may overtake each other.
class pooled_client : public typed_commands<pooled_client> {
public:
    static constexpr std::size_t default_queue = 32;

    static pooled_client start(address server, std::size_t connections, link_options options = {},
                               std::size_t queue = default_queue);

    weir::task<result<reply>> call(request r);

private:
    explicit pooled_client(weir::mpmc::sender<command> commands)
        : commands_(std::move(commands)) {}

    weir::mpmc::sender<command> commands_;
};

}  // namespace redis
