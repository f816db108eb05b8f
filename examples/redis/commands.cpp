#include "commands.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>

#include "call.hpp"

namespace redis {

namespace {

// In the order of their use: the table is searched from the front, and most entries fall at the
// comparison of the lengths.
constexpr std::array table{
    table_entry{"GET", 2, commands::get, key_use::one},
    table_entry{"SET", -3, commands::set, key_use::one},
    table_entry{"PING", -1, commands::ping, key_use::none, true},
    table_entry{"INCR", 2, commands::incr, key_use::one},
    table_entry{"MGET", -2, commands::mget, key_use::each},
    table_entry{"MSET", -3, commands::mset, key_use::each_second},
    table_entry{"DEL", -2, commands::del, key_use::each},
    table_entry{"UNLINK", -2, commands::del, key_use::each},
    table_entry{"EXISTS", -2, commands::exists, key_use::each},
    table_entry{"PUBLISH", 3, commands::publish},
    table_entry{"DECR", 2, commands::decr, key_use::one},
    table_entry{"INCRBY", 3, commands::incrby, key_use::one},
    table_entry{"DECRBY", 3, commands::decrby, key_use::one},
    table_entry{"EXPIRE", -3, commands::expire, key_use::one},
    table_entry{"PEXPIRE", -3, commands::pexpire, key_use::one},
    table_entry{"PERSIST", 2, commands::persist, key_use::one},
    table_entry{"TTL", 2, commands::ttl, key_use::one},
    table_entry{"PTTL", 2, commands::pttl, key_use::one},
    table_entry{"TYPE", 2, commands::type, key_use::one},
    table_entry{"SCAN", -2, commands::scan, key_use::all},
    table_entry{"KEYS", 2, commands::keys, key_use::all},
    table_entry{"ECHO", 2, commands::echo},
    table_entry{"SELECT", 2, commands::select},
    table_entry{"CLIENT", -2, commands::client},
    table_entry{"HELLO", -1, commands::hello},
    table_entry{"AUTH", -2, commands::auth},
    table_entry{"CONFIG", -2, commands::config},
    table_entry{"COMMAND", -1, commands::command_info},
    table_entry{"INFO", -1, commands::info, key_use::all},
    table_entry{"DBSIZE", 1, commands::dbsize, key_use::all},
    table_entry{"FLUSHALL", -1, commands::flush, key_use::all},
    table_entry{"FLUSHDB", -1, commands::flush, key_use::all},
    table_entry{"SUBSCRIBE", -2, commands::subscribe, key_use::none, true},
    table_entry{"UNSUBSCRIBE", -1, commands::unsubscribe, key_use::none, true},
    table_entry{"PSUBSCRIBE", -2, commands::psubscribe, key_use::none, true},
    table_entry{"PUNSUBSCRIBE", -1, commands::punsubscribe, key_use::none, true},
    table_entry{"RESET", 1, commands::reset, key_use::none, true},
    table_entry{"QUIT", -1, commands::quit, key_use::none, true},
};

const table_entry* find_command(std::string_view name) noexcept {
    for (const table_entry& c : table) {
        if (equals_ignoring_case(name, c.name)) return &c;
    }
    return nullptr;
}

std::string lower(std::string_view upper) {
    std::string text(upper);
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return text;
}

// Text of the client as redis-server quotes it: to the first NUL, and no more than `most` bytes.
std::string_view quotable(std::string_view text, std::size_t most) noexcept {
    return text.substr(0, std::min(text.find('\0'), most));
}

void unknown_command(call& c) {
    // What a browser sends when a web page talks to this port behind the user's back.
    if (c.is(0, "POST") || c.is(0, "HOST:")) {
        c.client.end = fate::drop;
        return;
    }
    constexpr std::size_t most = 128;
    std::string text = "ERR unknown command '";
    text.append(quotable(c.args[0], most)).append("', with args beginning with: ");
    const std::size_t begin = text.size();
    for (std::size_t i = 1; i < c.args.size() && text.size() - begin < most; ++i) {
        const std::size_t room = most - (text.size() - begin);
        text.append("'").append(quotable(c.args[i], room)).append("' ");
    }
    c.out.error(text);
}

}  // namespace

std::size_t command_count() noexcept { return table.size(); }

void wrong_arity(call& c, std::string_view full_name) {
    c.out.error("ERR wrong number of arguments for '" + std::string(full_name) + "' command");
}

void unknown_subcommand(call& c, std::string_view command) {
    std::string text = "ERR unknown subcommand '";
    text.append(quotable(c.args[1], 128)).append("'. Try ").append(command).append(" HELP.");
    c.out.error(text);
}

void whole_store::run(const table_entry& command, call& c) {
    const keyspace all(std::span(&store_, 1));
    c.keys = &all;
    command.run(c);
}

void execute(const arguments& args, session& client, server_state& server, key_access& keys,
             instant now, reply_buffer& out) {
    if (args.empty()) return;
    call c{args, client, server, now, out};
    const table_entry* const found = find_command(args[0]);
    if (found == nullptr) return unknown_command(c);
    const auto given = static_cast<int>(std::min<std::size_t>(args.size(), 1'000'000));
    if (found->arity >= 0 ? given != found->arity : given < -found->arity) {
        return wrong_arity(c, lower(found->name));
    }
    if (!found->while_subscribed && client.protocol == 2 && client.subscribed()) {
        return out.error("ERR Can't execute '" + lower(found->name) +
                         "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are "
                         "allowed in this context");
    }
    keys.run(*found, c);
}

std::size_t conversation::answer(std::string_view input, server_state& server, key_access& keys,
                                 instant now, reply_buffer& out) {
    using result = request_parser::result;
    std::size_t used = 0;
    more_ = false;
    client_.published = 0;
    while (client_.end == fate::open && !more_) {
        const result r = parser_.parse(input.substr(used));
        if (r == result::incomplete) break;
        if (r == result::malformed) {
            if (!parser_.error().empty()) out.error(parser_.error());
            client_.end = fate::close_after_reply;
            break;
        }
        execute(parser_.args(), client_, server, keys, now, out);
        used += parser_.size();
        more_ = out.copied() >= batch_size || out.referred() >= referred_size ||
                client_.published >= publish_burst;
    }
    if (client_.end == fate::drop) out.clear();
    return used;
}

void conversation::leave(server_state& server) {
    if (!client_.subscribed()) return;
    server.channels.with([this](channel_hub& h) { h.unsubscribe_all(*client_.listening); });
}

}  // namespace redis
