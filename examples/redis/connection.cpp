#include "connection.hpp"

#include <optional>
#include <string>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/task_group.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

namespace redis {

namespace {

using weir::clock;

// A pipelining client fills its buffer, and is read from in larger pieces from then on.
constexpr std::size_t large_read = 32 * 1024;

// What came through one ring at a time, on its way to the connection.
class delivery {
public:
    explicit delivery(bool by_pattern) : by_pattern_(by_pattern) {}

    static constexpr std::size_t most = 256;
    bool is_full() const noexcept { return messages_.size() == most; }

    // False: there is no more to come.
    bool add(weir::broadcast::recv_result<message_ptr> received) {
        if (received.is_lagged()) lost_ += received.lagged();
        if (received.has_value()) messages_.push_back(std::move(*received));
        return !received.is_empty() && !received.is_closed();
    }

    /// How many messages are missing before these, because the listener has fallen behind.
    std::uint64_t lost() const noexcept { return lost_; }

    /// Appends what the client is to see. What it has published itself it saw with the reply.
    void append_to(reply_buffer& out, const session& client) const {
        if (!client.listening) return;
        for (const message_ptr& m : messages_) {
            if (m->publisher() == client.id) continue;
            if (by_pattern_) {
                client.listening->deliver_to_patterns(*m, out);
            } else {
                client.listening->deliver_to_channel(*m, out);
            }
        }
    }

private:
    bool by_pattern_;
    std::vector<message_ptr> messages_;
    std::uint64_t lost_ = 0;
};

// Brings together what a client listens to: one branch of the connection's task for each ring,
// and an inbox. The branches touch nothing but their ring and the inbox, since the client's side
// may be with a manager task while they run.
class inbox {
public:
    explicit inbox(std::uint64_t generation) : inbox(generation, weir::mpsc::channel<delivery>(4)) {}

    std::uint64_t generation() const noexcept { return generation_; }
    weir::mpsc::receiver<delivery>& messages() noexcept { return messages_; }

    weir::task<void> listen_to(std::vector<subscription::feed> feeds) {
        for (auto& feed : feeds) {
            co_await branches_.spawn(forward(std::move(feed.receiver), feed.patterns, deliver_));
        }
    }

private:
    using ends = std::pair<weir::mpsc::sender<delivery>, weir::mpsc::receiver<delivery>>;

    inbox(std::uint64_t generation, ends e)
        : generation_(generation), deliver_(std::move(e.first)), messages_(std::move(e.second)) {}

    // Takes all that has come at once, so that a turn of the listener is worth many of a publisher.
    static weir::task<void> forward(message_receiver ring, bool patterns,
                                    weir::mpsc::sender<delivery> deliver) {
        bool open = true;
        while (open) {
            delivery next(patterns);
            open = next.add(co_await ring.recv());
            while (open && !next.is_full() && next.add(ring.try_recv())) {
            }
            const auto sent = co_await deliver.send(std::move(next));
            open = open && sent;
        }
    }

    std::uint64_t generation_;
    weir::mpsc::sender<delivery> deliver_;
    weir::mpsc::receiver<delivery> messages_;
    weir::task_group branches_;  // last: it ends before what its branches use
};

class connection {
public:
    connection(server_context& server, weir::net::tcp_stream& stream, client_ptr client)
        : server_(server), stream_(stream), client_(std::move(client)) {}

    // Reads, answers and writes until either side has had enough. Everything that one read brought
    // is answered at once and written with one write, which is what makes pipelining pay.
    weir::task<void> run() {
        while (client_->talk.end() == fate::open) {
            if (client_->talk.more()) {
                co_await let_others_run();
            } else if (inbox_) {
                const bool goes_on = co_await receive_or_deliver();
                if (!goes_on) co_return;
            } else if (client_->input.empty() && server_.options.idle_limit.count() == 0) {
                const auto received = co_await stream_.read_some(client_->input);
                if (!received || *received == 0) co_return;
            } else {
                const bool goes_on = co_await receive_in_time();
                if (!goes_on) co_return;
            }
            const bool filled = client_->input.size() == client_->input.capacity();
            const std::size_t arrived = client_->input.size();
            client_ = co_await server_.keys->answer(std::move(client_));
            if (!client_) co_return;
            if (client_->input.size() < arrived) request_began_.reset();
            if (filled) client_->input.reserve(large_read);
            // What one huge request needed goes with it; an empty buffer costs an idle client
            // nothing.
            if (client_->input.empty() && client_->input.capacity() > 4 * large_read) {
                client_->input = weir::byte_buffer();
            }
            if (client_->talk.client().listening) co_await follow_subscription();
            if (!client_->output.empty()) {
                const bool written = co_await send();
                if (!written) co_return;
            }
        }
    }

private:
    // The client has sent more than one batch: the other connections come first. Those who listen
    // to what it publishes even get a moment to catch up, since a pipelining publisher is faster
    // than they are; it is short, so that one who is not there any more holds up nobody.
    weir::task<void> let_others_run() {
        co_await weir::yield_now();
        session& client = client_->talk.client();
        if (client.published < conversation::publish_burst) co_return;
        if (server_.options.slow == slow_listener::skip) co_return;
        for (int patience = 50; patience > 0; --patience) {
            const std::size_t backlog = server_.state->channels.with(
                [&](const channel_hub& h) { return h.backlog(client.burst_channel); });
            if (backlog < channel_hub::ring_size / 2) co_return;
            co_await weir::sleep_for(std::chrono::milliseconds(1));
        }
    }

