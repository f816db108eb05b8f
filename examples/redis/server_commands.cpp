// Commands about the server and its clients: what tools and libraries ask before they begin.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <vector>

#include <weir/runtime.hpp>

#include "call.hpp"
#include "glob.hpp"

namespace redis::commands {

namespace {

struct parameter {
    std::string name;
    std::string value;
};

// What tools ask for at start. Nothing is ever written to a disk.
std::vector<parameter> parameters(const server_state& server) {
    return {{"appendonly", "no"},
            {"databases", "1"},
            {"maxclients", std::to_string(server.max_clients)},
            {"maxmemory", "0"},
            {"save", ""}};
}

std::string lower(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

void append_client_line(std::string& out, std::uint64_t id, const roster::entry& e, instant now) {
    const auto age = std::chrono::floor<std::chrono::seconds>(now - e.since).count();
    out.append("id=").append(std::to_string(id)).append(" addr=").append(e.address);
    out.append(" name=").append(e.name).append(" age=").append(std::to_string(age));
    out.append(" db=0 user=default\n");
}

void list_clients(call& c, bool own_only) {
    std::string lines;
    c.server.clients.with([&](const roster& r) {
        for (const auto& [id, e] : r.connections) {
            if (!own_only || id == c.client.id) append_client_line(lines, id, e, c.now);
        }
    });
    c.out.bulk(lines);
}

void append_field(std::string& out, std::string_view name, std::uint64_t value) {
    out.append(name).append(":").append(std::to_string(value)).append("\r\n");
}

// Memory of the process that is in use; 0 where the system does not say.
std::uint64_t resident_memory() {
    std::uint64_t all = 0;
    std::uint64_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void append_server(const call& c, std::string& out) {
    const auto uptime = std::chrono::floor<std::chrono::seconds>(c.now - c.server.started);
    out.append("redis_version:").append(redis_version).append("\r\n");
    out.append("redis_mode:standalone\r\nmultiplexing_api:epoll\r\n");
    append_field(out, "process_id", static_cast<std::uint64_t>(::getpid()));
    append_field(out, "uptime_in_seconds", static_cast<std::uint64_t>(uptime.count()));
    out.append("keys_in:").append(c.server.keys_in).append("\r\n");
}

void append_clients(const call& c, std::string& out) {
    c.server.clients.with([&](const roster& r) {
        append_field(out, "connected_clients", r.connections.size());
    });
    append_field(out, "maxclients", c.server.max_clients);
}

void append_memory(const call&, std::string& out) {
    append_field(out, "used_memory_rss", resident_memory());
}

void append_stats(const call& c, std::string& out) {
    c.server.clients.with([&](const roster& r) {
        append_field(out, "total_connections_received", r.accepted);
        append_field(out, "dropped_connections", r.dropped);
    });
    c.server.channels.with([&](const channel_hub& h) {
        append_field(out, "pubsub_channels", h.channel_count());
        append_field(out, "pubsub_patterns", h.pattern_count());
    });
}

// What the runtime that serves has done: how busy its threads are, and whether work moves around.
void append_runtime(const call&, std::string& out) {
    const auto runtime = weir::runtime_handle::try_current();
    if (!runtime) return;  // the commands can be tried without a server
    const weir::runtime_metrics m = runtime->metrics();
    std::uint64_t turns = 0;
    std::uint64_t steals = 0;
    std::uint64_t parks = 0;
    for (const weir::worker_metrics& w : m.workers) {
        turns += w.polls;
        steals += w.steals;
        parks += w.park_count;
    }
    append_field(out, "runtime_workers", m.workers.size());
    append_field(out, "runtime_alive_tasks", m.alive_tasks);
    append_field(out, "runtime_spawned_tasks", m.spawned_tasks);
    append_field(out, "runtime_turns", turns);
    append_field(out, "runtime_steals", steals);
    append_field(out, "runtime_parks", parks);
    append_field(out, "runtime_forced_yields", m.budget_forced_yields);
    append_field(out, "runtime_queue_depth", m.global_queue_depth);
}

void append_keyspace(const call& c, std::string& out) {
    std::size_t keys = 0;
    std::size_t expiring = 0;
    for (const store* const s : c.keys->shards()) {
        keys += s->size();
        expiring += s->expiring();
    }
    if (keys == 0) return;
    out.append("db0:keys=").append(std::to_string(keys));
    out.append(",expires=").append(std::to_string(expiring)).append(",avg_ttl=0\r\n");
}

struct info_section {
    std::string_view name;   // in upper case
    std::string_view title;
    void (*append)(const call&, std::string&);
};

constexpr std::array sections{
    info_section{"SERVER", "# Server", append_server},
    info_section{"CLIENTS", "# Clients", append_clients},
    info_section{"MEMORY", "# Memory", append_memory},
    info_section{"STATS", "# Stats", append_stats},
    info_section{"RUNTIME", "# Runtime", append_runtime},
    info_section{"KEYSPACE", "# Keyspace", append_keyspace},
};

}  // namespace

void client(call& c) {
    const std::size_t size = c.args.size();
    if (c.is(1, "SETNAME")) {
        if (size != 3) return wrong_arity(c, "client|setname");
        if (!is_client_name(c, c.args[2])) return;
        set_client_name(c, c.args[2]);
        c.out.ok();
    } else if (c.is(1, "GETNAME")) {
        if (size != 2) return wrong_arity(c, "client|getname");
        if (c.client.name.empty()) return c.out.null();
        c.out.bulk(c.client.name);
    } else if (c.is(1, "ID")) {
        if (size != 2) return wrong_arity(c, "client|id");
        c.out.integer(static_cast<std::int64_t>(c.client.id));
    } else if (c.is(1, "INFO")) {
        if (size != 2) return wrong_arity(c, "client|info");
        list_clients(c, true);
    } else if (c.is(1, "LIST")) {
        if (size != 2) return c.out.error(syntax_error);
        list_clients(c, false);
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
    auto found = parameters(c.server);
    std::erase_if(found, [&c](parameter& p) {
        for (std::size_t i = 2; i < c.args.size(); ++i) {
            const std::string wanted = lower(c.args[i]);
            if (!matches_glob(wanted, p.name)) continue;
            if (wanted == p.name) p.name = c.args[i];  // shown as the client spells it
            return false;
        }
        return true;
    });
    c.out.map(found.size());
    for (const parameter& p : found) {
        c.out.bulk(p.name);
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
        if (c.args.size() == 1) return true;
        for (std::size_t i = 1; i < c.args.size(); ++i) {
            if (c.is(i, section) || c.is(i, "ALL") || c.is(i, "DEFAULT") || c.is(i, "EVERYTHING")) {
                return true;
            }
        }
        return false;
    };
    std::string text;
    for (const info_section& s : sections) {
        if (!wanted(s.name)) continue;
        if (!text.empty()) text += "\r\n";
        text.append(s.title).append("\r\n");
        s.append(c, text);
    }
    c.out.bulk(text);
}

}  // namespace redis::commands
