#pragma once
// What the server understands: one request and the keys in, one reply out. No socket.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <weir/synchronized.hpp>

#include "keyspace.hpp"
#include "pubsub.hpp"
#include "reply.hpp"
#include "request.hpp"

namespace redis {

/// The server whose answers these are, byte for byte; clients decide by it what they may send.
inline constexpr std::string_view redis_version = "7.0.15";

/// The connections there are, as CLIENT LIST and INFO show them.
struct roster {
    struct entry {
        std::string address;
        std::string name;
        instant since;
    };
    std::map<std::uint64_t, entry> connections;
    std::uint64_t accepted = 0;  // since the start; the last connection's id
    std::uint64_t dropped = 0;   // by a limit or a deadline
};

/// What all connections share beside the keys.
struct server_state {
    weir::synchronized<channel_hub> channels;
    weir::synchronized<roster> clients;
    instant started = instant();
    std::size_t max_clients = 0;
    std::string_view keys_in;  // the state layer's name, for INFO
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
    std::unique_ptr<subscription> listening;  // since the first SUBSCRIBE
    std::size_t published = 0;                // in this batch
    std::string burst_channel;                // the last one of a batch that was full of messages

    bool subscribed() const noexcept { return listening && listening->size() != 0; }
};

struct table_entry;
struct call;

/// Where the keys are, as commands see it: runs each with the keys that it needs, and with nobody
/// else at these keys meanwhile.
class key_access {
public:
    virtual ~key_access() = default;
    virtual void run(const table_entry& command, call& c) = 0;
};

/// The keys of one store that nobody else uses: it is the caller's, or locked.
class whole_store final : public key_access {
public:
    explicit whole_store(store& s) noexcept : store_(&s) {}
    void run(const table_entry& command, call& c) override;

private:
    store* store_;
};

/// Executes one request and appends exactly one reply to `out`; none to an empty request. Any
/// request is answered: what is wrong with it becomes an error reply, or the session's end.
void execute(const arguments& args, session& client, server_state& server, key_access& keys,
             instant now, reply_buffer& out);

/// One connection's protocol, without the connection: read buffer in, replies out.
class conversation {
public:
    /// Replies are handed over when they reach this size, even if more requests are waiting: a
    /// client that pipelines without reading must not make the server collect its answers.
    static constexpr std::size_t batch_size = 64 * 1024;
    /// The same for what is only referred to.
    static constexpr std::size_t referred_size = 4 * 1024 * 1024;
    /// A client that publishes more than this lets those who listen catch up.
    static constexpr std::size_t publish_burst = channel_hub::ring_size / 16;

    explicit conversation(std::uint64_t id = 0) { client_.id = id; }

    /// Answers the complete requests at the front of `input` and returns how many bytes they were.
    /// While more() is true, it is to be called again with what is left; else with more input.
    std::size_t answer(std::string_view input, server_state& server, key_access& keys, instant now,
                       reply_buffer& out);

    /// Takes the client off the channels it listens to. To be called before the end of both.
    void leave(server_state& server);

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
