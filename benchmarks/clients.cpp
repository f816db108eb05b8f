// weir-client-bench naive|manager PORT TASKS REQUESTS: tasks that share one connection to the Redis
// server at 127.0.0.1:PORT and SET values of 64 bytes.
//
//   naive    a lock around the connection, held during the round trip: one request at a time
//   manager  a task owns the connection; what the others ask meanwhile travels in one write
//
// Prints requests per second.

#include <charconv>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/mutex.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "../examples/redis/buffered_client.hpp"
#include "../examples/redis/client.hpp"

namespace {

using connection_mutex = weir::mutex<redis::client>;

weir::bytes value_of_64_bytes() { return weir::bytes::copy_of(std::string(64, 'x')); }

std::string key_of(std::size_t task, std::size_t i) {
    return "key:" + std::to_string((task * 7919 + i) % 100'000);
}

// Both yield how many replies were no OK. The caller joins these tasks before the mutex goes away.
weir::task<std::size_t> ask_in_turn(connection_mutex& connection, std::size_t task,
                                    std::size_t count) {
    const weir::bytes value = value_of_64_bytes();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string key = key_of(task, i);
        auto guard = co_await connection.lock();
        const auto done = co_await guard->set(key, value);
        wrong += !done;
    }
    co_return wrong;
}

weir::task<std::size_t> ask_manager(redis::buffered_client client, std::size_t task,
                                    std::size_t count) {
    const weir::bytes value = value_of_64_bytes();
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string key = key_of(task, i);
        const auto done = co_await client.set(key, value);
        wrong += !done;
    }
    co_return wrong;
}

weir::task<std::size_t> join_all(std::vector<weir::join_handle<std::size_t>> running) {
    std::size_t wrong = 0;
    for (auto& task : running) wrong += co_await task;
    co_return wrong;
}

weir::task<std::size_t> run_naive(redis::client connected, std::size_t tasks, std::size_t count) {
    connection_mutex connection(std::move(connected));
    std::vector<weir::join_handle<std::size_t>> running;
    for (std::size_t t = 0; t < tasks; ++t)
        running.push_back(weir::spawn(ask_in_turn(connection, t, count)));
    co_return co_await join_all(std::move(running));
}

weir::task<std::size_t> run_manager(redis::client connected, std::size_t tasks, std::size_t count) {
    const auto client = redis::buffered_client::start(redis::link(std::move(connected)), tasks);
    std::vector<weir::join_handle<std::size_t>> running;
    for (std::size_t t = 0; t < tasks; ++t)
        running.push_back(weir::spawn(ask_manager(client, t, count)));
    co_return co_await join_all(std::move(running));
}

weir::task<int> run(bool naive, std::uint16_t port, std::size_t tasks, std::size_t requests) {
    auto connected = co_await redis::client::connect("127.0.0.1", port);
    if (!connected) {
        std::fprintf(stderr, "cannot connect: %s\n", connected.error().text().c_str());
        co_return 1;
    }
    const std::size_t each = requests / tasks + 1;
    const auto begin = std::chrono::steady_clock::now();
    auto work = naive ? run_naive(std::move(*connected), tasks, each)
                      : run_manager(std::move(*connected), tasks, each);
    const std::size_t wrong = co_await std::move(work);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    if (wrong != 0) {
        std::fprintf(stderr, "%zu of %zu replies are wrong\n", wrong, each * tasks);
        co_return 1;
    }
    std::printf("%.0f\n", static_cast<double>(each * tasks) / took.count());
    co_return 0;
}

template <class Number>
bool read_number(std::string_view text, Number& n) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    return error == std::errc{} && end == text.data() + text.size() && n > 0;
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view mode = argc == 5 ? argv[1] : "";
    std::uint16_t port = 0;
    std::size_t tasks = 0;
    std::size_t requests = 0;
    if ((mode != "naive" && mode != "manager") || !read_number(argv[2], port) ||
        !read_number(argv[3], tasks) || !read_number(argv[4], requests)) {
        std::fputs("usage: weir-client-bench naive|manager PORT TASKS REQUESTS\n", stderr);
        return 2;
    }
    return weir::block_on(run(mode == "naive", port, tasks, requests));
}
