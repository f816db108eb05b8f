// Clients that mean harm, or cannot help it: what they may cost the server, and what not.

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/redis_fixture.hpp"

namespace {

using namespace redis_test;
using namespace std::chrono_literals;

// Memory of this process, server included, that is in use.
std::size_t resident_bytes() {
    std::size_t all = 0;
    std::size_t resident = 0;
    std::ifstream("/proc/self/statm") >> all >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// A sanitizer keeps what is freed, so what is in use says nothing there.
constexpr bool memory_is_exact =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    false;
#else
    true;
#endif
#else
    true;
#endif

weir::task<void> send(tcp_stream& stream, std::string bytes) {
    const auto sent = co_await stream.write_all(bytes);
    CHECK(sent.has_value());
}

weir::task<bool> answers_ping(std::uint16_t port) {
    auto stream = co_await connect(port);
    co_return co_await ask(stream, "PING", 7) == "+PONG\r\n";
}

std::string repeat(std::string_view text, std::size_t times) {
    std::string all;
    all.reserve(text.size() * times);
    for (std::size_t i = 0; i < times; ++i) all += text;
    return all;
}

redis::server_options impatient() {
    redis::server_options options;
    options.patience = 100ms;
    return options;
}

TEST_SUITE("redis_hostile") {
    TEST_CASE("what a client announces costs nothing: memory follows what has arrived") {
        run([](running_server& server) -> weir::task<void> {
            const std::size_t before = resident_bytes();
            std::vector<tcp_stream> clients;
            for (const char* claim : {"*1000000000\r\n", "*2\r\n$3\r\nGET\r\n$536870912\r\nx",
                                      "*2147483647\r\n$536870912\r\n", "*1\r\n*1\r\n"}) {
                for (int i = 0; i < 50; ++i) {
                    clients.push_back(co_await connect(server.port()));
                    co_await send(clients.back(), claim);
                }
            }
            CHECK(co_await answers_ping(server.port()));
            if (memory_is_exact) CHECK(resident_bytes() < before + 32 * 1024 * 1024);
        });
    }

    TEST_CASE("a request that comes byte by byte is as good as any other") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            auto stream = co_await connect(server.port());
            const std::string requests =
                "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\na\r\nb\r\nGET k\r\nSUBSCRIBE c\r\n*1\r\n$4\r\nPING\r\n";
            for (const char c : requests) co_await send(stream, std::string(1, c));
            const std::string expected =
                "+OK\r\n$4\r\na\r\nb\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n"
                "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
            CHECK(co_await read(stream, expected.size()) == expected);
        });
    }

    TEST_CASE("a hundred thousand requests in one write are answered in order, and others between") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            auto flood = co_await connect(server.port());
            auto other = co_await connect(server.port());
            constexpr std::size_t requests = 100'000;
            const std::string input = repeat("INCR n\r\n", requests);
            // Both directions at once: neither side's socket buffers take it all.
            auto both = co_await weir::join(send(flood, input), read(flood, 788'895),
                                            ask(other, "PING", 7));
            const std::string& replies = std::get<1>(both);
            CHECK(replies.substr(0, 8) == ":1\r\n:2\r\n");
            CHECK(replies.substr(replies.size() - 9) == ":100000\r\n");
            CHECK(std::get<2>(both) == "+PONG\r\n");
        });
    }

    TEST_CASE("a client that never comes to the end of its request is dropped, however it dawdles") {
        run(
            [](running_server& server) -> weir::task<void> {
                auto half = co_await connect(server.port());
                co_await send(half, "*2\r\n$3\r\nGET\r\n$5\r\nab");
                auto dawdler = co_await connect(server.port());
                auto drip = weir::spawn([](tcp_stream& s) -> weir::task<void> {
                    while (co_await s.write_all("x")) co_await weir::sleep_for(5ms);
                }(dawdler));
                auto idle = co_await connect(server.port());  // between requests: not in a hurry
                CHECK((co_await read_to_end(half)).empty());
                CHECK((co_await read_to_end(dawdler)).empty());
                co_await drip;
                CHECK(co_await ask(idle, "PING", 7) == "+PONG\r\n");
                CHECK((co_await ask(idle, "INFO stats", 100)).find("dropped_connections:2") !=
                      std::string::npos);
            },
            impatient());
    }

    TEST_CASE("a large request may take its time, as long as it makes headway") {
        redis::server_options options = impatient();
        options.least_rate = 1024;  // bytes for another second
        run(
            [](running_server& server) -> weir::task<void> {
                auto stream = co_await connect(server.port());
                co_await send(stream, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n");
                for (int i = 0; i < 10; ++i) {
                    co_await send(stream, std::string(10'000, 'x'));
                    co_await weir::sleep_for(30ms);
                }
                CHECK(co_await ask(stream, "", 5) == "+OK\r\n");
            },
            options);
    }

    TEST_CASE("an idle client is dropped where the server says so") {
        redis::server_options options;
        options.idle_limit = 300ms;
        run(
            [](running_server& server) -> weir::task<void> {
                auto idle = co_await connect(server.port());
                CHECK(co_await ask(idle, "PING", 7) == "+PONG\r\n");
                CHECK((co_await read_to_end(idle)).empty());
            },
            options);
    }

    TEST_CASE("a client that does not read its replies is dropped, and its batch with it") {
        run(
            [](running_server& server) -> weir::task<void> {
                auto client = co_await connect_client(server.port());
                const auto set = co_await client.set("big", weir::bytes(std::string(4'000'000, 'v')));
                CHECK(set.has_value());
                auto deaf = co_await connect(server.port());
                co_await send(deaf, repeat("GET big\r\n", 1000));
                while (true) {
                    client.queue({"CLIENT", "LIST"});
                    const auto list = co_await client.exchange();
                    const auto lines = list.value()[0].view();
                    if (std::count(lines.begin(), lines.end(), '\n') == 1) break;
                    co_await weir::sleep_for(5ms);
                }
            },
            [] {
                redis::server_options options = impatient();
                options.least_rate = 1'000'000'000;
                return options;
            }());
    }

    TEST_CASE("connections that are reset in the middle of anything cost nobody else") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            for (const char* last_words : {"", "*2\r\n$3\r\nGET\r\n$5\r\nab", "PING\r\nPING\r\n",
                                           "SUBSCRIBE c\r\n", "SET k "}) {
                for (int i = 0; i < 10; ++i) {
                    auto stream = co_await connect(server.port());
                    co_await send(stream, last_words);
                    CHECK(stream.reset_on_close().has_value());
                }
            }
            CHECK(co_await answers_ping(server.port()));
        });
    }

    TEST_CASE("ten thousand channels on one connection cost what their names cost") {
        run([](running_server& server) -> weir::task<void> {
            auto listener = co_await connect(server.port());
            const std::size_t before = resident_bytes();
            std::string request = "*10002\r\n$9\r\nSUBSCRIBE\r\n";
            for (int i = 0; i < 10'000; ++i) {
                request += "$13\r\nchannel:" + std::to_string(10'000 + i) + "\r\n";
            }
            request += "$4\r\nlast";
            const std::string last = "$4\r\nlast\r\n:10001\r\n";
            const std::string each = "*3\r\n$9\r\nsubscribe\r\n$13\r\nchannel:10000\r\n";
            std::size_t expected = 10'000 * each.size() + each.size() - 20 + last.size();
            for (int i = 1; i <= 10'000; ++i) expected += std::to_string(i).size() + 3;
            const std::string replies = co_await ask(listener, std::move(request), expected);
            CHECK(replies.size() == expected);
            CHECK(replies.substr(replies.size() - last.size()) == last);
            if (memory_is_exact) CHECK(resident_bytes() < before + 48 * 1024 * 1024);
            auto publisher = co_await connect(server.port());
            CHECK(co_await ask(publisher, "PUBLISH channel:14711 hi", 4) == ":1\r\n");
            const std::string message = "*3\r\n$7\r\nmessage\r\n$13\r\nchannel:14711\r\n$2\r\nhi\r\n";
            CHECK(co_await read(listener, message.size()) == message);
        });
    }

    TEST_CASE("keys that expire all at once do not keep the others waiting") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            auto client = co_await connect_client(server.port());
            constexpr int keys = 50'000;
            for (int i = 0; i < keys; ++i) {
                client.queue({"SET", "k" + std::to_string(i), "v", "PX", "1"});
            }
            const auto set = co_await client.exchange();
            CHECK(set.has_value());
            std::int64_t left = keys;
            while (left != 0) {
                client.queue({"DBSIZE"});
                client.queue({"GET", "k1"});
                const auto replies = co_await client.exchange();
                left = replies.value()[0].integer();
                co_await weir::sleep_for(1ms);
            }
        });
    }
}

