#pragma once
// Commands with types: what every client of this folder can do, given a way to call.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/task.hpp>

#include "failure.hpp"
#include "outgoing_request.hpp"
#include "reply.hpp"

namespace redis {

/// What GET yields: the value, or nothing.
using value = std::optional<weir::bytes>;

// Replies, as the commands that they answer understand them.
result<value> as_value(reply r);
result<void> as_ok(reply r);
result<std::string> as_text(reply r);
result<std::int64_t> as_integer(reply r);

/// The commands of a client that has `task<result<reply>> call(request)`.
template <class Client>
class typed_commands {
public:
    weir::task<result<value>> get(std::string_view key) {
        return ask(request({"GET", key}), as_value);
    }
    weir::task<result<void>> set(std::string_view key, const weir::bytes& data) {
        return ask(request({"SET", key, data}), as_ok);
    }
    /// Sets a key that expires.
    weir::task<result<void>> set(std::string_view key, const weir::bytes& data,
                                 std::chrono::milliseconds time_to_live) {
        const std::string time = std::to_string(time_to_live.count());
        return ask(request({"SET", key, data, "PX", time}), as_ok);
    }
    /// Adds one to the number that a key holds, and yields the sum.
    weir::task<result<std::int64_t>> incr(std::string_view key) {
        return ask(request({"INCR", key}), as_integer);
    }
    /// Yields how many keys there were to delete: 1 or 0.
    weir::task<result<std::int64_t>> del(std::string_view key) {
        return ask(request({"DEL", key}), as_integer);
    }
    /// Yields how many clients listen.
    weir::task<result<std::int64_t>> publish(std::string_view channel,
                                             const weir::bytes& message) {
        return ask(request({"PUBLISH", channel, message}), as_integer);
    }
    weir::task<result<std::string>> ping(std::string_view message = {}) {
        return ask(message.empty() ? request({"PING"}) : request({"PING", message}), as_text);
    }

protected:
    ~typed_commands() = default;

private:
    // The request is encoded before anything is awaited: no argument has to outlive the call.
    template <class T>
    weir::task<result<T>> ask(request q, result<T> (*as)(reply)) {
        auto r = co_await static_cast<Client&>(*this).call(std::move(q));
        co_return std::move(r).and_then(as);
    }
};

}  // namespace redis
