#pragma once
// A connection that listens to channels.

#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/task.hpp>

#include "client.hpp"

namespace redis {

/// What a subscriber gets.
struct received_message {
    received_message(std::string c, weir::bytes t, std::string p = {})
        : channel(std::move(c)), text(std::move(t)), pattern(std::move(p)) {}

    std::string channel;
    weir::bytes text;
    std::string pattern;  // the one that matched; empty for a channel's own message
};

/// Listens to channels and patterns. Made by client::subscribe. For one call at a time.
class subscriber {
public:
    explicit subscriber(client connection) : connection_(std::move(connection)) {}

    const std::set<std::string>& channels() const noexcept { return channels_; }
    const std::set<std::string>& patterns() const noexcept { return patterns_; }

    /// The next message, whenever it comes: there is no time limit.
    /// Cancel safety: safe; a message that was not yielded is yielded next time.
    weir::task<result<received_message>> next_message();

    // Each waits for the server's confirmations; messages that arrive meanwhile are kept. An empty
    // list to leave means all of them.
    weir::task<result<void>> subscribe(std::vector<std::string> channels);
    weir::task<result<void>> unsubscribe(std::vector<std::string> channels = {});
    weir::task<result<void>> psubscribe(std::vector<std::string> patterns);
    weir::task<result<void>> punsubscribe(std::vector<std::string> patterns = {});

private:
    weir::task<result<void>> change(std::string command, std::vector<std::string> names,
                                    std::size_t confirmations);
    weir::task<result<std::size_t>> confirm(std::string command, std::size_t confirmations);
    std::optional<received_message> message_of(const reply& r) const;
    void note(std::string_view what, const reply& name);

    client connection_;
    std::set<std::string> channels_;
    std::set<std::string> patterns_;
    std::deque<received_message> kept_;
};

}  // namespace redis
