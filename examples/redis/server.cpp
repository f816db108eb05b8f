#include "server.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

namespace redis {

namespace {

using namespace std::chrono_literals;

// Errors of one connection that was gone before it was accepted: the next one may be fine.
bool concerns_only_the_caller(const std::error_code& error) {
    return error == std::errc::connection_aborted || error == std::errc::protocol_error ||
           error == std::errc::host_unreachable || error == std::errc::network_unreachable;
}

weir::task<void> accept_connections(weir::net::tcp_listener listener,
                                    std::shared_ptr<server_context> server) {
    constexpr auto shortest_pause = 10ms;
    constexpr auto longest_pause = 1000ms;
    auto pause = shortest_pause;
    const std::shared_ptr<weir::semaphore> places(server, &server->free_places);
    while (true) {
        // The place is taken first: with all of them in use the kernel's queue holds the callers.
        auto place = co_await weir::semaphore::acquire_owned(places);
        auto accepted = co_await listener.accept();
        if (accepted) {
            pause = shortest_pause;
            weir::spawn(handle_connection(server, std::move(accepted->stream), std::move(*place)))
                .detach();
        } else if (!concerns_only_the_caller(accepted.error())) {
            // The next accept would fail at once as well: out of descriptors, for example, until
            // some connections have ended.
            server->options.log(log_level::warning, "cannot accept: %s; next try in %d ms",
                                accepted.error().message().c_str(),
                                static_cast<int>(pause.count()));
            co_await weir::sleep_for(pause);
            pause = std::min(2 * pause, longest_pause);
        }
    }
}

// Gives back the memory of keys that nobody reads any more, never for long at a time: a million
// keys that expire at once are as many turns of this task, between those of the connections.
weir::task<void> purge_expired(server_context& server) {
    constexpr std::size_t batch = 256;
    while (true) {
        const std::size_t removed = co_await server.keys->purge(batch);
        if (removed == batch) {
            co_await weir::yield_now();
        } else {
            co_await weir::sleep_for(100ms);
        }
    }
}

std::size_t connections_of(const server_context& server) {
    return server.state->clients.with([](const roster& r) { return r.connections.size(); });
}

// Lets the connections end, and ends those that do not.
weir::task<server_report> stop_connections(std::shared_ptr<server_context> server) {
    const auto begin = weir::clock::now();
    server_report report;
    report.open = connections_of(*server);
    server->options.log(log_level::info, "stopping: %zu connections", report.open);
    server->stopped.with([](bool& stopped) { stopped = true; });
    server->stopping.notify_waiters();
    // All places are free again when the last connection has gone.
    const auto all = server->options.max_connections;
    const auto ended = co_await weir::timeout(server->options.grace, server->free_places.acquire(all));
    if (!ended) {
        report.cut = connections_of(*server);
        server->ending.notify_waiters();
        static_cast<void>(co_await server->free_places.acquire(all));
    }
    report.accepted = server->state->clients.with([](const roster& r) { return r.accepted; });
    report.stopping = std::chrono::round<std::chrono::milliseconds>(weir::clock::now() - begin);
    server->options.log(log_level::info, "stopped in %d ms: %zu connections ended, %zu cut off",
                        static_cast<int>(report.stopping.count()), report.open - report.cut,
                        report.cut);
    co_return report;
}

}  // namespace

weir::task<server_report> serve(weir::net::tcp_listener listener, weir::task<void> stop,
                                server_options options) {
    const auto server = std::make_shared<server_context>(options);
    server->state->started =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    server->state->max_clients = options.max_connections;
    server->state->keys_in = name_of(options.state);
    // One branch ends, `stop`; select destroys the other two where they wait, and the listener
    // with them.
    auto accepting = accept_connections(std::move(listener), server);
    co_await weir::select(std::move(stop), std::move(accepting), purge_expired(*server));
    co_return co_await stop_connections(server);
}

}  // namespace redis
