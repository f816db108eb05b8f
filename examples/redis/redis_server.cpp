// weir-redis-server [--bind ADDRESS] [--port N]: a server for redis-cli and redis-benchmark.

#include <charconv>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include <weir/runtime.hpp>
#include <weir/signal.hpp>

#include "server.hpp"

namespace {

struct settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
};

std::optional<settings> parse_command_line(int argc, char** argv) {
    settings s;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view option = argv[i];
        if (i + 1 == argc) return std::nullopt;
        const std::string_view value = argv[i + 1];
        if (option == "--bind") {
            s.host = value;
        } else if (option == "--port") {
            const char* const end = value.data() + value.size();
            if (std::from_chars(value.data(), end, s.port).ptr != end) return std::nullopt;
        } else {
            return std::nullopt;
        }
    }
    return s;
}

weir::task<void> interrupted() {
    co_await weir::ctrl_c();
    std::puts("stopping");
}

weir::task<int> run(settings s) {
    auto listener = co_await weir::net::tcp_listener::bind(s.host, s.port);
    if (!listener) {
        std::fprintf(stderr, "cannot listen on %s:%u: %s\n", s.host.c_str(), unsigned{s.port},
                     listener.error().message().c_str());
        co_return 1;
    }
    // Port 0 asks the kernel for a free one; whoever started this program reads which from here.
    std::printf("ready on port %u\n", unsigned{listener->local_endpoint()->port()});
    std::fflush(stdout);
    co_await redis::serve(std::move(*listener), interrupted());
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto s = parse_command_line(argc, argv);
    if (!s) {
        std::fprintf(stderr, "usage: %s [--bind ADDRESS] [--port N]\n", argv[0]);
        return 2;
    }
    return weir::block_on(run(*s));
}
