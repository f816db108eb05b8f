#include "client.hpp"

#include <stdexcept>
#include <utility>

#include <weir/join.hpp>

#include "request.hpp"

namespace redis {

namespace {

failure unexpected_reply() { return failure("the server sent a reply of an unexpected type"); }

weir::unexpected<failure> refused(const reply& r) {
    return weir::unexpected(r.is_error() ? failure(std::string(r.view())) : unexpected_reply());
}

// Marks a client as in use. A cancelled exchange leaves the mark: its replies are still to come.
class in_use {
public:
    explicit in_use(bool& busy) : busy_(busy) {
        if (busy) {
            throw std::logic_error(
                "redis::client: a call began while another was running or had been cancelled; "
                "use one client per task, or share one through a manager task");
        }
        busy = true;
    }
    void done() noexcept { busy_ = false; }

private:
    bool& busy_;
};

}  // namespace

weir::task<result<client>> client::connect(std::string host, std::uint16_t port) {
    auto stream = co_await weir::net::tcp_stream::connect(host, port);
    if (!stream) co_return weir::unexpected(failure(stream.error()));
    co_return client(std::move(*stream));
}

void client::queue(std::initializer_list<std::string_view> args) {
    append_request(output_, args);
    ++queued_;
}

weir::task<result<void>> client::send() {
    const auto written = co_await stream_.write_all(output_);
    output_.clear();
    if (!written) co_return weir::unexpected(failure(written.error()));
    co_return result<void>();
}

weir::task<result<void>> client::receive(std::vector<reply>& replies) {
    const std::size_t wanted = std::exchange(queued_, 0);
    replies.reserve(wanted);
    while (replies.size() < wanted) {
        const auto found = parser_.parse(input_.view());
        if (found == reply_parser::result::reply) {
            replies.push_back(parser_.take());
            input_.consume(parser_.size());
            continue;
        }
        if (found == reply_parser::result::malformed) {
            co_return weir::unexpected(failure(std::string(parser_.error())));
        }
        const auto received = co_await stream_.read_some(input_);
        if (!received) co_return weir::unexpected(failure(received.error()));
        if (*received == 0) {
            co_return weir::unexpected(failure(std::make_error_code(std::errc::connection_reset)));
        }
    }
    co_return result<void>();
}

weir::task<result<std::vector<reply>>> client::exchange() {
    in_use mark(busy_);
    std::vector<reply> replies;
    // Both directions at once: a server that waits until its replies are read reads nothing
    // meanwhile, so that a client that only writes would wait for it for ever.
    auto both = co_await weir::try_join(send(), receive(replies));
    if (!both) co_return weir::unexpected(std::move(both).error());
    mark.done();
    co_return replies;
}

weir::task<result<reply>> client::call() {
    auto replies = co_await exchange();
    if (!replies) co_return weir::unexpected(std::move(replies).error());
    co_return std::move(replies->front());
}

weir::task<result<value>> client::get(std::string key) {
    queue({"GET", key});
    auto r = co_await call();
    co_return std::move(r).and_then(as_value);
}

weir::task<result<void>> client::set(std::string key, weir::bytes new_value) {
    queue({"SET", key, new_value.view()});
    auto r = co_await call();
    co_return std::move(r).and_then(as_ok);
}

weir::task<result<void>> client::set(std::string key, weir::bytes new_value,
                                     std::chrono::milliseconds time_to_live) {
    queue({"SET", key, new_value.view(), "PX", std::to_string(time_to_live.count())});
    auto r = co_await call();
    co_return std::move(r).and_then(as_ok);
}

weir::task<result<std::string>> client::ping(std::string message) {
    if (message.empty()) {
        queue({"PING"});
    } else {
        queue({"PING", message});
    }
    auto r = co_await call();
    co_return std::move(r).and_then(as_text);
}

result<value> as_value(reply r) {
    if (r.is_null()) return value();
    if (r.kind() != reply::type::bulk) return refused(r);
    return value(r.text());
}

result<void> as_ok(reply r) {
    if (r.kind() != reply::type::simple) return refused(r);
    return {};
}

result<std::string> as_text(reply r) {
    if (r.kind() != reply::type::simple && r.kind() != reply::type::bulk) return refused(r);
    return std::string(r.view());
}

}  // namespace redis
