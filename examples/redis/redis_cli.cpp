// weir-redis-cli [-h HOST] [-p PORT] get KEY | set KEY VALUE [MILLISECONDS] | ping [MESSAGE]

#include <charconv>
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

namespace {

struct settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
    std::vector<std::string> words;  // the command and its arguments
};

template <class Number>
bool parse_number(std::string_view text, Number& number) {
    const char* const end = text.data() + text.size();
    return !text.empty() && std::from_chars(text.data(), end, number).ptr == end;
}

std::optional<settings> parse_command_line(int argc, char** argv) {
    settings s;
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        const std::string_view option = argv[i];
        if (option == "-h") {
            s.host = argv[i + 1];
        } else if (option != "-p" || !parse_number(argv[i + 1], s.port)) {
            return std::nullopt;
        }
    }
    s.words.assign(argv + i, argv + argc);
    if (s.words.empty()) return std::nullopt;
    return s;
}

int report(const redis::failure& why) {
    std::fprintf(stderr, "(error) %s\n", why.text().c_str());
    return 1;
}

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fputc('\n', stdout);
}

int print_usage() {
    std::fputs(
        "usage: weir-redis-cli [-h HOST] [-p PORT] COMMAND\n"
        "  get KEY\n"
        "  set KEY VALUE [MILLISECONDS]\n"
        "  ping [MESSAGE]\n",
        stderr);
    return 2;
}

weir::task<int> run(settings s) {
    const std::vector<std::string>& words = s.words;
    auto connected = co_await redis::client::connect(s.host, s.port);
    if (!connected) co_return report(connected.error());
    redis::client& client = *connected;

    if (words[0] == "get" && words.size() == 2) {
        const auto found = co_await client.get(words[1]);
        if (!found) co_return report(found.error());
        print(*found ? '"' + (*found)->to_string() + '"' : "(nil)");
        co_return 0;
    }
    if (words[0] == "set" && (words.size() == 3 || words.size() == 4)) {
        const auto value = weir::bytes::copy_of(words[2]);
        std::int64_t ttl = 0;
        if (words.size() == 4 && !parse_number(words[3], ttl)) co_return print_usage();
        auto command = words.size() == 3
                           ? client.set(words[1], value)
                           : client.set(words[1], value, std::chrono::milliseconds(ttl));
        const auto done = co_await std::move(command);
        if (!done) co_return report(done.error());
        print("OK");
        co_return 0;
    }
    if (words[0] == "ping" && words.size() <= 2) {
        std::string message = words.size() == 2 ? words[1] : "";
        const auto pong = co_await client.ping(std::move(message));
        if (!pong) co_return report(pong.error());
        print(*pong);
        co_return 0;
    }
    co_return print_usage();
}

}  // namespace

int main(int argc, char** argv) {
    const auto s = parse_command_line(argc, argv);
    if (!s) return print_usage();
    return weir::block_on(run(*s));
}
