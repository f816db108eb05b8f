#include "client.hpp"

#include <stdexcept>
#include <utility>

#include <weir/join.hpp>
#include <weir/timeout.hpp>

#include "subscriber.hpp"

namespace redis {

namespace {

weir::unexpected<failure> broken(std::errc error, bool sent) {
    return weir::unexpected(failure(std::make_error_code(error), sent));
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

weir::task<result<client>> client::connect(address server, client_options options) {
    auto stream = co_await weir::timeout(
        options.connect_limit, weir::net::tcp_stream::connect(server.host, server.port));
    if (!stream) co_return broken(std::errc::timed_out, false);
    if (!*stream) co_return weir::unexpected(failure(stream->error(), false));
    co_return client(std::move(**stream), options);
}

void client::queue(std::span<const std::string_view> args) {
    append_request(output_, args);
    ++queued_;
}

void client::queue(const request& r) {
    output_ += r.encoded();
    queued_ += r.replies();
}

weir::task<result<void>> client::send() {
    const auto written = co_await stream_.write_all(output_);
    output_.clear();
    if (!written) co_return weir::unexpected(failure(written.error()));
    co_return result<void>();
}

weir::task<result<reply>> client::receive_one() {
    while (true) {
        const auto found = parser_.parse(input_.view());
        if (found == reply_parser::result::reply) {
            input_.consume(parser_.size());
            co_return parser_.take();
        }
        if (found == reply_parser::result::malformed) {
            co_return weir::unexpected(failure(std::string(parser_.error())));
        }
        const auto received = co_await stream_.read_some(input_);
        if (!received) co_return weir::unexpected(failure(received.error()));
        if (*received == 0) co_return broken(std::errc::connection_reset, true);
    }
}

weir::task<result<void>> client::receive(std::vector<reply>& replies) {
    const std::size_t wanted = std::exchange(queued_, 0);
    replies.reserve(wanted);
    while (replies.size() < wanted) {
        auto next = co_await receive_one();
        if (!next) co_return weir::unexpected(std::move(next).error());
        // What a server pushes in RESP3 answers nothing; who wants messages is a subscriber.
        if (next->kind() != reply::type::push) replies.push_back(std::move(*next));
    }
    co_return result<void>();
}

weir::task<result<std::vector<reply>>> client::exchange() {
    in_use mark(busy_);
    std::vector<reply> replies;
    // Both directions at once: a server that waits until its replies are read reads nothing
    // meanwhile, so that a client that only writes would wait for it for ever.
    auto both = weir::try_join(send(), receive(replies));
    auto done = co_await weir::timeout(options_.reply_limit, std::move(both));
    if (!done) co_return broken(std::errc::timed_out, true);
    if (!*done) co_return weir::unexpected(std::move(*done).error());
    mark.done();
    co_return replies;
}

weir::task<result<reply>> client::call(request r) {
    queue(r);
    auto replies = co_await exchange();
    if (!replies) co_return weir::unexpected(std::move(replies).error());
    co_return std::move(replies->back());
}

weir::task<result<subscriber>> client::subscribe(std::vector<std::string> channels) && {
    subscriber listener(std::move(*this));
    auto confirmed = co_await listener.subscribe(std::move(channels));
    if (!confirmed) co_return weir::unexpected(std::move(confirmed).error());
    co_return std::move(listener);
}

}  // namespace redis
