#include "store.hpp"

#include <cstring>
#include <limits>
#include <random>

namespace redis {

namespace {

std::uint64_t process_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

// Folds the 128-bit product of two words: every bit of the result depends on all bits of both.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
    __extension__ using wide = unsigned __int128;
    const wide product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

std::size_t key_hash::operator()(std::string_view key) const {
    static const std::uint64_t seed = process_seed();
    constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;  // 2^64 / golden ratio
    std::uint64_t h = seed ^ mix(key.size() ^ odd, odd);
    while (key.size() > 8) {
        std::uint64_t word;
        std::memcpy(&word, key.data(), 8);
        h = mix(h ^ word, odd ^ seed);
        key.remove_prefix(8);
    }
    std::uint64_t rest = 0;
    if (!key.empty()) std::memcpy(&rest, key.data(), key.size());
    return static_cast<std::size_t>(mix(h ^ rest, odd));
}

std::optional<instant> deadline_of(std::int64_t amount, time_unit unit, instant origin) noexcept {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
    if (unit == time_unit::seconds) {
        if (amount > most / 1000 || amount < least / 1000) return std::nullopt;
        amount *= 1000;
    }
    const std::int64_t base = origin.time_since_epoch().count();
    if (amount > most - base) return std::nullopt;
    return instant(std::chrono::milliseconds(base + amount));
}

store::map::iterator store::find_live(std::string_view key, instant now) {
    const auto it = entries_.find(key);
    if (it == entries_.end() || it->second.deadline >= now) return it;
    remove(it);
    return entries_.end();
}

const weir::bytes* store::find(std::string_view key, instant now) {
    const auto it = find_live(key, now);
    return it == entries_.end() ? nullptr : &it->second.value;
}

void store::set(std::string_view key, weir::bytes data, instant deadline) {
    auto it = entries_.find(key);
    if (it == entries_.end()) it = entries_.try_emplace(std::string(key)).first;
    it->second.value = std::move(data);
    set_deadline(it, deadline);
}

std::optional<instant> store::deadline(std::string_view key, instant now) {
    const auto it = find_live(key, now);
    if (it == entries_.end()) return std::nullopt;
    return it->second.deadline;
}

bool store::expire(std::string_view key, instant deadline, instant now) {
    const auto it = find_live(key, now);
    if (it == entries_.end()) return false;
    set_deadline(it, deadline);
    return true;
}

bool store::erase(std::string_view key, instant now) {
    const auto it = find_live(key, now);
    if (it == entries_.end()) return false;
    remove(it);
    return true;
}

void store::clear() noexcept {
    deadlines_.clear();
    entries_.clear();
}

instant store::next_deadline() const noexcept {
    return deadlines_.empty() ? never : deadlines_.begin()->first;
}

std::size_t store::purge(instant now, std::size_t limit) {
    std::size_t removed = 0;
    while (removed < limit && next_deadline() < now) {
        remove(entries_.find(*deadlines_.begin()->second));
        ++removed;
    }
    return removed;
}

void store::set_deadline(map::iterator it, instant deadline) {
    if (it->second.deadline == deadline) return;
    if (it->second.deadline != never) deadlines_.erase({it->second.deadline, &it->first});
    it->second.deadline = deadline;
    if (deadline != never) deadlines_.emplace(deadline, &it->first);
}

void store::remove(map::iterator it) {
    if (it->second.deadline != never) deadlines_.erase({it->second.deadline, &it->first});
    entries_.erase(it);
}

}  // namespace redis