// A listener that does not read, and a publisher that fills every buffer on the way to it.
weir::task<void> publish_to_a_deaf_listener(running_server& server, tcp_stream& deaf) {
    CHECK((co_await ask(deaf, "SUBSCRIBE c", 1)).size() >= 1);
    auto publisher = co_await connect(server.port());
    const std::string publish =
        "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$4096\r\n" + std::string(4096, 'm') + "\r\n";
    for (int i = 0; i < 15; ++i) {
        auto both = co_await weir::join(send(publisher, repeat(publish, 1000)),
                                        read(publisher, 4 * 1000));
        CHECK(std::get<1>(both).substr(0, 1) == ":");
    }
}

TEST_SUITE("redis_slow_listeners") {
    TEST_CASE("one that falls behind is disconnected, and memory stays bounded meanwhile") {
        run_with_every_state(
            [](running_server& server) -> weir::task<void> {
                const std::size_t before = resident_bytes();
                auto deaf = co_await connect(server.port());
                co_await publish_to_a_deaf_listener(server, deaf);
                // 60 MB were published; a ring holds 4096 messages, in two encodings.
                if (memory_is_exact) CHECK(resident_bytes() < before + 50 * 1024 * 1024);
                const std::string got = co_await read_to_end(deaf);
                CHECK(got.size() < 15'000 * 4096);
                CHECK(co_await answers_ping(server.port()));
            },
            impatient());
    }

    TEST_CASE("or it misses messages and goes on, where the server says so") {
        redis::server_options options;
        options.slow = redis::slow_listener::skip;
        options.patience = 60s;  // all that is published may take longer than the server's own
        run(
            [](running_server& server) -> weir::task<void> {
                auto deaf = co_await connect(server.port());
                co_await publish_to_a_deaf_listener(server, deaf);
                auto publisher = co_await connect(server.port());
                auto last = weir::spawn(ask(publisher, "PUBLISH c the-last-one", 4));
                std::string tail;
                while (tail.find("the-last-one") == tail.npos) {
                    const std::string more = co_await read(deaf, 1);
                    REQUIRE_FALSE(more.empty());
                    tail = tail.substr(tail.size() - std::min<std::size_t>(tail.size(), 20)) + more;
                }
                CHECK(co_await last == ":1\r\n");
            },
            options);
    }

    TEST_CASE("a publisher that pipelines never outruns those who read") {
        run_with_every_state([](running_server& server) -> weir::task<void> {
            auto listener = co_await connect(server.port());
            const std::string confirmed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
            CHECK(co_await ask(listener, "SUBSCRIBE c", confirmed.size()) == confirmed);
            auto publisher = co_await connect(server.port());
            constexpr std::size_t messages = 20'000;
            const std::string one = "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
            auto all = co_await weir::join(send(publisher, repeat("PUBLISH c m\r\n", messages)),
                                           read(publisher, 4 * messages),
                                           read(listener, one.size() * messages));
            CHECK(std::get<2>(all).size() == one.size() * messages);
        });
    }
}

}  // namespace
