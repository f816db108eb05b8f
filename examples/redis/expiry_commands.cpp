// Commands on the time that keys have left.

#include "call.hpp"

namespace redis::commands {

namespace {

// The words behind the time of an EXPIRE.
struct expire_condition {
    bool if_none = false;     // NX: the key has no deadline
    bool if_any = false;      // XX: it has one
    bool if_later = false;    // GT: the new one is later; none counts as never
    bool if_earlier = false;  // LT

    bool holds(instant before, instant after) const noexcept {
        if (if_none && before != never) return false;
        if (if_any && before == never) return false;
        if (if_later && after <= before) return false;
        return !if_earlier || after < before;
    }
};

// False: an error has been answered.
bool parse_condition(call& c, expire_condition& only) {
    for (std::size_t i = 3; i < c.args.size(); ++i) {
        if (c.is(i, "NX")) {
            only.if_none = true;
        } else if (c.is(i, "XX")) {
            only.if_any = true;
        } else if (c.is(i, "GT")) {
            only.if_later = true;
        } else if (c.is(i, "LT")) {
            only.if_earlier = true;
        } else {
            c.out.error("ERR Unsupported option " + std::string(c.args[i]));
            return false;
        }
    }
    if (only.if_none && (only.if_any || only.if_later || only.if_earlier)) {
        c.out.error("ERR NX and XX, GT or LT options at the same time are not compatible");
        return false;
    }
    if (only.if_later && only.if_earlier) {
        c.out.error("ERR GT and LT options at the same time are not compatible");
        return false;
    }
    return true;
}

void expire_in(call& c, time_unit unit, std::string_view name) {
    expire_condition only;
    if (!parse_condition(c, only)) return;
    const auto amount = parse_integer(c.args[2]);
    if (!amount) return c.out.error(not_an_integer);
    const auto deadline = deadline_of(*amount, unit, c.now);
    if (!deadline) {
        return c.out.error("ERR invalid expire time in '" + std::string(name) + "' command");
    }
    const std::string_view key = c.args[1];
    store& keys = c.store_of(key);
    const auto before = keys.deadline(key, c.now);
    if (!before || !only.holds(*before, *deadline)) return c.out.integer(0);
    if (*deadline <= c.now) {
        keys.erase(key, c.now);  // a deadline in the past is a way to delete
    } else {
        keys.expire(key, *deadline, c.now);
    }
    c.out.integer(1);
}

// -2: no such key, -1: no deadline.
std::int64_t milliseconds_left(call& c) {
    const auto deadline = c.store_of(c.args[1]).deadline(c.args[1], c.now);
    if (!deadline) return -2;
    if (*deadline == never) return -1;
    return (*deadline - c.now).count();
}

}  // namespace

void expire(call& c) { expire_in(c, time_unit::seconds, "expire"); }
void pexpire(call& c) { expire_in(c, time_unit::milliseconds, "pexpire"); }

void persist(call& c) {
    const std::string_view key = c.args[1];
    store& keys = c.store_of(key);
    const auto deadline = keys.deadline(key, c.now);
    const bool had_one = deadline && *deadline != never;
    if (had_one) keys.expire(key, never, c.now);
    c.out.integer(had_one ? 1 : 0);
}

void ttl(call& c) {
    const std::int64_t left = milliseconds_left(c);
    c.out.integer(left < 0 ? left : left / 1000 + (left % 1000 >= 500 ? 1 : 0));
}

void pttl(call& c) { c.out.integer(milliseconds_left(c)); }

}  // namespace redis::commands