    std::chrono::milliseconds patience_for(std::size_t bytes) const {
        const server_options& o = server_.options;
        return o.patience + std::chrono::milliseconds(bytes / o.least_rate * 1000);
    }

    // Everything that is written to a client that does not read it stays in memory until then.
    weir::task<bool> send() {
        reply_buffer& out = client_->output;
        // Nothing is lost that somebody could miss: after a timeout the connection is closed.
        const auto written = co_await weir::timeout(
            patience_for(out.size()), weir::lossy(stream_.write_all(out.pieces())));
        if (!written) drop("does not read its replies");
        if (!written || !*written) co_return false;
        out.clear();
        co_return true;
    }

    // How long the client may take to send more: a request that has begun must come to its end.
    std::optional<clock::time_point> read_deadline() {
        if (!client_->input.empty()) {
            if (!request_began_) request_began_ = clock::now();
            return *request_began_ + patience_for(client_->input.size());
        }
        request_began_.reset();
        if (server_.options.idle_limit.count() == 0) return std::nullopt;
        return clock::now() + server_.options.idle_limit;
    }

    // The deadline is over. Where something has arrived nevertheless, it was the server that was
    // slow, not the client.
    bool comes_late() {
        const auto received = stream_.try_read_some(client_->input);
        if (received && *received != 0) return true;
        drop(request_began_ ? "does not come to the end of its request" : "was idle for too long");
        return false;
    }

    weir::task<bool> receive_in_time() {
        const auto deadline = read_deadline();
        const auto received =
            co_await weir::timeout_at(deadline.value(), stream_.read_some(client_->input));
        if (!received) co_return comes_late();
        co_return *received && **received != 0;
    }

    // Waits for a request or for a message, whichever comes first. False: the connection is over.
    weir::task<bool> receive_or_deliver() {
        // A client that listens is not idle, whatever it sends.
        const auto deadline = client_->input.empty() ? std::nullopt : read_deadline();
        auto next = co_await weir::select(
            stream_.read_some(client_->input), inbox_->messages().recv(),
            weir::when(deadline.has_value(),
                       weir::sleep_until(deadline.value_or(clock::time_point()))));
        if (next.index() == 2) co_return comes_late();
        if (next.index() == 0) {
            const auto& received = std::get<0>(next);
            if (!received || *received == 0) co_return false;
        } else if (auto& first = std::get<1>(next); first && !deliver(*first)) {
            co_return false;
        }
        // Messages that wait were published before the requests are answered, so they go first.
        while (client_->output.size() < conversation::batch_size) {
            const auto more = inbox_->messages().try_recv();
            if (!more) break;
            if (!deliver(*more)) co_return false;
        }
        co_return true;
    }

    bool deliver(const delivery& d) {
        if (d.lost() != 0 && server_.options.slow == slow_listener::disconnect) {
            drop("does not keep up with what it listens to");
            return false;
        }
        d.append_to(client_->output, client_->talk.client());
        return true;
    }

    // The last requests may have changed what the client listens to.
    weir::task<void> follow_subscription() {
        subscription& wanted = *client_->talk.client().listening;
        if (inbox_ && inbox_->generation() != wanted.generation()) inbox_.reset();
        if (wanted.size() == 0) co_return;
        if (!inbox_) inbox_.emplace(wanted.generation());
        co_await inbox_->listen_to(wanted.take_feeds());
    }

    void drop(const char* why) {
        const std::uint64_t id = client_->talk.client().id;
        server_.options.log(log_level::warning, "client %llu %s: dropped",
                            static_cast<unsigned long long>(id), why);
        server_.state->clients.with([](roster& r) { ++r.dropped; });
    }

    server_context& server_;
    weir::net::tcp_stream& stream_;
    client_ptr client_;
    std::optional<inbox> inbox_;
    std::optional<clock::time_point> request_began_;
};

// Ends the conversation when the server stops: the read side says "end of input" once all that
// was received has been read, so that every request that has arrived is still answered.
weir::task<void> end_on_stop(weir::net::tcp_stream& stream, server_context& server) {
    // Registered first, asked second: a stop in between is not missed.
    auto told = server.stopping.notified();
    auto ended = server.ending.notified();
    if (!server.stopped.with([](bool stopped) { return stopped; })) co_await told;
    static_cast<void>(stream.shutdown(weir::net::shutdown_mode::receive));
    // Usually the conversation is over first, and this branch with it.
    co_await ended;
}

std::string address_of(const weir::net::tcp_stream& stream) {
    const auto peer = stream.peer_endpoint();
    return peer ? peer->to_string() : "?";
}

}  // namespace

weir::task<void> handle_connection(std::shared_ptr<server_context> server,
                                   weir::net::tcp_stream accepted,
                                   weir::semaphore::owned_permit permit) {
    // The place is given back behind the connection, and both before the server may go: locals die
    // in the reverse order of their declaration, and parameters after them all.
    const weir::semaphore::owned_permit place = std::move(permit);
    weir::net::tcp_stream stream = std::move(accepted);
    auto client = std::make_unique<client_side>(server->state, address_of(stream));
    server->options.log(log_level::debug, "client %llu connected",
                        static_cast<unsigned long long>(client->talk.client().id));
    connection talk(*server, stream, std::move(client));
    co_await weir::select(talk.run(), end_on_stop(stream, *server));
}

}  // namespace redis
