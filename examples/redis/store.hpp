#pragma once
// The keyspace: keys, values and their deadlines. It knows no clock, no lock and no socket.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <weir/bytes.hpp>

// A key that is past its deadline is gone for every reader at once: each look-up checks. The
// memory comes back later, when purge() takes the expired keys out in the order of their
// deadlines, as many at a time as the caller can afford while it holds the lock.

namespace redis {

/// Unix time in milliseconds, the unit of the protocol.
using instant = std::chrono::sys_time<std::chrono::milliseconds>;
inline constexpr instant never = instant::max();

enum class time_unit : std::uint8_t { seconds, milliseconds };

/// Turns what a client asks for into a deadline; nullopt: it does not fit the clock. `origin` is
/// now for "in ten seconds" and zero for "at ten seconds". This is plain arithmetic, done before
/// any lock is taken, so that an absurd number can break nothing but its own command.
std::optional<instant> deadline_of(std::int64_t amount, time_unit unit, instant origin) noexcept;

/// Hash of a key, with a seed of this process: nobody outside can choose keys that collide.
class key_hash {
public:
    using is_transparent = void;
    // Not noexcept, although it cannot throw: libstdc++ then keeps each key's hash in its node.
    std::size_t operator()(std::string_view key) const;
};

class store {
public:
    /// The value of a key, or null. Valid until the store changes.
    const weir::bytes* find(std::string_view key, instant now);

    /// Sets a key and its deadline.
    void set(std::string_view key, weir::bytes data, instant deadline = never);

    /// The deadline of a key (`never` if it has none); nullopt: there is no such key.
    std::optional<instant> deadline(std::string_view key, instant now);

    /// Replaces the deadline of a key that exists. False: there is no such key.
    bool expire(std::string_view key, instant deadline, instant now);

    bool erase(std::string_view key, instant now);
    void clear() noexcept;

    std::size_t size() const noexcept { return entries_.size(); }
    std::size_t expiring() const noexcept { return deadlines_.size(); }

    /// The earliest deadline, `never` if there is none.
    instant next_deadline() const noexcept;

    /// Calls visit(key) for about `count` of the keys, those in the buckets from `cursor` on, and
    /// returns the cursor to go on with; 0 before the first and after the last key. Every key that
    /// is there all the while is visited at least once: a map that has grown meanwhile has other
    /// buckets, and is visited anew. (So a scan ends when it is faster than the map doubles.)
    template <class Visit>
    std::uint64_t scan(std::uint64_t cursor, std::size_t count, instant now, Visit visit) const {
        const std::size_t buckets = entries_.bucket_count();
        std::size_t bucket = cursor >> 28 == (buckets & low_28) ? cursor & low_28 : 0;
        for (std::size_t seen = 0; bucket < buckets && seen < count; ++bucket) {
            // An empty bucket counts as well: a sparse map must not hold its lock for long.
            ++seen;
            for (auto it = entries_.begin(bucket); it != entries_.end(bucket); ++it) {
                if (it->second.deadline < now) continue;
                visit(std::string_view(it->first));
            }
        }
        return bucket >= buckets ? 0 : (buckets & low_28) << 28 | bucket;
    }
    /// The bits that a cursor takes.
    static constexpr int cursor_bits = 56;

    /// Removes at most `limit` keys that are past their deadline and returns how many it removed.
    std::size_t purge(instant now, std::size_t limit);

private:
    static constexpr std::uint64_t low_28 = (std::uint64_t{1} << 28) - 1;

    struct entry {
        weir::bytes value;
        instant deadline = never;
    };
    using map = std::unordered_map<std::string, entry, key_hash, std::equal_to<>>;

    map::iterator find_live(std::string_view key, instant now);
    void set_deadline(map::iterator it, instant deadline);
    void remove(map::iterator it);

    map entries_;
    // By deadline. The keys belong to entries_, whose nodes stay where they are.
    std::set<std::pair<instant, const std::string*>> deadlines_;
};

}  // namespace redis
