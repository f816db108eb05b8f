#pragma once
// What the server understands: one request and the keyspace in, one reply out. No socket, no lock.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pubsub.hpp"
#include "reply.hpp"
#include "request.hpp"
#include "store.hpp"

namespace redis {

/// The server whose answers these are, byte for byte; clients decide by it what they may send.
inline constexpr std::string_view redis_version = "7.0.15";

/// What the connections of a server share.
struct database {
    store keys;
    channel_hub channels;
    instant started = instant();
    std::uint64_t connections = 0;  // open now
    std::uint64_t accepted = 0;     // since the start; the last connection's id
    bool stopping = false;
};

/// What happens to a connection after a reply.
enum class fate : std::uint8_t {
    open,
    close_after_reply,
    drop  // close at once, and without the replies that were not sent yet
};

/// What the server remembers of one client.
struct session {
    std::uint64_t id = 0;
    int protocol = 2;
    std::string name;
    fate end = fate::open;
    std::unique_ptr<subscriber> listening;  // since the first SUBSCRIBE

    bool subscribed() const noexcept { return listening && !listening->channels().empty(); }
};

/// Executes one request and appends exactly one reply to `out`; none to an empty request. Any
/// request is answered: what is wrong with it becomes an error reply, or the session's end.
void execute(const arguments& args, session& client, database& db, instant now, reply_buffer& out);

/// One connection's protocol, without the connection: read buffer in, replies out.
class conversation {
public:
    /// Replies are handed over when they reach this size, even if more requests are waiting: a
    /// client that pipelines without reading must not make the server collect its answers.
    static constexpr std::size_t batch_size = 64 * 1024;

    explicit conversation(std::uint64_t id = 0) { client_.id = id; }

    /// Answers the complete requests at the front of `input` and returns how many bytes they were.
    /// While more() is true, it is to be called again with what is left; else with more input.
    std::size_t answer(std::string_view input, database& db, instant now, reply_buffer& out);

    /// Takes the client off the channels it listens to. To be called before the end of both.
    void leave(database& db);

    /// The last batch was full, so complete requests may be left in the input.
    bool more() const noexcept { return more_; }
    fate end() const noexcept { return client_.end; }
    session& client() noexcept { return client_; }
    const request_parser& parser() const noexcept { return parser_; }

private:
    request_parser parser_;
    session client_;
    bool more_ = false;
};

}  // namespace redis
