// weir-redis-server: a server for redis-cli, redis-benchmark and client libraries. See --help.

#include <signal.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include <weir/cancellation_token.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/signal.hpp>
#include <weir/spawn.hpp>

#include "command_line.hpp"
#include "server.hpp"

namespace {

struct settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
    std::size_t threads = 1;
    redis::server_options server;
};

bool parse_seconds(std::string_view text, std::chrono::milliseconds& time) {
    std::uint32_t seconds = 0;
    if (!redis::parse_number(text, seconds)) return false;
    time = std::chrono::seconds(seconds);
    return true;
}

bool parse_log_level(std::string_view text, redis::logger& log) {
    using redis::log_level;
    constexpr std::string_view names[] = {"off", "error", "warning", "info", "debug"};
    for (std::uint8_t i = 0; i < std::size(names); ++i) {
        if (text != names[i]) continue;
        log = redis::logger(static_cast<log_level>(i));
        return true;
    }
    return false;
}

redis::command_line options_of(settings& s) {
    using text = std::string_view;
    redis::server_options& o = s.server;
    redis::command_line line("[OPTION VALUE]...",
                             "Serves Redis clients until SIGINT or SIGTERM; a second one ends it "
                             "at once.\n\n");
    line.add("--bind", "ADDRESS", "where to listen (127.0.0.1)",
             [&](text v) { return s.host = v, !v.empty(); });
    line.add("--port", "N", "0 asks the system for a free one (6379)",
             [&](text v) { return redis::parse_number(v, s.port); });
    line.add("--threads", "N", "1: a current-thread runtime; more: a multi-thread one (1)",
             [&](text v) { return redis::parse_number(v, s.threads) && s.threads > 0; });
    line.add("--state", "KIND", "how connections share the keys: lock, shards, manager (lock)",
             [&](text v) {
                 const auto kind = redis::parse_state_kind(v);
                 if (kind) o.state = *kind;
                 return kind.has_value();
             });
    line.add("--slow-listeners", "POLICY",
             "what becomes of one that falls behind: disconnect, skip (disconnect)", [&](text v) {
                 o.slow = v == "skip" ? redis::slow_listener::skip
                                      : redis::slow_listener::disconnect;
                 return v == "skip" || v == "disconnect";
             });
    line.add("--max-clients", "N", "connections at once; more wait (10000)", [&](text v) {
        return redis::parse_number(v, o.max_connections) && o.max_connections > 0;
    });
    line.add("--patience", "SECONDS", "for a request or a reply that does not end (30)",
             [&](text v) { return parse_seconds(v, o.patience) && o.patience.count() > 0; });
    line.add("--idle-limit", "SECONDS", "for a client that sends nothing; 0: for ever (0)",
             [&](text v) { return parse_seconds(v, o.idle_limit); });
    line.add("--grace", "SECONDS", "for connections to end after a signal (5)",
             [&](text v) { return parse_seconds(v, o.grace); });
    line.add("--log", "LEVEL", "off, error, warning, info, debug (info)",
             [&](text v) { return parse_log_level(v, o.log); });
    return line;
}

// The first signal asks the server to stop, the second one does not ask.
weir::task<void> watch_signals(weir::signal_listener interrupt, weir::signal_listener terminate,
                               weir::cancellation_token stop, weir::cancellation_token end) {
    co_await weir::select(interrupt, terminate);
    stop.cancel();
    co_await weir::select(interrupt, terminate);
    end.cancel();
}

weir::task<void> cancelled(weir::cancellation_token token) { co_await token.cancelled(); }

weir::task<int> run(settings s) {
    auto listener = co_await weir::net::tcp_listener::bind(s.host, s.port);
    if (!listener) {
        std::fprintf(stderr, "cannot listen on %s:%u: %s\n", s.host.c_str(), unsigned{s.port},
                     listener.error().message().c_str());
        co_return 1;
    }
    const unsigned port = listener->local_endpoint()->port();
    const weir::cancellation_token stop;
    const weir::cancellation_token end;
    // Before the port is told: whoever reads it may send a signal.
    auto signals =
        weir::spawn(watch_signals(weir::signal(SIGINT), weir::signal(SIGTERM), stop, end));

    // Port 0 asks the kernel for a free one; whoever started this program reads which from here.
    std::printf("ready on port %u\n", port);
    std::fflush(stdout);
    s.server.log(redis::log_level::info, "serving on %s:%u with %zu threads, keys in: %s",
                 s.host.c_str(), port, s.threads,
                 std::string(redis::name_of(s.server.state)).c_str());
    auto serving = redis::serve(std::move(*listener), cancelled(stop), s.server);
    const auto ended = co_await weir::select(std::move(serving), end.cancelled());
    signals.abort();
    co_return ended.index() == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    settings s;
    s.server.log = redis::logger(redis::log_level::info);
    const auto line = options_of(s);
    const auto parsed = line.parse(argc, argv);
    if (parsed.exit) return *parsed.exit;
    if (!parsed.words.empty()) {
        line.print_help(stderr, argv[0]);
        return 2;
    }
    if (s.threads == 1) return weir::block_on(run(s));
    weir::runtime_options options;
    options.worker_threads = s.threads;
    return weir::run(run(s), options);
}
