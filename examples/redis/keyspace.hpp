#pragma once
// The keys that a command may touch, wherever they are kept.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "store.hpp"

namespace redis {

/// Which arguments of a command are keys: what has to be locked before it runs.
enum class key_use : std::uint8_t {
    none,         // PING
    one,          // GET key
    each,         // MGET key key ...
    each_second,  // MSET key value key value ...
    all           // DBSIZE
};

/// The shard that a key belongs to, by bits of its hash that the maps do not use.
inline std::size_t shard_of(std::string_view key, std::size_t shards) {
    return (key_hash()(key) >> 48) % shards;
}

/// What one command sees of the keys: the shards it has asked for. The others may be null.
class keyspace {
public:
    explicit keyspace(std::span<store* const> shards) noexcept : shards_(shards) {}

    store& of(std::string_view key) const {
        return *shards_[shards_.size() == 1 ? 0 : shard_of(key, shards_.size())];
    }
    std::span<store* const> shards() const noexcept { return shards_; }

private:
    std::span<store* const> shards_;
};

}  // namespace redis
