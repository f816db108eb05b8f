#pragma once
// A connection to a Redis server, for one task at a time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/expected.hpp>
#include <weir/net.hpp>
#include <weir/task.hpp>

#include "reply.hpp"

namespace redis {

/// Why a command has no result: the connection broke, or the server said no.
class failure {
public:
    explicit failure(std::error_code code) : code_(code), text_(code.message()) {}
    explicit failure(std::string text) : text_(std::move(text)) {}

    /// The error of the connection; zero when the server answered with an error.
    std::error_code code() const noexcept { return code_; }
    const std::string& text() const noexcept { return text_; }

private:
    std::error_code code_;
    std::string text_;
};

template <class T>
using result = weir::expected<T, failure>;

/// What GET yields: the value, or nothing.
using value = std::optional<weir::bytes>;

/// One connection. Requests may be queued and sent together, which is pipelining: one write, one
/// wait, and the replies in the order of the requests.
///
/// Move-only, and for one call at a time: replies carry no number, so two tasks that wait on the
/// same connection would take each other's. A second call while one runs throws std::logic_error.
/// Tasks that share a connection share a manager instead (manager.hpp).
class client {
public:
    static weir::task<result<client>> connect(std::string host, std::uint16_t port);

    weir::task<result<value>> get(std::string key);
    weir::task<result<void>> set(std::string key, weir::bytes new_value);
    /// Sets a key that expires.
    weir::task<result<void>> set(std::string key, weir::bytes new_value,
                                 std::chrono::milliseconds time_to_live);
    weir::task<result<std::string>> ping(std::string message = {});

    /// Queues a request for the next exchange(). Plain: it copies the arguments and returns.
    void queue(std::initializer_list<std::string_view> args);

    /// Sends what is queued with one write and collects one reply to each request, in order.
    /// Cancel safety: none. Replies that are still to come would answer the wrong requests, so a
    /// client whose exchange was cancelled refuses to go on.
    weir::task<result<std::vector<reply>>> exchange();

private:
    explicit client(weir::net::tcp_stream stream) : stream_(std::move(stream)) {}

    weir::task<result<reply>> call();
    weir::task<result<void>> send();
    weir::task<result<void>> receive(std::vector<reply>& replies);

    weir::net::tcp_stream stream_;
    std::string output_;
    std::size_t queued_ = 0;
    weir::byte_buffer input_;
    reply_parser parser_;
    bool busy_ = false;
};

// Replies, as the commands that they answer understand them.
result<value> as_value(reply r);
result<void> as_ok(reply r);
result<std::string> as_text(reply r);

}  // namespace redis
