#pragma once
// Publish and subscribe: who listens to which channel, and the queue that each listener has.

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/mpsc.hpp>

#include "reply.hpp"

// A message is encoded once and its bytes are shared by all queues it waits in. A listener that
// does not keep up fills its queue; then its sender is dropped, it reads what is left, and its
// connection ends. So a slow listener costs a bounded queue, and the publisher never waits.

namespace redis {

/// A client that listens, from its first SUBSCRIBE to the end of its connection.
class subscriber {
public:
    static constexpr std::size_t queue_size = 1024;

    subscriber() : subscriber(weir::mpsc::channel<weir::bytes>(queue_size)) {}

    void use_resp3(bool on) noexcept { resp3_ = on; }
    bool uses_resp3() const noexcept { return resp3_; }
    const std::set<std::string, std::less<>>& channels() const noexcept { return channels_; }

    /// The encoded messages; nullopt after the last one that fit, when there were too many.
    weir::mpsc::receiver<weir::bytes>& messages() noexcept { return messages_; }

private:
    friend class channel_hub;
    using queue = std::pair<weir::mpsc::sender<weir::bytes>, weir::mpsc::receiver<weir::bytes>>;

    explicit subscriber(queue q) : deliver_(std::move(q.first)), messages_(std::move(q.second)) {}

    std::optional<weir::mpsc::sender<weir::bytes>> deliver_;
    weir::mpsc::receiver<weir::bytes> messages_;
    std::set<std::string, std::less<>> channels_;
    bool resp3_ = false;
};

/// The channels that somebody listens to; there are no others. Not locked: part of the database.
class channel_hub {
public:
    void subscribe(subscriber& s, std::string_view channel);
    void unsubscribe(subscriber& s, std::string_view channel);
    void unsubscribe_all(subscriber& s);

    /// Queues a message for every listener and returns how many there are. The publisher itself,
    /// if it listens, finds the message in `out`, in front of its reply.
    std::size_t publish(std::string_view channel, std::string_view message, const subscriber* self,
                        reply_buffer& out);

private:
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view s) const noexcept {
            return std::hash<std::string_view>()(s);
        }
    };
    std::unordered_map<std::string, std::vector<subscriber*>, hash, std::equal_to<>> listeners_;
};

}  // namespace redis
