// Commands about the connection: handshakes, tests of it, and its end.

#include <algorithm>
#include <limits>

#include "call.hpp"

namespace redis {

bool is_client_name(call& c, std::string_view name) {
    const bool printable =
        std::all_of(name.begin(), name.end(), [](char ch) { return ch >= '!' && ch <= '~'; });
    if (!printable) {
        c.out.error("ERR Client names cannot contain spaces, newlines or special characters.");
    }
    return printable;
}

void set_client_name(call& c, std::string_view name) {
    c.client.name = name;
    c.server.clients.with([&](roster& r) {
        const auto own = r.connections.find(c.client.id);
        if (own != r.connections.end()) own->second.name = name;
    });
}

namespace commands {

namespace {

constexpr std::string_view wrong_password =
    "WRONGPASS invalid username-password pair or user is disabled.";

void use_protocol(call& c, int version) {
    c.client.protocol = version;
    c.out.use_resp3(version == 3);
}

}  // namespace

void ping(call& c) {
    if (c.args.size() > 2) return wrong_arity(c, "ping");
    if (c.client.subscribed() && c.client.protocol == 2) {
        // Shaped like a message, so that a listening client can tell it apart.
        c.out.array(2);
        c.out.bulk("pong");
        return c.out.bulk(c.args.size() == 2 ? c.args[1] : "");
    }
    if (c.args.size() == 2) return c.out.bulk(c.args[1]);
    c.out.simple("PONG");
}

void echo(call& c) { c.out.bulk(c.args[1]); }

void quit(call& c) {
    c.out.ok();
    c.client.end = fate::close_after_reply;
}

void reset(call& c) {
    if (c.client.subscribed()) {
        c.server.channels.with([&](channel_hub& h) { h.unsubscribe_all(*c.client.listening); });
    }
    use_protocol(c, 2);
    set_client_name(c, "");
    c.out.simple("RESET");
}

void select(call& c) {
    const auto index = parse_integer(c.args[1]);
    if (!index) return c.out.error(not_an_integer);
    using int_limits = std::numeric_limits<std::int32_t>;
    if (*index < int_limits::min() || *index > int_limits::max()) {
        return c.out.error(
            "ERR value is out of range, value must between -2147483648 and 2147483647");
    }
    if (*index != 0) return c.out.error("ERR DB index is out of range");
    c.out.ok();
}

void auth(call& c) {
    if (c.args.size() > 3) return c.out.error(syntax_error);
    if (c.args.size() == 2) {
        return c.out.error(
            "ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?");
    }
    // The one user there is, "default", has no password: each is the right one.
    if (c.args[1] != "default") return c.out.error(wrong_password);
    c.out.ok();
}

void hello(call& c) {
    int version = c.client.protocol;
    if (c.args.size() > 1) {
        const auto wanted = parse_integer(c.args[1]);
        if (!wanted) {
            return c.out.error("ERR Protocol version is not an integer or out of range");
        }
        if (*wanted < 2 || *wanted > 3) {
            return c.out.error("NOPROTO unsupported protocol version");
        }
        version = static_cast<int>(*wanted);
    }
    bool denied = false;
    std::string name = c.client.name;
    for (std::size_t i = 2; i < c.args.size(); ++i) {
        const std::size_t behind = c.args.size() - i - 1;
        if (c.is(i, "AUTH") && behind >= 2) {
            denied = c.args[i + 1] != "default";
            i += 2;
        } else if (c.is(i, "SETNAME") && behind >= 1) {
            if (!is_client_name(c, c.args[++i])) return;
            name = c.args[i];  // takes effect with the rest, at the end
        } else {
            return c.out.error("ERR Syntax error in HELLO option '" + std::string(c.args[i]) +
                               "'");
        }
    }
    if (denied) return c.out.error(wrong_password);
    if (name != c.client.name) set_client_name(c, name);
    use_protocol(c, version);

    c.out.map(7);
    c.out.bulk("server");
    c.out.bulk("redis");
    c.out.bulk("version");
    c.out.bulk(redis_version);
    c.out.bulk("proto");
    c.out.integer(version);
    c.out.bulk("id");
    c.out.integer(static_cast<std::int64_t>(c.client.id));
    c.out.bulk("mode");
    c.out.bulk("standalone");
    c.out.bulk("role");
    c.out.bulk("master");
    c.out.bulk("modules");
    c.out.array(0);
}

}  // namespace commands

}  // namespace redis
