// weir-redis-demo [--server HOST:PORT]: 64 tasks share one connection through one manager task.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <weir/runtime.hpp>
#include <weir/spawn.hpp>

#include "buffered_client.hpp"
#include "embedded_server.hpp"
#include "histogram.hpp"

namespace {

constexpr std::size_t client_tasks = 64;
constexpr std::size_t requests = 100'000;

using clock = std::chrono::steady_clock;

/// What one client task has seen.
struct tally {
    std::size_t sets = 0;
    std::size_t gets = 0;
    std::size_t wrong = 0;
    redis::histogram latencies;
};

/// Sets keys of its own and reads them back: each value it gets must be the one it set last.
weir::task<tally> run_client(redis::buffered_client client, std::size_t number) {
    constexpr std::size_t keys = 8;
    tally t;
    std::vector<std::string> expected(keys);
    const std::size_t share = requests / client_tasks + (number < requests % client_tasks);
    for (std::size_t i = 0; i < share; ++i) {
        const std::size_t k = i / 2 % keys;
        const std::string key = "demo:" + std::to_string(number) + ':' + std::to_string(k);
        const auto begin = clock::now();
        if (i % 2 == 0) {
            expected[k] = "value " + std::to_string(i) + " of task " + std::to_string(number);
            const auto done = co_await client.set(key, weir::bytes::copy_of(expected[k]));
            t.wrong += !done;
            ++t.sets;
        } else {
            const auto found = co_await client.get(key);
            t.wrong += !found || !*found || **found != expected[k];
            ++t.gets;
        }
        t.latencies.add(
            std::chrono::duration_cast<redis::histogram::microseconds>(clock::now() - begin));
    }
    co_return t;
}

weir::task<tally> run_clients(redis::buffered_client client) {
    std::vector<weir::join_handle<tally>> tasks;
    for (std::size_t i = 0; i < client_tasks; ++i) {
        tasks.push_back(weir::spawn(run_client(client, i)));
    }
    tally all;
    for (auto& task : tasks) {
        const tally t = co_await task;
        all.sets += t.sets;
        all.gets += t.gets;
        all.wrong += t.wrong;
        all.latencies.add(t.latencies);
    }
    co_return all;
}

void print(const tally& t, std::chrono::duration<double> took) {
    const auto percentile = [&t](double share) {
        return static_cast<double>(t.latencies.percentile(share).count()) / 1000;
    };
    const std::size_t total = t.sets + t.gets;
    std::printf("%zu requests in %.2f s: %.0f requests/s\n", total, took.count(),
                static_cast<double>(total) / took.count());
    std::printf("latency p50 %.3f ms, p99 %.3f ms\n", percentile(0.5), percentile(0.99));
    std::printf("%zu SET and %zu GET, %zu wrong replies\n", t.sets, t.gets, t.wrong);
}

weir::task<int> run(redis::address server) {
    auto connected = co_await redis::client::connect(server);
    if (!connected) {
        std::fprintf(stderr, "cannot connect to %s:%u: %s\n", server.host.c_str(),
                     unsigned{server.port}, connected.error().text().c_str());
        co_return 1;
    }
    const auto begin = clock::now();
    const tally t = co_await run_clients(redis::buffered_client::start(redis::link(std::move(*connected))));
    print(t, clock::now() - begin);
    co_return t.wrong == 0 && t.sets + t.gets == requests ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    const bool real = argc == 3 && std::string_view(argv[1]) == "--server";
    const auto given = real ? redis::parse_address(argv[2]) : std::nullopt;
    if (argc != 1 && !given) {
        std::fprintf(stderr, "usage: %s [--server HOST:PORT]\n", argv[0]);
        return 2;
    }
    std::optional<redis::embedded_server> own;
    if (!given) own.emplace();
    const redis::address server = given ? *given : redis::address{"127.0.0.1", own->port()};
    std::printf("%zu tasks, one manager task, one connection to %s:%u (%s)\n", client_tasks,
                server.host.c_str(), unsigned{server.port},
                given ? "a server that was running" : "our server, on a thread of this process");
    std::fflush(stdout);
    return weir::block_on(run(server));
}
