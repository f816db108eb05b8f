#pragma once
// Which node of a cluster has a key: its slot, and the table of slots.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "address.hpp"
#include "reply.hpp"

namespace redis {

inline constexpr std::size_t slot_count = 16384;

/// The slot of a key: CRC-16/XMODEM of the key, or of the part in its first pair of braces, so that
/// `{user1}:name` and `{user1}:mail` are together. As the Redis cluster specification says.
std::uint16_t slot_of(std::string_view key) noexcept;

/// Where MOVED and ASK send a client, as in "MOVED 3999 127.0.0.1:6381".
struct redirection {
    enum class kind : std::uint8_t { moved, ask };
    kind what;
    std::uint16_t slot;
    address to;
};
std::optional<redirection> parse_redirection(std::string_view error);

/// The master of a range of slots.
struct slot_range {
    std::uint16_t first;
    std::uint16_t last;
    address master;
};
/// Reads the reply to CLUSTER SLOTS; ranges that make no sense are left out.
std::vector<slot_range> parse_slots(const reply& r);

}  // namespace redis
