// Commands on keys and values.

#include <charconv>
#include <limits>

#include "call.hpp"

namespace redis::commands {

namespace {

constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();

void value_or_null(call& c, const weir::bytes* value) {
    if (value == nullptr) return c.out.null();
    c.out.bulk(*value);
}

// The words behind the value of a SET.
struct set_options {
    enum class condition { none, if_missing, if_present };
    condition only = condition::none;
    bool return_old = false;
    bool keep_ttl = false;
    std::size_t amount = 0;  // index of the argument with the time, 0: none
    time_unit unit = time_unit::seconds;
    bool absolute = false;
};

// False: the words do not fit together, or are unknown.
bool parse_set_options(call& c, set_options& o) {
    using condition = set_options::condition;
    for (std::size_t i = 3; i < c.args.size(); ++i) {
        const bool last = i + 1 == c.args.size();
        const auto takes_time = [&](std::string_view word, time_unit unit, bool absolute) {
            if (!c.is(i, word) || last || o.keep_ttl) return false;
            // The same word again replaces the time; another one contradicts it.
            if (o.amount != 0 && (o.unit != unit || o.absolute != absolute)) return false;
            o.unit = unit;
            o.absolute = absolute;
            o.amount = ++i;
            return true;
        };
        if (c.is(i, "NX") && o.only != condition::if_present) {
            o.only = condition::if_missing;
        } else if (c.is(i, "XX") && o.only != condition::if_missing) {
            o.only = condition::if_present;
        } else if (c.is(i, "GET")) {
            o.return_old = true;
        } else if (c.is(i, "KEEPTTL") && o.amount == 0) {
            o.keep_ttl = true;
        } else if (!takes_time("EX", time_unit::seconds, false) &&
                   !takes_time("PX", time_unit::milliseconds, false) &&
                   !takes_time("EXAT", time_unit::seconds, true) &&
                   !takes_time("PXAT", time_unit::milliseconds, true)) {
            return false;
        }
    }
    return true;
}

void set_with_options(call& c) {
    set_options o;
    if (!parse_set_options(c, o)) return c.out.error(syntax_error);
    instant deadline = never;
    if (o.amount != 0) {
        const auto amount = parse_integer(c.args[o.amount]);
        if (!amount) return c.out.error(not_an_integer);
        const auto at = deadline_of(*amount, o.unit, o.absolute ? instant() : c.now);
        if (*amount <= 0 || !at) {
            return c.out.error("ERR invalid expire time in 'set' command");
        }
        deadline = *at;
    }
    const std::string_view key = c.args[1];
    const weir::bytes* const old = c.store_of(key).find(key, c.now);
    const bool blocked = (o.only == set_options::condition::if_missing && old != nullptr) ||
                         (o.only == set_options::condition::if_present && old == nullptr);
    if (o.return_old) {
        value_or_null(c, old);
    } else if (blocked) {
        c.out.null();
    } else {
        c.out.ok();
    }
    if (blocked) return;
    if (o.keep_ttl) deadline = c.store_of(key).deadline(key, c.now).value_or(never);
    c.store_of(key).set(key, weir::bytes::copy_of(c.args[2]), deadline);
}

void increase_by(call& c, std::int64_t amount) {
    const std::string_view key = c.args[1];
    std::int64_t value = 0;
    instant deadline = never;
    if (const weir::bytes* const old = c.store_of(key).find(key, c.now)) {
        const auto number = parse_integer(old->view());
        if (!number) return c.out.error(not_an_integer);
        value = *number;
        deadline = c.store_of(key).deadline(key, c.now).value_or(never);
    }
    if (amount >= 0 ? value > most - amount : value < least - amount) {
        return c.out.error("ERR increment or decrement would overflow");
    }
    value += amount;
    c.store_of(key).set(key, weir::bytes(std::to_string(value)), deadline);
    c.out.integer(value);
}

}  // namespace

void get(call& c) { value_or_null(c, c.store_of(c.args[1]).find(c.args[1], c.now)); }

void set(call& c) {
    if (c.args.size() > 3) return set_with_options(c);
    c.store_of(c.args[1]).set(c.args[1], weir::bytes::copy_of(c.args[2]));
    c.out.ok();
}

void del(call& c) {
    std::int64_t erased = 0;
    for (std::size_t i = 1; i < c.args.size(); ++i) erased += c.store_of(c.args[i]).erase(c.args[i], c.now);
    c.out.integer(erased);
}

void exists(call& c) {
    std::int64_t found = 0;
    for (std::size_t i = 1; i < c.args.size(); ++i) {
        found += c.store_of(c.args[i]).find(c.args[i], c.now) != nullptr;
    }
    c.out.integer(found);
}

void mget(call& c) {
    c.out.array(c.args.size() - 1);
    for (std::size_t i = 1; i < c.args.size(); ++i) {
        value_or_null(c, c.store_of(c.args[i]).find(c.args[i], c.now));
    }
}

void mset(call& c) {
    if (c.args.size() % 2 == 0) return wrong_arity(c, "mset");
    for (std::size_t i = 1; i < c.args.size(); i += 2) {
        c.store_of(c.args[i]).set(c.args[i], weir::bytes::copy_of(c.args[i + 1]));
    }
    c.out.ok();
}

void incr(call& c) { increase_by(c, 1); }
void decr(call& c) { increase_by(c, -1); }

void incrby(call& c) {
    const auto amount = parse_integer(c.args[2]);
    if (!amount) return c.out.error(not_an_integer);
    increase_by(c, *amount);
}

void decrby(call& c) {
    const auto amount = parse_integer(c.args[2]);
    if (!amount) return c.out.error(not_an_integer);
    if (*amount == least) return c.out.error("ERR decrement would overflow");
    increase_by(c, -*amount);
}

void type(call& c) {
    c.out.simple(c.store_of(c.args[1]).find(c.args[1], c.now) != nullptr ? "string" : "none");
}

}  // namespace redis::commands
