#pragma once
// A hash map cut into independently locked parts, for many threads at once.
//
//     weir::sharded_map<std::string, weir::bytes> db(64);
//     db.insert_or_assign("key", weir::bytes::from_static("value"));
//     if (std::optional<weir::bytes> value = db.get("key")) use(*value);
//     db.with("hits", [](auto& shard) { shard["hits"] = weir::bytes::from_static("1"); });
//
// A key belongs to one shard for ever: an operation locks that shard's mutex and no other, so
// threads wait only where their keys fall into the same shard. What takes more than one call to be
// right (read, change, write back) goes into with(), which is atomic; two calls are not.
//
// Shards     a power of two, fixed when made, each on cache lines of its own.
// Choice     by the high bits of the mixed hash: the map in a shard uses the low bits, which thus
//            still differ among the keys of one shard, and hashes that are the key itself spread.
// Strings    std::string and weir::bytes keys are looked up by std::string_view, without a copy.

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>  // std::hash, std::equal_to
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/detail/core/config.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/synchronized.hpp>

namespace weir { WEIR_ABI_BEGIN

class bytes;

namespace detail {

/// Hashes every kind of string as the same text.
struct text_hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
        return std::hash<std::string_view>{}(text);
    }
};

/// Whether a std::string_view finds K: the text is all there is to its hash and its equality.
template <class K, class Hash>
inline constexpr bool found_by_view =
    (std::same_as<K, std::string> || std::same_as<K, bytes>)&&std::same_as<Hash, std::hash<K>>;

}  // namespace detail

/// A concurrent map from K to V.
/// Errors: an exception of Hash, K, V or a callable leaves the shard unlocked and travels on.
/// Lifetime: not copyable or movable; tasks share it through a std::shared_ptr.
/// Thread safety: all members may be called from any thread at any time. A callable runs with its
/// shard locked: it must not call members of the same map, and cannot co_await (see synchronized).
template <class K, class V, class Hash = std::hash<K>>
class sharded_map {
    static constexpr bool by_view = detail::found_by_view<K, Hash>;
    using key_hash = std::conditional_t<by_view, detail::text_hash, Hash>;
    using key_equal = std::conditional_t<by_view, std::equal_to<>, std::equal_to<K>>;

public:
    using key_type = K;
    using mapped_type = V;
    /// What a shard is: the argument of the callables that get a whole one.
    using map_type = std::unordered_map<K, V, key_hash, key_equal>;
    /// How a key to look up is passed: a view where that finds it, else a K.
    using lookup_key = std::conditional_t<by_view, std::string_view, const K&>;

    static constexpr std::size_t default_shards = 64;
    static constexpr std::size_t max_shards = 65'536;

    /// Makes a map of at least `shards` shards, a few for each thread that uses it.
    /// Errors: 0 or more than max_shards throws std::invalid_argument.
    explicit sharded_map(std::size_t shards = default_shards) : shards_(checked(shards)) {}

    sharded_map(const sharded_map&) = delete;
    sharded_map& operator=(const sharded_map&) = delete;

    /// Locks the shard of `key`, calls `f(map_type&)` and returns what it returns. The map holds
    /// the other keys of the shard too; adding a key of another shard to it would hide that key.
    template <class F>
    decltype(auto) with(lookup_key key, F&& f) {
        return shard_of(key).with(std::forward<F>(f));
    }
    template <class F>
    decltype(auto) with(lookup_key key, F&& f) const {
        return shard_of(key).with(std::forward<F>(f));
    }

    /// Returns a copy of the value of `key`.
    std::optional<V> get(lookup_key key) const requires std::copy_constructible<V> {
        return with(key, [&](const map_type& map) -> std::optional<V> {
            const auto found = map.find(key);
            if (found == map.end()) return std::nullopt;
            return found->second;
        });
    }

    [[nodiscard]] bool contains(lookup_key key) const {
        return with(key, [&](const map_type& map) { return map.find(key) != map.end(); });
    }

    /// Sets the value of `key`; returns whether the key is new.
    template <class Key>
        requires(std::convertible_to<const Key&, lookup_key> && std::constructible_from<K, Key>)
    bool insert_or_assign(Key&& key, V value) {
        const lookup_key view = key;
        return with(view, [&](map_type& map) {
            if (const auto found = map.find(view); found != map.end()) {
                found->second = std::move(value);
                return false;
            }
            map.emplace(std::forward<Key>(key), std::move(value));
            return true;
        });
    }

    /// Removes `key`; returns whether it was there.
    bool erase(lookup_key key) {
        return with(key, [&](map_type& map) {
            const auto found = map.find(key);
            if (found == map.end()) return false;
            map.erase(found);
            return true;
        });
    }

    /// Counts shard by shard: exact only while nobody adds or removes.
    [[nodiscard]] std::size_t size() const {
        std::size_t n = 0;
        for_each_shard([&](const map_type& map) { n += map.size(); });
        return n;
    }
    [[nodiscard]] bool empty() const { return size() == 0; }

    void clear() {
        for_each_shard([](map_type& map) { map.clear(); });
    }

    /// Calls `f(map_type&)` on every shard in turn, one locked at a time: not a snapshot.
    template <class F>
    void for_each_shard(F&& f) {
        for (shard& s : shards_) s.map.with(f);
    }
    template <class F>
    void for_each_shard(F&& f) const {
        for (const shard& s : shards_) s.map.with(f);
    }

    [[nodiscard]] std::size_t shard_count() const noexcept { return shards_.size(); }

    /// Which shard `key` belongs to, below shard_count(); the same for every map of that many.
    [[nodiscard]] std::size_t shard_index(lookup_key key) const {
        constexpr std::uint64_t odd = 0x9e37'79b9'7f4a'7c15;  // 2^64 / golden ratio
        std::uint64_t h = key_hash{}(key);
        h = (h ^ (h >> 32)) * odd;
        h = (h ^ (h >> 32)) * odd;
        return static_cast<std::size_t>(h >> 48) & (shards_.size() - 1);
    }

private:
    struct alignas(detail::cache_line) shard {
        synchronized<map_type> map;
    };

    static std::size_t checked(std::size_t shards) {
        if (shards == 0 || shards > max_shards) [[unlikely]]
            detail::fail<std::invalid_argument>(
                "weir::sharded_map: the number of shards must be from 1 to 65536; a few for each "
                "thread are enough");
        return std::bit_ceil(shards);
    }

    synchronized<map_type>& shard_of(lookup_key key) { return shards_[shard_index(key)].map; }
    const synchronized<map_type>& shard_of(lookup_key key) const {
        return shards_[shard_index(key)].map;
    }

    std::vector<shard> shards_;
};

WEIR_ABI_END }  // namespace weir
