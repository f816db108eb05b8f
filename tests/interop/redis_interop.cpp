// Our client against the real redis-server, and the real redis-cli and redis-benchmark against our
// server. A program that is not installed fails the test, in words.

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/runtime.hpp>
#include <weir/spawn.hpp>

#include "../../examples/redis/buffered_client.hpp"
#include "../../examples/redis/client.hpp"
#include "../../examples/redis/embedded_server.hpp"
#include "redis_process.hpp"

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

std::string run(std::vector<std::string> command, std::string_view input = {}) {
    interop::child_process child(std::move(command));
    if (!input.empty()) child.write(input);
    return child.finish(60s);
}

std::string cli(std::uint16_t port, std::vector<std::string> words, std::string_view input = {}) {
    std::vector<std::string> command{"redis-cli", "-h", "127.0.0.1", "-p", std::to_string(port)};
    command.insert(command.end(), words.begin(), words.end());
    return run(std::move(command), input);
}

void benchmark(std::uint16_t port, std::string_view tests, std::string_view pipeline) {
    const std::string out =
        run({"redis-benchmark", "-h", "127.0.0.1", "-p", std::to_string(port), "-t",
             std::string(tests), "-n", "20000", "-c", "50", "-P", std::string(pipeline), "-q"});
    CAPTURE(out);
    CHECK(out.find("requests per second") != std::string::npos);
    CHECK(out.find("WARNING") == std::string::npos);
    CHECK(out.find("rror") == std::string::npos);
}

weir::task<redis::client> connected(std::uint16_t port) {
    auto connection = co_await redis::client::connect("127.0.0.1", port);
    co_return std::move(connection).value();
}

weir::task<void> use_every_call(std::uint16_t port) {
    redis::client client = co_await connected(port);
    const auto pong = co_await client.ping();
    CHECK(pong.value() == "PONG");
    const auto echo = co_await client.ping("\xe3\x81\x93\r\n");
    CHECK(echo.value() == "\xe3\x81\x93\r\n");
    const auto missing = co_await client.get("missing");
    CHECK_FALSE(missing.value().has_value());

    for (const std::string& value : {""s, "v"s, "\0\r\n\xff"s, std::string(3'000'000, 'x')}) {
        const auto set = co_await client.set("key", weir::bytes::copy_of(value));
        CHECK(set.has_value());
        const auto got = co_await client.get("key");
        CHECK(got.value().value() == value);
    }
    const auto expiring = co_await client.set("key", weir::bytes::from_static("v"), 100s);
    CHECK(expiring.has_value());
    const auto refused = co_await client.set("key", weir::bytes::from_static("v"), 0ms);
    CHECK(refused.error().text() == "ERR invalid expire time in 'set' command");

    client.queue({"PTTL", "key"});
    client.queue({"INCR", "counter"});
    client.queue({"INCR", "key"});
    client.queue({"MGET", "key", "missing", "counter"});
    const auto replies = co_await client.exchange();
    const std::vector<redis::reply>& r = replies.value();
    REQUIRE(r.size() == 4);
    CHECK(r[0].integer() > 90'000);
    CHECK(r[1].integer() == 1);
    CHECK(r[2].view() == "ERR value is not an integer or out of range");
    REQUIRE(r[3].elements().size() == 3);
    CHECK(r[3].elements()[0].view() == "v");
    CHECK(r[3].elements()[1].is_null());
    CHECK(r[3].elements()[2].view() == "1");
}

weir::task<std::size_t> count_right_values(redis::buffered_client client, std::size_t number) {
    std::size_t right = 0;
    for (int i = 0; i < 100; ++i) {
        const std::string key = "task:" + std::to_string(number);
        const std::string value = std::to_string(i) + " of " + std::to_string(number);
        const auto set = co_await client.set(key, weir::bytes::copy_of(value));
        const auto got = co_await client.get(key);
        right += set && got && *got && **got == value;
    }
    co_return right;
}

weir::task<void> share_one_connection(std::uint16_t port) {
    redis::client connection = co_await connected(port);
    auto shared = redis::buffered_client::start(redis::link(std::move(connection)));
    std::vector<weir::join_handle<std::size_t>> tasks;
    for (std::size_t i = 0; i < 50; ++i) {
        tasks.push_back(weir::spawn(count_right_values(shared, i)));
    }
    std::size_t right = 0;
    for (auto& task : tasks) right += co_await task;
    CHECK(right == 50 * 100);
}

TEST_SUITE("redis_interop") {
    TEST_CASE("our client and its manager work with redis-server") {
        interop::redis_process server;
        weir::block_on(use_every_call(server.port()));
        weir::block_on(share_one_connection(server.port()));
    }

    TEST_CASE("redis-cli works with our server") {
        redis::embedded_server server;
        const std::uint16_t port = server.port();
        CHECK(cli(port, {"ping"}) == "PONG\n");
        CHECK(cli(port, {"set", "k", "v with blanks"}) == "OK\n");
        CHECK(cli(port, {"get", "k"}) == "v with blanks\n");
        CHECK(cli(port, {"--no-raw", "get", "missing"}) == "(nil)\n");
        CHECK(cli(port, {"-n", "0", "set", "k", "v", "EX", "100"}) == "OK\n");
        CHECK(cli(port, {"ttl", "k"}) == "100\n");
        CHECK(cli(port, {"-3", "get", "k"}) == "v\n");
        CHECK(cli(port, {"foo"}).find("ERR unknown command 'foo'") == 0);
        CHECK(cli(port, {}, "set a 1\nincr a\nget a\n") == "OK\n2\n2\n");
        CHECK(cli(port, {"info"}).find("redis_version:7") != std::string::npos);
        CHECK(cli(port, {"-x", "set", "big"}, std::string(60'000, 'b')) == "OK\n");
        CHECK(cli(port, {"get", "big"}) == std::string(60'000, 'b') + "\n");
    }

    TEST_CASE("redis-benchmark works with our server, one request at a time and pipelined") {
        redis::embedded_server server;
        benchmark(server.port(), "set,get", "1");
        benchmark(server.port(), "set,get", "16");
        benchmark(server.port(), "ping,incr,mset", "64");
    }

    TEST_CASE("our client and its manager work with our server") {
        redis::embedded_server server;
        weir::block_on(use_every_call(server.port()));
        weir::block_on(share_one_connection(server.port()));
    }
}

}  // namespace
