#pragma once
// For programs without coroutines: the same client, each call of which blocks the thread.

#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/runtime.hpp>

#include "client.hpp"
#include "subscriber.hpp"

namespace redis {

class blocking_subscriber;

/// A client and the current-thread runtime that its calls run on. Nothing happens between calls.
class blocking_client {
public:
    static result<blocking_client> connect(address server, client_options options = {}) {
        auto runtime = std::make_unique<weir::current_thread_runtime>();
        auto connected = runtime->block_on(client::connect(std::move(server), options));
        if (!connected) return weir::unexpected(std::move(connected).error());
        return blocking_client(std::move(runtime), std::move(*connected));
    }

    result<value> get(std::string_view key) { return wait(client_.get(key)); }
    result<void> set(std::string_view key, const weir::bytes& data) {
        return wait(client_.set(key, data));
    }
    result<void> set(std::string_view key, const weir::bytes& data,
                     std::chrono::milliseconds time_to_live) {
        return wait(client_.set(key, data, time_to_live));
    }
    result<std::int64_t> incr(std::string_view key) { return wait(client_.incr(key)); }
    result<std::int64_t> del(std::string_view key) { return wait(client_.del(key)); }
    result<std::int64_t> publish(std::string_view channel, const weir::bytes& message) {
        return wait(client_.publish(channel, message));
    }
    result<std::string> ping(std::string_view message = {}) { return wait(client_.ping(message)); }
    result<reply> call(request r) { return wait(client_.call(std::move(r))); }

    result<blocking_subscriber> subscribe(std::vector<std::string> channels) &&;

private:
    using runtime_ptr = std::unique_ptr<weir::current_thread_runtime>;

    blocking_client(runtime_ptr runtime, client connected)
        : runtime_(std::move(runtime)), client_(std::move(connected)) {}

    template <class T>
    T wait(weir::task<T> call) {
        return runtime_->block_on(std::move(call));
    }

    runtime_ptr runtime_;  // first: it outlives the connection
    client client_;
};

class blocking_subscriber {
public:
    /// Blocks until there is one.
    result<received_message> next_message() { return wait(subscriber_.next_message()); }
    result<void> subscribe(std::vector<std::string> channels) {
        return wait(subscriber_.subscribe(std::move(channels)));
    }
    result<void> unsubscribe(std::vector<std::string> channels = {}) {
        return wait(subscriber_.unsubscribe(std::move(channels)));
    }
    const std::set<std::string>& channels() const noexcept { return subscriber_.channels(); }

private:
    friend class blocking_client;
    using runtime_ptr = std::unique_ptr<weir::current_thread_runtime>;

    blocking_subscriber(runtime_ptr runtime, subscriber s)
        : runtime_(std::move(runtime)), subscriber_(std::move(s)) {}

    template <class T>
    T wait(weir::task<T> call) {
        return runtime_->block_on(std::move(call));
    }

    runtime_ptr runtime_;
    subscriber subscriber_;
};

inline result<blocking_subscriber> blocking_client::subscribe(
    std::vector<std::string> channels) && {
    auto listening = wait(std::move(client_).subscribe(std::move(channels)));
    if (!listening) return weir::unexpected(std::move(listening).error());
    return blocking_subscriber(std::move(runtime_), std::move(*listening));
}

}  // namespace redis
