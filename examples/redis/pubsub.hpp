#pragma once
// Publish and subscribe: who listens to what, and how a message gets from one to the other.

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/broadcast.hpp>
#include <weir/bytes.hpp>

#include "reply.hpp"

// Messages travel through broadcast rings: a publisher stores one and goes on, each listener takes
// it at its own pace, and one that falls further behind than the ring is long learns that it has
// missed something. So a slow listener costs neither the publisher nor the others anything.
//
// There are 64 rings, however many channels there are: the hash of a channel's name says which one
// is its own, and a listener drops what was meant for others. A ring for each channel would let a
// client that subscribes to a million names make the server reserve a million rings. One more ring
// carries what some pattern matches. The messages of one channel arrive in their order.

namespace redis {

/// One published message, encoded once for all that get it.
class message {
public:
    message(std::uint64_t number, std::uint64_t publisher, std::string_view channel,
            std::string_view text);

    /// In the order of publication.
    std::uint64_t number() const noexcept { return number_; }
    /// The connection that gets it with its reply instead.
    std::uint64_t publisher() const noexcept { return publisher_; }
    std::string_view channel() const noexcept { return channel_.view(); }
    const weir::bytes& text() const noexcept { return text_; }

    /// Appends it as those see it who have subscribed to the channel.
    void append_to(reply_buffer& out) const;

private:
    std::uint64_t number_;
    std::uint64_t publisher_;
    weir::bytes encoded_;  // behind the first byte, which says whether it is RESP2 or RESP3
    weir::bytes channel_;  // parts of it
    weir::bytes text_;
};

using message_ptr = std::shared_ptr<const message>;
using message_receiver = weir::broadcast::receiver<message_ptr>;

/// What a client that subscribes to something has subscribed to.
class subscription {
public:
    static constexpr std::size_t rings = 64;
    static constexpr std::size_t pattern_ring = rings;

    /// A name and the number of the last message before the client asked for it.
    using names = std::map<std::string, std::uint64_t, std::less<>>;

    /// A ring that the connection has to listen to from now on.
    struct feed {
        feed(bool p, message_receiver r) : patterns(p), receiver(std::move(r)) {}
        bool patterns;  // the ring of the patterns, else one of the channels
        message_receiver receiver;
    };

    const names& channels() const noexcept { return channels_; }
    const names& patterns() const noexcept { return patterns_; }
    std::size_t size() const noexcept { return channels_.size() + patterns_.size(); }

    /// The rings that came with the last requests.
    std::vector<feed> take_feeds() { return std::exchange(feeds_, {}); }
    /// Grows when nothing was left of the subscription: the feeds of before are of no use then.
    std::uint64_t generation() const noexcept { return generation_; }

    /// Appends a message as this client is to see it, if it is: once for its channel, or once for
    /// each pattern that matches.
    void deliver_to_channel(const message& m, reply_buffer& out) const;
    void deliver_to_patterns(const message& m, reply_buffer& out) const;

private:
    friend class channel_hub;

    names channels_;
    names patterns_;
    std::vector<feed> feeds_;
    std::bitset<rings + 1> heard_;
    std::uint64_t generation_ = 0;
};

/// Who listens to what. Plain data; the server keeps it under a lock.
class channel_hub {
public:
    /// What a ring keeps for those who are behind.
    static constexpr std::size_t ring_size = 4096;

    void subscribe(subscription& s, std::string_view channel);
    void unsubscribe(subscription& s, std::string_view channel);
    void subscribe_pattern(subscription& s, std::string_view pattern);
    void unsubscribe_pattern(subscription& s, std::string_view pattern);
    void unsubscribe_all(subscription& s);

    struct published {
        std::size_t receivers = 0;
        message_ptr sent;  // null if nobody listens
    };
    /// Sends a message to those who listen to its channel. The publisher itself, if it is among
    /// them, delivers the message to itself, in front of its reply.
    published publish(std::uint64_t publisher, std::string_view channel, std::string_view text);

    /// How far behind the slowest listener of a channel's ring is.
    std::size_t backlog(std::string_view channel) const noexcept;

    std::size_t channel_count() const noexcept { return channels_.size(); }
    std::size_t pattern_count() const noexcept { return patterns_.size(); }

private:
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const noexcept {
            return std::hash<std::string_view>()(s);
        }
    };
    // A name, and how many clients listen to it; a name that nobody listens to is not there.
    using counts = std::unordered_map<std::string, std::size_t, hash, std::equal_to<>>;

    static std::size_t ring_of(std::string_view channel) noexcept;
    void listen(subscription& s, std::size_t ring);
    void send(std::size_t ring, const message_ptr& m);
    void join(counts& to, subscription::names& mine, std::string_view name);
    void leave(counts& from, subscription::names& mine, std::string_view name);
    static void forget_if_empty(subscription& s);

    counts channels_;
    counts patterns_;
    std::array<std::optional<weir::broadcast::sender<message_ptr>>, subscription::rings + 1> rings_;
    std::uint64_t last_number_ = 0;
};

}  // namespace redis
