// weir-redis-cli: a few commands, a listener, and a load generator. See --help.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/runtime.hpp>

#include "client.hpp"
#include "command_line.hpp"
#include "load.hpp"
#include "subscriber.hpp"

namespace {

using words = std::vector<std::string>;

constexpr const char* about =
    "Asks a Redis server.\n\n"
    "  ping [MESSAGE]\n"
    "  get KEY\n"
    "  set KEY VALUE [MILLISECONDS]\n"
    "  incr KEY\n"
    "  publish CHANNEL MESSAGE\n"
    "  subscribe CHANNEL...        prints messages until Ctrl-C\n"
    "  load                        asks as fast as it is answered, and measures\n\n";

int fail(const redis::failure& why) {
    std::fprintf(stderr, "(error) %s\n", why.text().c_str());
    return 1;
}

int print_line(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fputc('\n', stdout);
    return 0;
}

int print(const redis::result<redis::value>& r) {
    if (!r) return fail(r.error());
    return print_line(*r ? '"' + (*r)->to_string() + '"' : "(nil)");
}
int print(const redis::result<std::int64_t>& r) {
    return r ? print_line(std::to_string(*r)) : fail(r.error());
}
int print(const redis::result<std::string>& r) { return r ? print_line(*r) : fail(r.error()); }
int print(const redis::result<void>& r) { return r ? print_line("OK") : fail(r.error()); }

// Whether the words are a command of this name with as many arguments.
bool is(const words& w, std::string_view name, std::size_t least, std::size_t most) {
    return w[0] == name && w.size() > least && w.size() - 1 <= most;
}

weir::task<int> set(redis::client& client, const words& w) {
    const auto data = weir::bytes::copy_of(w[2]);
    if (w.size() == 3) co_return print(co_await client.set(w[1], data));
    std::int64_t ttl = 0;
    if (!redis::parse_number(w[3], ttl)) {
        co_return fail(redis::failure("the time is not a number of milliseconds"));
    }
    co_return print(co_await client.set(w[1], data, std::chrono::milliseconds(ttl)));
}

weir::task<int> listen(redis::client client, words channels) {
    auto listening = co_await std::move(client).subscribe(std::move(channels));
    if (!listening) co_return fail(listening.error());
    while (true) {
        auto m = co_await listening->next_message();
        if (!m) co_return fail(m.error());
        print_line(m->channel + ": " + m->text.to_string());
        std::fflush(stdout);
    }
}

// nullopt: there is no such command.
weir::task<std::optional<int>> run_command(redis::client client, const words& w) {
    if (is(w, "ping", 0, 1)) {
        const std::string message = w.size() == 2 ? w[1] : "";
        co_return print(co_await client.ping(message));
    }
    if (is(w, "get", 1, 1)) co_return print(co_await client.get(w[1]));
    if (is(w, "set", 2, 3)) co_return co_await set(client, w);
    if (is(w, "incr", 1, 1)) co_return print(co_await client.incr(w[1]));
    if (is(w, "publish", 2, 2)) {
        co_return print(co_await client.publish(w[1], weir::bytes::copy_of(w[2])));
    }
    if (is(w, "subscribe", 1, static_cast<std::size_t>(-1))) {
        co_return co_await listen(std::move(client), words(w.begin() + 1, w.end()));
    }
    co_return std::nullopt;
}

weir::task<std::optional<int>> run(redis::load_options o, const words& w) {
    if (is(w, "load", 0, 0)) {
        const auto report = co_await redis::run_load(o);
        redis::print(report);
        co_return report.failed == 0 ? 0 : 1;
    }
    auto connected = co_await redis::client::connect(o.server);
    if (!connected) co_return fail(connected.error());
    co_return co_await run_command(std::move(*connected), w);
}

redis::command_line options_of(redis::load_options& o) {
    using text = std::string_view;
    const auto positive = [](auto& number) {
        return [&number](text v) { return redis::parse_number(v, number) && number > 0; };
    };
    redis::command_line line("[OPTION VALUE]... COMMAND [ARGUMENT]...", about);
    line.add("-h", "HOST", "(127.0.0.1)", [&](text v) { return o.server.host = v, true; });
    line.add("-p", "PORT", "(6379)", positive(o.server.port));
    line.add("--clients", "N", "load: connections (50)", positive(o.clients));
    line.add("--pipeline", "N", "load: requests that travel together (1)", positive(o.pipeline));
    line.add("--requests", "N", "load: requests in all (100000)", positive(o.requests));
    line.add("--size", "BYTES", "load: of a value (64)", positive(o.value_size));
    line.add("--keys", "N", "load: different keys (100000)", positive(o.keys));
    line.add("--gets-per-set", "N", "load: GETs for each SET (1)",
             [&](text v) { return redis::parse_number(v, o.gets_per_set); });
    return line;
}

}  // namespace

int main(int argc, char** argv) {
    redis::load_options o;
    const auto line = options_of(o);
    const auto parsed = line.parse(argc, argv);
    if (parsed.exit) return *parsed.exit;
    const auto status =
        parsed.words.empty() ? std::nullopt : weir::block_on(run(o, parsed.words));
    if (!status) line.print_help(stderr, argv[0]);
    return status.value_or(2);
}
