// Commands about the connection and the server: handshakes, names, and what clients ask first.

#include <unistd.h>

#include <algorithm>
#include <array>

#include "call.hpp"

namespace redis::commands {

namespace {

constexpr std::string_view wrong_password =
    "WRONGPASS invalid username-password pair or user is disabled.";

// A name is printed in lists of clients, one line each, with blanks between the fields.
bool set_name(call& c, std::string_view name) {
    const bool printable =
        std::all_of(name.begin(), name.end(), [](char ch) { return ch >= '!' && ch <= '~'; });
    if (!printable) {
        c.out.error("ERR Client names cannot contain spaces, newlines or special characters.");
        return false;
    }
    c.client.name = name;
    return true;
}

void use_protocol(call& c, int version) {
    c.client.protocol = version;
    c.out.use_resp3(version == 3);
    if (c.client.listening) c.client.listening->use_resp3(version == 3);
}

struct parameter {
    std::string_view name;  // in upper case
    std::string_view shown;
    std::string_view value;
};

// What tools ask for at start. Nothing is ever written to a disk.
constexpr std::array parameters{
    parameter{"APPENDONLY", "appendonly", "no"},
    parameter{"DATABASES", "databases", "1"},
    parameter{"MAXMEMORY", "maxmemory", "0"},
    parameter{"SAVE", "save", ""},
};

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
    if (c.client.listening) c.db.channels.unsubscribe_all(*c.client.listening);
    use_protocol(c, 2);
    c.client.name.clear();
    c.out.simple("RESET");
}

void select(call& c) {
    const auto index = parse_integer(c.args[1]);
    if (!index) return c.out.error(not_an_integer);
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
            if (!set_name(c, c.args[++i])) return;
            std::swap(name, c.client.name);  // takes effect with the rest, at the end
        } else {
            return c.out.error("ERR Syntax error in HELLO option '" + std::string(c.args[i]) +
                               "'");
        }
    }
    if (denied) return c.out.error(wrong_password);
    c.client.name = name;
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

void client(call& c) {
    const std::size_t size = c.args.size();
    if (c.is(1, "SETNAME")) {
        if (size != 3) return wrong_arity(c, "client|setname");
        if (set_name(c, c.args[2])) c.out.ok();
    } else if (c.is(1, "GETNAME")) {
        if (size != 2) return wrong_arity(c, "client|getname");
        if (c.client.name.empty()) return c.out.null();
        c.out.bulk(c.client.name);
    } else if (c.is(1, "ID")) {
        if (size != 2) return wrong_arity(c, "client|id");
        c.out.integer(static_cast<std::int64_t>(c.client.id));
    } else if (c.is(1, "SETINFO")) {
        // A word of Redis 7.2 that libraries send unasked, and some take a refusal amiss.
        if (size != 4) return wrong_arity(c, "client|setinfo");
        c.out.ok();
    } else if (c.is(1, "NO-EVICT")) {
        if (size != 3) return wrong_arity(c, "client|no-evict");
        if (!c.is(2, "ON") && !c.is(2, "OFF")) return c.out.error(syntax_error);
        c.out.ok();
    } else {
        unknown_subcommand(c, "CLIENT");
    }
}

void config(call& c) {
    if (!c.is(1, "GET")) return unknown_subcommand(c, "CONFIG");
    if (c.args.size() < 3) return wrong_arity(c, "config|get");
    const auto wanted = [&c](const parameter& p) {
        for (std::size_t i = 2; i < c.args.size(); ++i) {
            if (c.args[i] == "*" || c.is(i, p.name)) return true;
        }
        return false;
    };
    const auto found = std::count_if(parameters.begin(), parameters.end(), wanted);
    c.out.map(static_cast<std::size_t>(found));
    for (const parameter& p : parameters) {
        if (!wanted(p)) continue;
        c.out.bulk(p.shown);
        c.out.bulk(p.value);
    }
}

void command_info(call& c) {
    // redis-cli asks for the documentation of every command; "none" satisfies it.
    if (c.args.size() == 1) return c.out.array(0);
    if (c.is(1, "COUNT")) {
        if (c.args.size() != 2) return wrong_arity(c, "command|count");
        return c.out.integer(static_cast<std::int64_t>(command_count()));
    }
    if (c.is(1, "DOCS")) return c.out.map(0);
    if (c.is(1, "INFO")) {
        c.out.array(c.args.size() - 2);
        for (std::size_t i = 2; i < c.args.size(); ++i) c.out.null();
        return;
    }
    unknown_subcommand(c, "COMMAND");
}

void info(call& c) {
    const auto wanted = [&c](std::string_view section) {
        bool found = c.args.size() == 1;
        for (std::size_t i = 1; i < c.args.size(); ++i) {
            found = found || c.is(i, section) || c.is(i, "ALL") || c.is(i, "DEFAULT") ||
                    c.is(i, "EVERYTHING");
        }
        return found;
    };
    const auto field = [](std::string& to, std::string_view name, std::uint64_t value) {
        to.append(name).append(":").append(std::to_string(value)).append("\r\n");
    };
    std::string text;
    if (wanted("SERVER")) {
        const auto uptime = std::chrono::floor<std::chrono::seconds>(c.now - c.db.started);
        text.append("# Server\r\nredis_version:").append(redis_version).append("\r\n");
        text.append("redis_mode:standalone\r\nmultiplexing_api:epoll\r\n");
        field(text, "process_id", static_cast<std::uint64_t>(::getpid()));
        field(text, "uptime_in_seconds", static_cast<std::uint64_t>(uptime.count()));
        text.append("\r\n");
    }
    if (wanted("CLIENTS")) {
        text.append("# Clients\r\n");
        field(text, "connected_clients", c.db.connections);
        text.append("\r\n");
    }
    if (wanted("STATS")) {
        text.append("# Stats\r\n");
        field(text, "total_connections_received", c.db.accepted);
        text.append("\r\n");
    }
    if (wanted("KEYSPACE")) {
        text.append("# Keyspace\r\n");
        if (c.db.keys.size() != 0) {
            text.append("db0:keys=").append(std::to_string(c.db.keys.size()));
            text.append(",expires=").append(std::to_string(c.db.keys.expiring()));
            text.append(",avg_ttl=0\r\n");
        }
    }
    c.out.bulk(text);
}

}  // namespace redis::commands
