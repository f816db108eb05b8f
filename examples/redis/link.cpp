#include "link.hpp"

#include <algorithm>

#include <weir/time.hpp>

namespace redis {

weir::task<result<void>> link::connect() {
    if (client_) co_return result<void>();
    if (!server_) {
        const auto lost = std::make_error_code(std::errc::not_connected);
        co_return weir::unexpected(failure(lost, false));
    }
    const auto give_up = weir::clock::now() + options_.connect_patience;
    backoff pauses(options_.shortest_pause, options_.longest_pause);
    while (true) {
        auto connected = co_await client::connect(*server_, options_.client);
        if (connected) {
            client_.emplace(std::move(*connected));
            co_return result<void>();
        }
        const auto pause = pauses.next();
        if (weir::clock::now() + pause >= give_up) co_return weir::unexpected(connected.error());
        co_await weir::sleep_for(pause);
    }
}

weir::task<result<std::vector<reply>>> link::exchange(std::span<const request> requests) {
    auto ready = co_await connect();
    if (!ready) co_return weir::unexpected(std::move(ready).error());
    for (const request& r : requests) client_->queue(r);
    auto all = co_await client_->exchange();
    if (!all) {
        client_.reset();
        co_return weir::unexpected(std::move(all).error());
    }
    // Of a request that had to ask first, the last reply is the one that counts.
    std::vector<reply> own;
    own.reserve(requests.size());
    std::size_t end = 0;
    for (const request& r : requests) {
        end += r.replies();
        own.push_back(std::move((*all)[end - 1]));
    }
    co_return own;
}

}  // namespace redis
