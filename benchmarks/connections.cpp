// weir-connection-bench [COUNT]: holds COUNT idle TCP connections (10,000) on one runtime, on each kind
// of runtime in turn, and prints what they cost: memory of this process for each connection, CPU time
// while nothing happens, and the time until each has echoed a byte. The other ends are in a
// child process, which has descriptors of its own. Exit status 77: no more descriptors to be had.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <weir/net.hpp>
#include <weir/notify.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>
#include <weir/time.hpp>

#include "process.hpp"

namespace {

using namespace std::chrono_literals;
using u64 = std::uint64_t;

constexpr auto idle_time = 1s;
constexpr double most_idle_share = 0.01;  // of a core

void check(bool right, const char* what) {
    if (right) return;
    std::fprintf(stderr, "weir-connection-bench: wrong: %s\n", what);
    std::exit(1);
}

// False: the system does not grant that many descriptors.
bool allow_descriptors(rlim_t count) {
    rlimit limit{};
    check(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    if (limit.rlim_cur >= count) return true;
    limit.rlim_cur = count;
    if (limit.rlim_max < count) limit.rlim_max = count;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

// -- the child: blocking sockets ------------------------------------------------------------------

// Connects, and asks each connection for an echo as often as a byte comes from `orders`.
[[noreturn]] void be_the_other_ends(int orders, int answers, u64 count) {
    std::uint16_t port = 0;
    if (read(orders, &port, sizeof port) != sizeof port) _exit(1);
    sockaddr_in server{};
    server.sin_family = AF_INET;
    server.sin_port = htons(port);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::vector<int> ends(count);
    for (int& fd : ends) {
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0)
            _exit(2);
    }
    for (char order = 0; read(orders, &order, 1) == 1;) {
        for (const int fd : ends)
            if (write(fd, &order, 1) != 1) _exit(3);
        for (const int fd : ends) {
            char echo = 0;
            if (read(fd, &echo, 1) != 1 || echo != order) _exit(4);
        }
        if (write(answers, &order, 1) != 1) _exit(5);
    }
    _exit(0);
}

class other_ends {
public:
    explicit other_ends(u64 count) {
        std::array<int, 2> orders{};
        std::array<int, 2> answers{};
        check(pipe(orders.data()) == 0 && pipe(answers.data()) == 0, "pipe");
        std::fflush(stdout);
        child_ = fork();
        check(child_ >= 0, "fork");
        if (child_ == 0) {
            close(orders[1]);
            close(answers[0]);
            be_the_other_ends(orders[0], answers[1], count);
        }
        close(orders[0]);
        close(answers[1]);
        orders_ = orders[1];
        answers_ = answers[0];
    }
    other_ends(const other_ends&) = delete;
    other_ends& operator=(const other_ends&) = delete;
    // The child ends when there are no more orders.
    ~other_ends() {
        close(orders_);
        int status = 0;
        waitpid(child_, &status, 0);
        close(answers_);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the other ends failed");
    }

    void connect_to(std::uint16_t port) const {
        check(write(orders_, &port, sizeof port) == sizeof port, "the other ends are gone");
    }
    // Blocks the calling thread.
    void echo_all() const {
        char byte = 'e';
        check(write(orders_, &byte, 1) == 1 && read(answers_, &byte, 1) == 1, "no echo");
    }

private:
    pid_t child_ = 0;
    int orders_ = -1;
    int answers_ = -1;
};

// -- the runtime ----------------------------------------------------------------------------------

weir::task<> echo(weir::net::tcp_stream stream) {
    std::array<char, 1> byte{};
    for (;;) {
        const auto read = co_await stream.read_some(byte);
        if (!read.has_value() || *read == 0) co_return;
        const auto written = co_await stream.write_all(std::string_view(byte.data(), 1));
        if (!written.has_value()) co_return;
    }
}

weir::task<bool> hold(const other_ends& others, u64 count, const char* kind) {
    weir::net::listen_options options;
    options.backlog = 4096;
    auto bound = co_await weir::net::tcp_listener::bind("127.0.0.1", 0, options);
    auto listener = std::move(bound).value();
    const u64 memory_before = bench::resident_bytes();
    others.connect_to(listener.local_endpoint().value().port());
    std::vector<weir::join_handle<void>> tasks;
    tasks.reserve(count);
    for (u64 i = 0; i < count; ++i) {
        auto accepted = co_await listener.accept();
        tasks.push_back(weir::spawn(echo(std::move(accepted.value().stream))));
    }
    co_await weir::sleep_for(100ms);  // every task has begun to wait
    const u64 memory = bench::resident_bytes() - memory_before;

    const auto cpu_before = bench::cpu_time();
    co_await weir::sleep_for(idle_time);
    const std::chrono::duration<double> idle = bench::cpu_time() - cpu_before;

    const auto begin = std::chrono::steady_clock::now();
    co_await weir::spawn_blocking([&others] { others.echo_all(); });
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;

    std::printf("%-16s %llu connections, %.0f bytes each, idle %.2f %% of a core, all echo in %.0f ms\n",
                kind, static_cast<unsigned long long>(count),
                static_cast<double>(memory) / static_cast<double>(count), idle.count() * 100,
                took.count());
    for (auto& task : tasks) task.abort();
    co_return idle < idle_time * most_idle_share;
}

template <class Runtime>
bool run(Runtime make, u64 count, const char* kind) {
    const other_ends others(count);  // forks, so that there must be no other thread yet
    auto runtime = make();
    return runtime.block_on(hold(others, count, kind));
}

}  // namespace

int main(int argc, char** argv) {
    const u64 count = argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 10'000;
    if (argc > 2 || count == 0) {
        std::fputs("usage: weir-connection-bench [COUNT]\n", stderr);
        return 2;
    }
    if (!allow_descriptors(count + 100)) {
        std::printf("skipped: this process may not open %llu descriptors (ulimit -Hn)\n",
                    static_cast<unsigned long long>(count + 100));
        return 77;
    }
    bool quiet = run([] { return weir::current_thread_runtime(); }, count, "current_thread");
    quiet &= run([] { return weir::multi_thread_runtime(); }, count, "multi_thread");
    if (!quiet) std::puts("idle connections must not take CPU time");
    return quiet ? 0 : 1;
}
