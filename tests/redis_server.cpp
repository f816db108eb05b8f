// The server of the Redis example over real sockets: limits, ends and slow clients.

#include <doctest/doctest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/redis_fixture.hpp"

namespace {

using namespace redis_test;
using namespace std::chrono_literals;

// Takes every descriptor the process may have but `left`, until it is destroyed.
class all_descriptors {
public:
    explicit all_descriptors(int left) {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int highest = ::dup(0);
        rlimit low = before_;
        low.rlim_cur = static_cast<rlim_t>(highest) + 16;
        ::setrlimit(RLIMIT_NOFILE, &low);
        taken_.push_back(highest);
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.push_back(fd);
        for (; left > 0; --left) {
            ::close(taken_.back());
            taken_.pop_back();
        }
    }
    all_descriptors(const all_descriptors&) = delete;
    all_descriptors& operator=(const all_descriptors&) = delete;
    ~all_descriptors() {
        for (const int fd : taken_) ::close(fd);
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }

private:
    rlimit before_{};
    std::vector<int> taken_;
};

TEST_SUITE("redis_server") {
    TEST_CASE("a client that has sent its last request still gets the reply") {
        run([](running_server& server) -> weir::task<void> {
            auto stream = co_await connect(server.port());
            const auto sent =
                co_await stream.write_all("SET k v\r\nGET k\r\n*2\r\n$3\r\nGET\r\n$9\r\nk");
            CHECK(sent.has_value());
            CHECK(stream.shutdown().has_value());
            const auto replies = co_await read_to_end(stream);
            CHECK(replies == "+OK\r\n$1\r\nv\r\n");
        });
    }

    TEST_CASE("INFO shows what the runtime has done") {
        run([](running_server& server) -> weir::task<void> {
            auto stream = co_await connect(server.port());
            const auto sent = co_await stream.write_all("INFO runtime\r\n");
            CHECK(sent.has_value());
            CHECK(stream.shutdown().has_value());
            const auto reply = co_await read_to_end(stream);
            CHECK(reply.find("# Runtime\r\nruntime_workers:1\r\nruntime_alive_tasks:") !=
                  std::string::npos);
        });
    }

    TEST_CASE("a connection above the limit waits until another one has ended") {
        redis::server_options options;
        options.max_connections = 2;
        run(
            [](running_server& server) -> weir::task<void> {
                auto first = co_await connect(server.port());
                auto second = co_await connect(server.port());
                auto third = co_await connect(server.port());
                CHECK((co_await ask(first, "PING", 7)) == "+PONG\r\n");
                CHECK((co_await ask(second, "PING", 7)) == "+PONG\r\n");
                auto waiting = weir::spawn(ask(third, "PING", 7));
                // The third has been sent its request; the server answers others instead.
                CHECK((co_await ask(first, "PING", 7)) == "+PONG\r\n");
                CHECK_FALSE(waiting.is_finished());
                CHECK((co_await ask(first, "QUIT", 5)) == "+OK\r\n");
                CHECK((co_await waiting) == "+PONG\r\n");
            },
            options);
    }

    TEST_CASE("a stop answers what has been received, and waits for idle clients not at all") {
        run([](running_server& server) -> weir::task<void> {
            auto idle = co_await connect(server.port());
            auto busy = co_await connect(server.port());
            CHECK((co_await ask(idle, "PING", 7)) == "+PONG\r\n");
            CHECK((co_await ask(busy, "PING", 7)) == "+PONG\r\n");
            std::string requests;
            for (int i = 0; i < 1000; ++i) requests += "ECHO 0123456789\r\n";
            const auto sent = co_await busy.write_all(requests);
            CHECK(sent.has_value());
            co_await server.stop();
            const auto replies = co_await read_to_end(busy);
            CHECK(replies.size() == 1000 * 17);
            const auto nothing = co_await read_to_end(idle);
            CHECK(nothing.empty());
            const auto refused = co_await tcp_stream::connect("127.0.0.1", server.port());
            CHECK_FALSE(refused.has_value());
        });
    }

    TEST_CASE("a client that does not read delays neither the others nor a stop") {
        redis::server_options options;
        options.grace = 50ms;
        run(
            [](running_server& server) -> weir::task<void> {
                auto client = co_await connect_client(server.port());
                const auto set =
                    co_await client.set("big", weir::bytes(std::string(4'000'000, 'v')));
                CHECK(set.has_value());
                auto stalled = co_await connect(server.port());
                std::string requests;
                for (int i = 0; i < 1000; ++i) requests += "GET big\r\n";  // 4 GB of replies
                const auto sent = co_await stalled.write_all(requests);
                CHECK(sent.has_value());
                CHECK((co_await read(stalled, 10)).substr(0, 10) == "$4000000\r\n");
                for (int i = 0; i < 100; ++i) {
                    const auto pong = co_await client.ping();
                    CHECK(pong.has_value());
                }
                co_await server.stop();
            },
            options);
    }

    TEST_CASE("a server without descriptors waits for some, and serves who waited for it") {
        run([](running_server& server) -> weir::task<void> {
            auto early = co_await connect(server.port());
            CHECK((co_await ask(early, "PING", 7)) == "+PONG\r\n");
            const all_descriptors taken(1);
            // The last descriptor goes to the client; the server cannot accept it.
            auto late = co_await connect(server.port());
            auto reply = weir::spawn(ask(late, "PING", 7));
            CHECK((co_await ask(early, "PING", 7)) == "+PONG\r\n");
            CHECK((co_await ask(early, "QUIT", 5)) == "+OK\r\n");
            CHECK((co_await reply) == "+PONG\r\n");
        });
    }

    TEST_CASE("messages arrive while a client waits for nothing else, and a stop ends the wait") {
        run([](running_server& server) -> weir::task<void> {
            auto listener = co_await connect(server.port());
            const std::string confirmed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n";
            CHECK((co_await ask(listener, "SUBSCRIBE x", confirmed.size())) == confirmed);
            auto publisher = co_await connect(server.port());
            CHECK((co_await ask(publisher, "PUBLISH x hello", 4)) == ":1\r\n");
            const std::string message = "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$5\r\nhello\r\n";
            CHECK((co_await read(listener, message.size())) == message);
            CHECK((co_await ask(listener, "PING", 20)) == "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
            co_await server.stop();
            CHECK((co_await read_to_end(listener)).empty());
        });
    }

    TEST_CASE("a stop finds clients in every state, waits for those that can end, and cuts the rest") {
        redis::server_options options;
        options.grace = 300ms;
        options.max_connections = 5;
        run_with_every_state(
            [](running_server& server) -> weir::task<void> {
                auto idle = co_await connect(server.port());
                auto mid_frame = co_await connect(server.port());
                auto listener = co_await connect(server.port());
                auto deaf = co_await connect(server.port());
                auto quits = co_await connect(server.port());
                auto waits = co_await connect(server.port());  // above the limit
                CHECK((co_await ask(idle, "PING", 7)) == "+PONG\r\n");
                CHECK((co_await ask(mid_frame, "PING\r\n*2\r\n$3\r\nGET\r\n$5\r\nab", 7)) == "+PONG\r\n");
                CHECK((co_await ask(listener, "SUBSCRIBE x", 30)).size() == 30);
                CHECK((co_await ask(quits, "PING", 7)) == "+PONG\r\n");
                std::string requests = "SET big " + std::string(60'000, 'v') + "\r\n";
                for (int i = 0; i < 1000; ++i) requests += "GET big\r\n";
                const auto sent = co_await deaf.write_all(requests);
                CHECK(sent.has_value());
                CHECK((co_await read(deaf, 10)).substr(0, 5) == "+OK\r\n");
                const redis::server_report report = co_await server.stop();
                CHECK(report.open == 5);
                CHECK(report.cut == 1);
                CHECK(report.accepted == 5);
                CHECK(report.stopping >= 300ms);
                for (tcp_stream* s : {&idle, &mid_frame, &listener, &quits, &waits}) {
                    CHECK((co_await read_to_end(*s)).empty());
                }
            },
            options);
    }

    TEST_CASE("expired keys are purged although nobody reads them") {
        run([](running_server& server) -> weir::task<void> {
            auto client = co_await connect_client(server.port());
            for (int i = 0; i < 1000; ++i) {
                client.queue({"SET", "k" + std::to_string(i), "v", "PX", "1"});
            }
            const auto set = co_await client.exchange();
            CHECK(set.has_value());
            std::int64_t left = 1;
            while (left != 0) {
                client.queue({"DBSIZE"});
                const auto size = co_await client.exchange();
                left = size.value()[0].integer();
                co_await weir::sleep_for(5ms);
            }
        });
    }
}

}  // namespace
