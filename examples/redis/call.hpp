#pragma once
// The command table: one function for each command, called with the number of arguments checked
// and the keys at hand.

#include <cstddef>
#include <string>
#include <string_view>

#include "commands.hpp"

namespace redis {

/// All that a command may use.
struct call {
    const arguments& args;  // args[0] is the command's own name
    session& client;
    server_state& server;
    instant now;
    reply_buffer& out;
    const keyspace* keys = nullptr;  // set while the command runs

    /// Argument i without regard to case; `upper` is in upper case.
    bool is(std::size_t i, std::string_view upper) const noexcept {
        return equals_ignoring_case(args[i], upper);
    }
    /// Where `key`, one of the arguments, lives.
    store& store_of(std::string_view key) const { return keys->of(key); }
};

struct table_entry {
    std::string_view name;  // in upper case
    int arity;              // number of arguments with the name; negative: at least that many
    void (*run)(call&);
    key_use keys = key_use::none;
    bool while_subscribed = false;  // RESP2 has no way to tell other replies from messages
};

/// How many commands there are, as COMMAND COUNT says it.
std::size_t command_count() noexcept;

// Replies that several commands share.
void wrong_arity(call& c, std::string_view full_name);
void unknown_subcommand(call& c, std::string_view command);

/// Whether a client may be called so: names are printed in lines with blanks between the fields.
/// False: an error has been answered.
bool is_client_name(call& c, std::string_view name);
void set_client_name(call& c, std::string_view name);

inline constexpr std::string_view syntax_error = "ERR syntax error";
inline constexpr std::string_view not_an_integer = "ERR value is not an integer or out of range";

namespace commands {

// key_commands.cpp
void get(call& c);
void set(call& c);
void del(call& c);
void exists(call& c);
void mget(call& c);
void mset(call& c);
void incr(call& c);
void decr(call& c);
void incrby(call& c);
void decrby(call& c);
void type(call& c);

// expiry_commands.cpp
void expire(call& c);
void pexpire(call& c);
void persist(call& c);
void ttl(call& c);
void pttl(call& c);

// keyspace_commands.cpp
void dbsize(call& c);
void flush(call& c);
void keys(call& c);
void scan(call& c);

// pubsub_commands.cpp
void subscribe(call& c);
void unsubscribe(call& c);
void psubscribe(call& c);
void punsubscribe(call& c);
void publish(call& c);

// connection_commands.cpp
void ping(call& c);
void echo(call& c);
void quit(call& c);
void reset(call& c);
void select(call& c);
void auth(call& c);
void hello(call& c);

// server_commands.cpp
void client(call& c);
void config(call& c);
void command_info(call& c);
void info(call& c);

}  // namespace commands

}  // namespace redis
