#pragma once
// A connection to a Redis server, for one task at a time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/net.hpp>
#include <weir/task.hpp>

#include "address.hpp"
#include "reply.hpp"
#include "typed_commands.hpp"

namespace redis {

struct client_options {
    /// For one attempt to connect.
    std::chrono::milliseconds connect_limit = std::chrono::seconds(5);
    /// For the replies to everything that is sent at once.
    std::chrono::milliseconds reply_limit = std::chrono::seconds(30);
};

class subscriber;

/// One connection. Requests may be queued and sent together, which is pipelining: one write, one
/// wait, and the replies in the order of the requests.
///
/// Move-only, and for one call at a time: replies carry no number, so two tasks that wait on the
/// same connection would take each other's. A second call while one runs throws std::logic_error.
/// Tasks that share a connection share a buffered_client instead.
class client : public typed_commands<client> {
public:
    static weir::task<result<client>> connect(address server, client_options options = {});
    static weir::task<result<client>> connect(std::string host, std::uint16_t port) {
        return connect(address{std::move(host), port});
    }

    /// Sends one request and yields its reply, which may be an error that the server answered.
    weir::task<result<reply>> call(request r);

    /// Queues a request for the next exchange(). Plain: it copies the arguments and returns.
    void queue(std::span<const std::string_view> args);
    void queue(std::initializer_list<std::string_view> args) {
        queue(std::span(args.begin(), args.size()));
    }
    void queue(const request& r);

    /// Sends what is queued with one write and collects one reply to each request, in order.
    /// Cancel safety: none. Replies that are still to come would answer the wrong requests, so a
    /// client whose exchange was cancelled, or took too long, refuses to go on.
    weir::task<result<std::vector<reply>>> exchange();

    /// Makes a listener of the connection: it can only listen from then on.
    weir::task<result<subscriber>> subscribe(std::vector<std::string> channels) &&;

private:
    friend class subscriber;

    client(weir::net::tcp_stream stream, client_options options)
        : stream_(std::move(stream)), options_(options) {}

    weir::task<result<void>> send();
    weir::task<result<void>> receive(std::vector<reply>& replies);
    weir::task<result<reply>> receive_one();

    weir::net::tcp_stream stream_;
    client_options options_;
    std::string output_;
    std::size_t queued_ = 0;
    weir::byte_buffer input_;
    reply_parser parser_;
    bool busy_ = false;
};

}  // namespace redis
