#pragma once
// A connection that is made when it is needed, and made again when it was lost.

#include <chrono>
#include <cstddef>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include <weir/task.hpp>

#include "client.hpp"

namespace redis {

/// The pauses between attempts: each is longer than the one before, up to a limit, and shortened at
/// random, so that the clients of a server that comes back do not all come at the same moment.
class backoff {
public:
    using milliseconds = std::chrono::milliseconds;

    explicit backoff(milliseconds shortest = milliseconds(10),
                     milliseconds longest = milliseconds(1000))
        : shortest_(shortest), longest_(longest), next_(shortest) {}

    milliseconds next() {
        const milliseconds whole = std::exchange(next_, std::min(2 * next_, longest_));
        std::uniform_int_distribution<milliseconds::rep> part(whole.count() / 2, whole.count());
        return milliseconds(part(random_));
    }
    void reset() noexcept { next_ = shortest_; }

private:
    milliseconds shortest_;
    milliseconds longest_;
    milliseconds next_;
    std::minstd_rand random_{std::random_device{}()};
};

struct link_options {
    client_options client;
    /// How long a request waits for a connection before it fails; it has not been sent then.
    std::chrono::milliseconds connect_patience = std::chrono::seconds(10);
    std::chrono::milliseconds shortest_pause = std::chrono::milliseconds(10);
    std::chrono::milliseconds longest_pause = std::chrono::seconds(1);
};

/// For one task at a time, as a client is.
class link {
public:
    explicit link(address server, link_options options = {})
        : server_(std::move(server)), options_(options) {}
    /// A connection that is not made again once it is lost.
    explicit link(client connection) : client_(std::move(connection)) {}

    /// Sends the requests together and yields the reply to each.
    /// Errors  All of them have failed. What was_sent() may have been executed; it is never sent
    ///         again from here, since an INCR that is executed twice is a wrong INCR.
    weir::task<result<std::vector<reply>>> exchange(std::span<const request> requests);

private:
    weir::task<result<void>> connect();

    std::optional<address> server_;
    link_options options_;
    std::optional<client> client_;
};

}  // namespace redis
