#pragma once
// Where the keys are: three ways to share state between connections, behind one interface.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <weir/bytes.hpp>
#include <weir/task.hpp>

#include "commands.hpp"

// one lock    one store behind a weir::synchronized. All requests of one read are answered under
//             one lock: the cheapest, and never contended on a current-thread runtime.
// shards      64 stores with a lock each; a command locks the shards of its keys, in their order,
//             so that no two commands wait for each other. For several threads.
// manager     one task owns the store, and nothing is locked. What travels to it and back is the
//             client's whole side of the server, by unique_ptr: nobody shares anything, and a
//             connection that ends meanwhile leaves nothing behind that somebody points to.

namespace redis {

enum class state_kind : std::uint8_t { one_lock, shards, manager };

std::optional<state_kind> parse_state_kind(std::string_view name) noexcept;
std::string_view name_of(state_kind kind) noexcept;

/// What belongs to one connection beside its socket. The server knows of it for as long as it lives.
class client_side {
public:
    client_side(std::shared_ptr<server_state> server, std::string address);
    client_side(const client_side&) = delete;
    client_side& operator=(const client_side&) = delete;
    ~client_side();

private:
    std::shared_ptr<server_state> server_;

public:
    conversation talk;
    weir::byte_buffer input;
    reply_buffer output;
};

using client_ptr = std::unique_ptr<client_side>;

class state_layer {
public:
    state_layer() = default;
    state_layer(const state_layer&) = delete;
    state_layer& operator=(const state_layer&) = delete;
    virtual ~state_layer() = default;

    /// Answers complete requests of the input, one batch at most, into the output, and gives the
    /// client back; null if the layer is gone.
    virtual weir::task<client_ptr> answer(client_ptr client) = 0;

    /// Removes at most `limit` keys that have expired, and returns how many it removed.
    virtual weir::task<std::size_t> purge(std::size_t limit) = 0;
};

/// Makes a layer, inside of a runtime: one of them spawns a task there.
std::unique_ptr<state_layer> make_state_layer(state_kind kind,
                                              std::shared_ptr<server_state> server);

}  // namespace redis
