// Commands on all keys at once.

#include <cerrno>
#include <cstdlib>
#include <limits>
#include <optional>
#include <vector>

#include "call.hpp"
#include "glob.hpp"

namespace redis::commands {

namespace {

void array_of(call& c, const std::vector<std::string_view>& names) {
    c.out.array(names.size());
    for (const std::string_view name : names) c.out.bulk(name);
}

// As strtoul reads it, like redis-server: a sign and an empty text will do.
std::optional<std::uint64_t> parse_cursor(std::string_view text) {
    const std::string copy(text);
    char* end = nullptr;
    errno = 0;
    const std::uint64_t cursor = std::strtoull(copy.c_str(), &end, 10);
    const bool all = end == copy.c_str() + copy.size() && (copy.empty() || copy[0] > ' ');
    if (!all || errno != 0) return std::nullopt;
    return cursor;
}

struct scan_options {
    std::string_view pattern = "*";
    std::int64_t count = 10;
    bool strings = true;  // keys of the one type there is
};

// False: an error has been answered.
bool parse_scan_options(call& c, scan_options& o) {
    for (std::size_t i = 2; i < c.args.size(); i += 2) {
        const bool last = i + 1 == c.args.size();
        if (c.is(i, "COUNT") && !last) {
            const auto count = parse_integer(c.args[i + 1]);
            constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
            if (!count) return c.out.error(not_an_integer), false;
            if (*count < 1 || *count == most) return c.out.error(syntax_error), false;
            o.count = *count;
        } else if (c.is(i, "MATCH") && !last) {
            o.pattern = c.args[i + 1];
        } else if (c.is(i, "TYPE") && !last) {
            o.strings = c.is(i + 1, "STRING");
        } else {
            return c.out.error(syntax_error), false;
        }
    }
    return true;
}

}  // namespace

void dbsize(call& c) {
    std::size_t size = 0;
    for (const store* const s : c.keys->shards()) size += s->size();
    c.out.integer(static_cast<std::int64_t>(size));
}

void flush(call& c) {
    const bool known = c.args.size() == 1 ||
                       (c.args.size() == 2 && (c.is(1, "ASYNC") || c.is(1, "SYNC")));
    if (!known) return c.out.error(syntax_error);
    for (store* const s : c.keys->shards()) s->clear();
    c.out.ok();
}

void keys(call& c) {
    std::vector<std::string_view> found;
    for (const store* const s : c.keys->shards()) {
        constexpr std::size_t every = std::numeric_limits<std::size_t>::max();
        s->scan(0, every, c.now, [&](std::string_view key) {
            if (matches_glob(c.args[1], key)) found.push_back(key);
        });
    }
    array_of(c, found);
}

// The cursor names a shard, in its upper bits, and a place in there.
void scan(call& c) {
    const auto cursor = parse_cursor(c.args[1]);
    if (!cursor) return c.out.error("ERR invalid cursor");
    scan_options o;
    if (!parse_scan_options(c, o)) return;
    constexpr std::uint64_t place = (std::uint64_t{1} << store::cursor_bits) - 1;
    const auto shards = c.keys->shards();
    std::uint64_t shard = *cursor >> store::cursor_bits;
    std::uint64_t next = *cursor & place;
    std::vector<std::string_view> found;
    const auto visit = [&](std::string_view key) {
        if (o.strings && matches_glob(o.pattern, key)) found.push_back(key);
    };
    const auto count = static_cast<std::size_t>(o.count);
    while (shard < shards.size() && found.size() < count) {
        next = shards[shard]->scan(next, count, c.now, visit);
        if (next != 0) break;
        ++shard;
    }
    next = shard < shards.size() ? shard << store::cursor_bits | next : 0;
    c.out.array(2);
    c.out.bulk(std::to_string(next));
    array_of(c, found);
}

}  // namespace redis::commands
