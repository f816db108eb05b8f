#include "server.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <weir/bytes.hpp>
#include <weir/notify.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/synchronized.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

#include "commands.hpp"

namespace redis {

namespace {

using namespace std::chrono_literals;

// What the accept loop, the connections and the purge share, for as long as the last of them lives.
struct server_state {
    explicit server_state(server_options o) : options(o), free_places(o.max_connections) {}

    const server_options options;
    // A lock that cannot be held across a co_await: the only way in is a plain callable.
    weir::synchronized<database> shared;
    weir::semaphore free_places;
    weir::notify stopping;
};

instant now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

// A conversation that is known to the database until it ends, however its task ends.
class registered_conversation : public conversation {
public:
    explicit registered_conversation(server_state& state)
        : conversation(state.shared.with([](database& db) {
              ++db.connections;
              return ++db.accepted;
          })),
          state_(state) {}
    registered_conversation(const registered_conversation&) = delete;
    registered_conversation& operator=(const registered_conversation&) = delete;
    ~registered_conversation() {
        state_.shared.with([this](database& db) {
            --db.connections;
            leave(db);
        });
    }

private:
    server_state& state_;
};

// Waits for a request or for a message to a client that listens, whichever comes first. False:
// the connection is over.
weir::task<bool> receive_or_deliver(weir::net::tcp_stream& stream, weir::byte_buffer& input,
                                    subscriber& listener, reply_buffer& output) {
    auto either = co_await weir::select(stream.read_some(input), listener.messages().recv());
    if (either.index() == 0) {
        const auto& received = std::get<0>(either);
        co_return received && *received != 0;
    }
    const auto& message = std::get<1>(either);
    if (!message) co_return false;  // it did not read as fast as the others wrote
    output.raw(*message);
    co_return true;
}

// Messages that are waiting were published before the requests are answered, so they go first.
void take_messages(subscriber& listener, reply_buffer& output) {
    while (const auto message = listener.messages().try_recv()) output.raw(*message);
}

// A pipelining client fills its buffer, and is read from in larger pieces from then on.
constexpr std::size_t large_read = 32 * 1024;

// Reads, answers and writes until either side has had enough. Everything that one read brought is
// answered under one lock and written with one write, which is what makes pipelining pay.
weir::task<void> converse(weir::net::tcp_stream& stream, server_state& state) {
    registered_conversation talk(state);
    weir::byte_buffer input;
    reply_buffer output;
    while (talk.end() == fate::open) {
        if (talk.more()) {
            // The client has sent more than one batch: the other connections come first.
            co_await weir::yield_now();
        } else if (talk.client().subscribed()) {
            subscriber& listener = *talk.client().listening;
            const bool goes_on = co_await receive_or_deliver(stream, input, listener, output);
            if (!goes_on) co_return;
            take_messages(listener, output);
        } else {
            const auto received = co_await stream.read_some(input);
            if (!received || *received == 0) co_return;
        }
        const bool filled = input.size() == input.capacity();
        const instant time = now();
        state.shared.with([&](database& db) {
            input.consume(talk.answer(input.view(), db, time, output));
        });
        if (filled) input.reserve(large_read);
        // What one huge request needed goes with it; an empty buffer costs an idle client nothing.
        if (input.empty() && input.capacity() > 4 * large_read) input = weir::byte_buffer();
        if (!output.empty()) {
            const auto written = co_await stream.write_all(output.pieces());
            if (!written) co_return;
            output.clear();
        }
    }
}

// Ends the conversation when the server stops: the read side says "end of input" once all that
// was received has been read, so that every request that has arrived is still answered.
weir::task<void> end_input_on_stop(weir::net::tcp_stream& stream, server_state& state) {
    // Registered first, asked second: a stop in between is not missed.
    auto told = state.stopping.notified();
    const bool late = state.shared.with([](const database& db) { return db.stopping; });
    if (!late) co_await told;
    static_cast<void>(stream.shutdown(weir::net::shutdown_mode::receive));
    // Not this branch, the conversation decides when it is over.
    weir::notify never;
    co_await never.notified();
}

// One task for each connection. Its place is free again when the task ends, however it ends.
weir::task<void> handle_connection(std::shared_ptr<server_state> state,
                                   weir::net::tcp_stream accepted,
                                   weir::semaphore::owned_permit permit) {
    // The place is given back behind the connection, and both before the state may go: locals die
    // in the reverse order of their declaration, and parameters after them all.
    const weir::semaphore::owned_permit place = std::move(permit);
    weir::net::tcp_stream stream = std::move(accepted);
    co_await weir::select(converse(stream, *state), end_input_on_stop(stream, *state));
}

weir::task<void> accept_connections(weir::net::tcp_listener listener,
                                    std::shared_ptr<server_state> state) {
    constexpr auto shortest_pause = 10ms;
    constexpr auto longest_pause = 1000ms;
    auto pause = shortest_pause;
    const std::shared_ptr<weir::semaphore> places(state, &state->free_places);
    while (true) {
        // The place is taken first: with all of them in use the kernel's queue holds the callers.
        auto place = co_await weir::semaphore::acquire_owned(places);
        auto accepted = co_await listener.accept();
        if (accepted) {
            pause = shortest_pause;
            weir::spawn(handle_connection(state, std::move(accepted->stream), std::move(*place)))
                .detach();
        } else if (accepted.error() != std::errc::connection_aborted) {
            // The next accept would fail at once as well: out of descriptors, for example, until
            // some connections have ended.
            co_await weir::sleep_for(pause);
            pause = std::min(2 * pause, longest_pause);
        }
    }
}

// Gives back the memory of keys that nobody reads any more, never for long under the lock.
weir::task<void> purge_expired(server_state& state) {
    constexpr std::size_t batch = 256;
    while (true) {
        const auto purge = [time = now()](database& db) { return db.keys.purge(time, batch); };
        if (state.shared.with(purge) == batch) {
            co_await weir::yield_now();
        } else {
            co_await weir::sleep_for(100ms);
        }
    }
}

}  // namespace

weir::task<void> serve(weir::net::tcp_listener listener, weir::task<void> stop,
                       server_options options) {
    const auto state = std::make_shared<server_state>(options);
    state->shared.with([](database& db) { db.started = now(); });
    // One branch ends, `stop`; select destroys the other two where they wait, and the listener
    // with them.
    auto accepting = accept_connections(std::move(listener), state);
    co_await weir::select(std::move(stop), std::move(accepting), purge_expired(*state));
    state->shared.with([](database& db) { db.stopping = true; });
    state->stopping.notify_waiters();
    // All places are free again when the last connection has gone.
    auto all_closed = state->free_places.acquire(options.max_connections);
    static_cast<void>(co_await weir::timeout(options.grace, std::move(all_closed)));
}

}  // namespace redis
