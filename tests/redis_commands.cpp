// The commands of the Redis example: each request's reply is what redis-server 7.0.15 was seen to
// answer. tests/interop asks both servers again, where the real one is installed.

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "../examples/redis/commands.hpp"
#include "../examples/redis/glob.hpp"

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using redis::fate;

// What clients share: plain data, without a lock around the keys.
struct server_state {
    redis::store keys;
    redis::server_state shared;
};

// One client of a server with a clock that only the test moves.
class connection {
public:
    explicit connection(server_state& db) : db_(db) {}

    std::string operator()(std::string_view input) {
        input_ += input;
        std::string replies;
        do {
            redis::reply_buffer out;
            out.use_resp3(talk_.client().protocol == 3);
            redis::whole_store access(db_.keys);
            input_.erase(0, talk_.answer(input_, db_.shared, access, now, out));
            replies += out.joined();
        } while (talk_.more());
        return replies;
    }
    fate end() const { return talk_.end(); }
    ~connection() { talk_.leave(db_.shared); }

    /// The messages that wait for this client, as they would be sent; how many were lost.
    std::string messages(std::uint64_t* lost = nullptr) {
        redis::subscription& listening = *talk_.client().listening;
        for (auto& f : listening.take_feeds()) feeds_.push_back(std::move(f));
        redis::reply_buffer out;
        out.use_resp3(talk_.client().protocol == 3);
        for (auto& f : feeds_) {
            for (auto r = f.receiver.try_recv(); !r.is_empty(); r = f.receiver.try_recv()) {
                if (lost != nullptr) *lost += r.lagged();
                if (!r.has_value()) continue;
                if (f.patterns) {
                    listening.deliver_to_patterns(**r, out);
                } else {
                    listening.deliver_to_channel(**r, out);
                }
            }
        }
        return out.joined();
    }

    redis::instant now{std::chrono::hours(24 * 365 * 50)};

private:
    server_state& db_;
    redis::conversation talk_;
    std::string input_;
    std::vector<redis::subscription::feed> feeds_;
};

struct server {
    server_state db;
    connection ask{db};
};

using table = std::vector<std::pair<std::string_view, std::string_view>>;

void check_replies(const table& lines) {
    server s;
    for (const auto& [input, expected] : lines) {
        CAPTURE(input);
        CHECK(s.ask(std::string(input) + "\r\n") == std::string(expected) + "\r\n");
        CHECK(s.ask.end() == fate::open);
    }
}

constexpr std::string_view wrong_set_time = "-ERR invalid expire time in 'set' command";
constexpr std::string_view no_integer = "-ERR value is not an integer or out of range";

TEST_SUITE("redis_commands") {
    TEST_CASE("values are set, read, counted and deleted") {
        check_replies({
            {"GET k", "$-1"}, {"SET k v", "+OK"}, {"get k", "$1\r\nv"},
            {"MSET a 1 b 2", "+OK"}, {"MGET a nosuch b", "*3\r\n$1\r\n1\r\n$-1\r\n$1\r\n2"},
            {"EXISTS a a b nosuch", ":3"}, {"DBSIZE", ":3"}, {"TYPE a", "+string"},
            {"TYPE nosuch", "+none"}, {"DEL a b nosuch", ":2"}, {"FLUSHALL", "+OK"},
            {"FLUSHALL x", "-ERR syntax error"}, {"DBSIZE", ":0"}, {"INCR n", ":1"},
            {"INCRBY n 10", ":11"}, {"DECRBY n 3", ":8"}, {"DECR n", ":7"},
            {"DECRBY n -9223372036854775808", "-ERR decrement would overflow"},
            {"SET n 9223372036854775807", "+OK"},
            {"INCR n", "-ERR increment or decrement would overflow"},
            {"SET n ' 1'", "+OK"}, {"INCR n", no_integer}, {"INCRBY n x", no_integer},
            {"ECHO hi", "$2\r\nhi"}, {"PING", "+PONG"}, {"PING hi", "$2\r\nhi"},
        });
    }

    TEST_CASE("SET takes its options in the combinations that make sense") {
        check_replies({
            {"SET k 1 NX XX", "-ERR syntax error"}, {"SET k 1 FOO", "-ERR syntax error"},
            {"SET k 1 EX", "-ERR syntax error"}, {"SET k 1 EX 10 PX 10", "-ERR syntax error"},
            {"SET k 1 EX 10 KEEPTTL", "-ERR syntax error"}, {"SET k 1 EX 0", wrong_set_time},
            {"SET k 1 EX -1", wrong_set_time}, {"SET k 1 EX 9223372036854775807", wrong_set_time},
            {"SET k 1 EX 9223372036854775", wrong_set_time},
            {"SET k 1 PX 9223372036854775807", wrong_set_time}, {"SET k 1 EXAT 0", wrong_set_time},
            {"SET k 1 EX 18446744073709551615", no_integer}, {"SET k 1 EX 1x", no_integer},
            {"GET k", "$-1"}, {"SET k 1 XX", "$-1"}, {"SET k 1 XX GET", "$-1"},
            {"SET k 1 nx", "+OK"}, {"SET k 2 NX", "$-1"}, {"SET k 2 GET", "$1\r\n1"},
            {"SET k 3 NX GET", "$1\r\n2"}, {"GET k", "$1\r\n2"}, {"SET k 4 EX 10 EX 20", "+OK"},
            {"TTL k", ":20"}, {"SET k 5 KEEPTTL", "+OK"}, {"TTL k", ":20"}, {"SET k 6", "+OK"},
            {"TTL k", ":-1"}, {"SET k 7 PXAT 9223372036854775807", "+OK"}, {"GET k", "$1\r\n7"},
            {"SET k 8 EXAT 1", "+OK"}, {"GET k", "$-1"},
        });
    }

    TEST_CASE("a key is gone for every reader at its deadline, and purged later") {
        server s;
        CHECK(s.ask("SET a 1 EX 1\r\nSET b 2 PX 1500\r\nSET c 3\r\n") == "+OK\r\n+OK\r\n+OK\r\n");
        CHECK(s.ask("TTL a\r\nPTTL b\r\nTTL nosuch\r\n") == ":1\r\n:1500\r\n:-2\r\n");
        s.ask.now += 1001ms;
        CHECK(s.db.keys.size() == 3);
        CHECK(s.ask("GET a\r\nEXISTS b\r\nINCR a\r\n") == "$-1\r\n:1\r\n:1\r\n");
        CHECK(s.ask("PERSIST b\r\nPERSIST b\r\nEXPIRE b 1\r\n") == ":1\r\n:0\r\n:1\r\n");
        CHECK(s.ask("EXPIRE c -1\r\nGET c\r\n") == ":1\r\n$-1\r\n");
        CHECK(s.ask("EXPIRE b 9223372036854775807\r\n") ==
              "-ERR invalid expire time in 'expire' command\r\n");
        s.ask.now += 1001ms;
        CHECK(s.db.keys.next_deadline() < s.ask.now);
        CHECK(s.db.keys.purge(s.ask.now, 10) == 1);
        CHECK(s.ask("DBSIZE\r\n") == ":1\r\n");
    }

    TEST_CASE("a purge takes no more keys than it may, and only what has expired") {
        server s;
        for (int i = 0; i < 1000; ++i) {
            s.ask("SET k" + std::to_string(i) + " v PX " + std::to_string(1 + i) + "\r\n");
        }
        s.ask.now += 500ms;
        CHECK(s.db.keys.purge(s.ask.now, 100) == 100);
        CHECK(s.db.keys.purge(s.ask.now, 1000) == 399);
        CHECK(s.db.keys.purge(s.ask.now, 1000) == 0);
        CHECK(s.db.keys.size() == 501);
        CHECK(s.db.keys.expiring() == 501);
        CHECK(s.ask("MSET k998 v k999 v\r\n") == "+OK\r\n");
        CHECK(s.db.keys.expiring() == 499);
        s.db.keys.clear();
        CHECK(s.db.keys.next_deadline() == redis::never);
    }

    TEST_CASE("mistakes are answered, and the connection stays open") {
        check_replies({
            {"GET", "-ERR wrong number of arguments for 'get' command"},
            {"SET k", "-ERR wrong number of arguments for 'set' command"},
            {"PING a b", "-ERR wrong number of arguments for 'ping' command"},
            {"MSET a 1 b", "-ERR wrong number of arguments for 'mset' command"},
            {"FOO a b", "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' "},
            {"''", "-ERR unknown command '', with args beginning with: "},
            {"\"F\\rO\" \"a\\x00b\\nc\"",
             "-ERR unknown command 'F O', with args beginning with: 'a' "},
            {"EXPIRE k x", no_integer}, {"EXPIRE k 1 FOO", "-ERR Unsupported option FOO"},
            {"CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP."},
            {"CONFIG GET", "-ERR wrong number of arguments for 'config|get' command"},
        });
        server s;
        CHECK(s.ask("FOO " + std::string(200, 'a') + " b\r\n") ==
              "-ERR unknown command 'FOO', with args beginning with: '" + std::string(128, 'a') +
                  "' \r\n");
    }

    TEST_CASE("clients get the answers they ask for when they connect") {
        check_replies({
            {"COMMAND", "*0"}, {"COMMAND DOCS", "*0"}, {"COMMAND INFO nosuch", "*1\r\n$-1"},
            {"CONFIG GET save", "*2\r\n$4\r\nsave\r\n$0\r\n"},
            {"CONFIG GET appendonly", "*2\r\n$10\r\nappendonly\r\n$2\r\nno"},
            {"CONFIG GET nosuch", "*0"}, {"SELECT 0", "+OK"},
            {"SELECT -1", "-ERR DB index is out of range"}, {"SELECT x", no_integer},
            {"CLIENT SETINFO LIB-NAME x", "+OK"}, {"CLIENT GETNAME", "$-1"},
            {"CLIENT SETNAME 'a b'",
             "-ERR Client names cannot contain spaces, newlines or special characters."},
            {"CLIENT SETNAME me", "+OK"}, {"CLIENT GETNAME", "$2\r\nme"}, {"CLIENT ID", ":0"},
            {"AUTH default x", "+OK"},
            {"AUTH a b", "-WRONGPASS invalid username-password pair or user is disabled."},
            {"HELLO 4", "-NOPROTO unsupported protocol version"},
            {"HELLO x", "-ERR Protocol version is not an integer or out of range"},
            {"HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'"}, {"RESET", "+RESET"},
            {"CLIENT GETNAME", "$-1"}, {"GET nosuch", "$-1"},
        });
        server s;
        const std::string greeting = s.ask("HELLO 3 AUTH default x SETNAME me\r\nGET nosuch\r\n");
        CHECK(greeting.substr(0, 4) == "%7\r\n");
        CHECK(greeting.substr(greeting.size() - 7) == "*0\r\n_\r\n");
        CHECK(s.ask("CONFIG GET save\r\n") == "%1\r\n$4\r\nsave\r\n$0\r\n\r\n");
        CHECK(s.ask("INFO\r\n").find("# Server\r\nredis_version:7.0.15\r\n") == 6);
        CHECK(s.ask("INFO nosuch\r\n") == "$0\r\n\r\n");
    }

    TEST_CASE("a message reaches those who listen to its channel, and nobody else") {
        server_state db;
        connection a(db);
        connection b(db);
        connection publisher(db);
        const std::string confirmed = "*3\r\n$9\r\nsubscribe\r\n$1\r\n";
        CHECK(publisher("PUBLISH x hi\r\n") == ":0\r\n");
        CHECK(a("SUBSCRIBE x y x\r\n") ==
              confirmed + "x\r\n:1\r\n" + confirmed + "y\r\n:2\r\n" + confirmed + "x\r\n:2\r\n");
        CHECK(publisher("PUBLISH x hi\r\n") == ":1\r\n");
        CHECK(b("SUBSCRIBE x\r\n") == confirmed + "x\r\n:1\r\n");
        CHECK(publisher("PUBLISH x ho\r\nPUBLISH y yo\r\nPUBLISH z no\r\n") ==
              ":2\r\n:1\r\n:0\r\n");
        const auto message = [](std::string channel, std::string text) {
            return "*3\r\n$7\r\nmessage\r\n$1\r\n" + channel + "\r\n$2\r\n" + text + "\r\n";
        };
        CHECK(a.messages() == message("x", "hi") + message("x", "ho") + message("y", "yo"));
        CHECK(b.messages() == message("x", "ho"));
    }

    TEST_CASE("a client that listens may only do what its protocol can tell apart") {
        const std::string refused =
            "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
            "RESET are allowed in this context\r\n";
        server s;
        s.ask("SUBSCRIBE x y\r\n");
        CHECK(s.ask("GET k\r\n") == refused);
        CHECK(s.ask("FOO\r\n") == "-ERR unknown command 'FOO', with args beginning with: \r\n");
        CHECK(s.ask("PING\r\nPING a\r\n") ==
              "*2\r\n$4\r\npong\r\n$0\r\n\r\n*2\r\n$4\r\npong\r\n$1\r\na\r\n");
        const std::string left = "*3\r\n$11\r\nunsubscribe\r\n";
        CHECK(s.ask("unsubscribe z x\r\n") ==
              left + "$1\r\nz\r\n:2\r\n" + left + "$1\r\nx\r\n:1\r\n");
        CHECK(s.ask("UNSUBSCRIBE\r\n") == left + "$1\r\ny\r\n:0\r\n");
        CHECK(s.ask("UNSUBSCRIBE\r\n") == left + "$-1\r\n:0\r\n");
        CHECK(s.ask("GET k\r\nSUBSCRIBE x\r\nRESET\r\nPING\r\n").substr(0, 5) == "$-1\r\n");
        s.ask("HELLO 3\r\nSUBSCRIBE x\r\n");
        CHECK(s.ask("GET k\r\nPUBLISH x hi\r\n") ==
              "_\r\n>3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$2\r\nhi\r\n:1\r\n");
    }

    TEST_CASE("a listener that does not read loses messages, and costs no memory") {
        server_state db;
        connection slow(db);
        connection publisher(db);
        slow("SUBSCRIBE x\r\n");
        slow.messages();
        constexpr std::size_t kept = redis::channel_hub::ring_size;
        for (std::size_t i = 0; i < kept + 100; ++i) publisher("PUBLISH x m\r\n");
        std::uint64_t lost = 0;
        const std::string all = slow.messages(&lost);
        CHECK(std::count(all.begin(), all.end(), '*') == kept);
        CHECK(lost == 100);
    }

    TEST_CASE("what was published before a subscription is never delivered, in whatever ring it is") {
        server_state db;
        connection a(db);
        connection publisher(db);
        a("SUBSCRIBE x y\r\n");
        publisher("PUBLISH x old\r\n");
        a("UNSUBSCRIBE x\r\nSUBSCRIBE x\r\n");
        publisher("PUBLISH x new\r\n");
        CHECK(a.messages() == "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$3\r\nnew\r\n");
        // The rings are fewer than the channels: a listener of one must not hear another.
        for (int i = 0; i < 500; ++i) publisher("PUBLISH other:" + std::to_string(i) + " m\r\n");
        connection b(db);
        std::string names;
        for (int i = 0; i < 500; ++i) names += " other:" + std::to_string(i);
        b("SUBSCRIBE" + names + "\r\n");
        CHECK(publisher("PUBLISH x m\r\n") == ":1\r\n");
        CHECK(b.messages().empty());
    }

    TEST_CASE("a pattern hears the channels that it matches, beside the channel itself") {
        server_state db;
        connection a(db);
        connection publisher(db);
        CHECK(a("PSUBSCRIBE n*s n[ae]ws\r\n") ==
              "*3\r\n$10\r\npsubscribe\r\n$3\r\nn*s\r\n:1\r\n"
              "*3\r\n$10\r\npsubscribe\r\n$7\r\nn[ae]ws\r\n:2\r\n");
        a("SUBSCRIBE news\r\n");
        CHECK(publisher("PUBLISH news hi\r\nPUBLISH ns ho\r\nPUBLISH x no\r\n") ==
              ":3\r\n:1\r\n:0\r\n");
        const auto by_pattern = [](std::string pattern, std::string channel, std::string text) {
            const auto bulk = [](const std::string& s) {
                return "$" + std::to_string(s.size()) + "\r\n" + s + "\r\n";
            };
            return "*4\r\n" + bulk("pmessage") + bulk(pattern) + bulk(channel) + bulk(text);
        };
        const std::string got = a.messages();
        CHECK(got.find(by_pattern("n*s", "news", "hi") + by_pattern("n[ae]ws", "news", "hi")) !=
              got.npos);
        CHECK(got.find(by_pattern("n*s", "ns", "ho")) != got.npos);
        CHECK(got.find("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\nhi\r\n") != got.npos);
        CHECK(a("PUNSUBSCRIBE\r\n").find(":2\r\n*3\r\n$12\r\npunsubscribe\r\n") != got.npos);
        CHECK(publisher("PUBLISH ns ho\r\n") == ":0\r\n");
    }

    TEST_CASE("KEYS and SCAN find every key that is there, while others come and go") {
        server s;
        std::set<std::string> expected;
        for (int i = 0; i < 1000; ++i) {
            const std::string key = "key:" + std::to_string(i);
            s.ask("SET " + key + " v\r\n");
            expected.insert(key);
        }
        s.ask("SET gone v PX 1\r\n");
        s.ask.now += 10ms;
        CHECK(s.ask("KEYS *\r\n").substr(0, 7) == "*1000\r\n");
        CHECK(s.ask("KEYS key:99?\r\n").substr(0, 5) == "*10\r\n");
        CHECK(s.ask("KEYS nosuch\r\n") == "*0\r\n");
        std::set<std::string> found;
        std::string cursor = "0";
        int added = 0;
        do {
            const std::string reply = s.ask("SCAN " + cursor + " COUNT 20\r\n");
            redis::reply_parser parser;
            REQUIRE(parser.parse(reply) == redis::reply_parser::result::reply);
            const auto both = parser.take();
            cursor = both.elements()[0].view();
            for (const auto& key : both.elements()[1].elements()) found.emplace(key.view());
            // The map grows under the scan.
            for (int i = 0; i < 5; ++i) s.ask("SET new:" + std::to_string(added++) + " v\r\n");
            REQUIRE(added < 1'000'000);
        } while (cursor != "0");
        CHECK(std::includes(found.begin(), found.end(), expected.begin(), expected.end()));
    }

    TEST_CASE("SCAN and EXPIRE take their options as redis-server does") {
        check_replies({
            {"SCAN 0", "*2\r\n$1\r\n0\r\n*0"}, {"SCAN x", "-ERR invalid cursor"},
            {"SCAN 0 COUNT 0", "-ERR syntax error"}, {"SCAN 0 COUNT x", no_integer},
            {"SCAN 0 FOO", "-ERR syntax error"}, {"SCAN 0 MATCH", "-ERR syntax error"},
            {"SET k v", "+OK"}, {"SCAN 0 MATCH k* COUNT 100", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk"},
            {"SCAN 0 TYPE list COUNT 100", "*2\r\n$1\r\n0\r\n*0"},
            {"EXPIRE k 10 XX", ":0"}, {"EXPIRE k 10 GT", ":0"}, {"EXPIRE k 10 LT", ":1"},
            {"EXPIRE k 10 NX", ":0"}, {"EXPIRE k 20 LT", ":0"}, {"EXPIRE k 20 gt", ":1"},
            {"TTL k", ":20"}, {"EXPIRE k 5 XX LT", ":1"}, {"TTL k", ":5"},
            {"EXPIRE k 5 NX XX",
             "-ERR NX and XX, GT or LT options at the same time are not compatible"},
            {"EXPIRE k 5 GT LT", "-ERR GT and LT options at the same time are not compatible"},
        });
    }

    TEST_CASE("patterns match as a person reads them, and take no longer for being hostile") {
        using redis::matches_glob;
        const std::vector<std::tuple<const char*, const char*, bool>> table{
            {"*", "", true}, {"*", "abc", true}, {"a*c", "abc", true}, {"a*c", "abcd", false},
            {"a?c", "abc", true}, {"a?c", "ac", false}, {"[abc]", "b", true}, {"[^abc]", "b", false},
            {"[a-c]x", "bx", true}, {"[c-a]x", "bx", true}, {"[]", "]", false}, {"[", "[", false},
            {"\\*", "*", true}, {"\\*", "a", false}, {"[\\]]", "]", true}, {"a\\", "a\\", true},
            {"*a*b*", "xxaxxbxx", true}, {"**a", "a", true}, {"", "", true}, {"", "a", false},
            {"[a", "a", true}, {"[^", "x", true}, {"h[^e]llo", "hallo", true}, {"a*", "a", true},
        };
        for (const auto& [pattern, text, expected] : table) {
            CAPTURE(pattern);
            CAPTURE(text);
            CHECK(matches_glob(pattern, text) == expected);
        }
        std::string stars;
        for (int i = 0; i < 100; ++i) stars += "a*";
        CHECK_FALSE(matches_glob(stars + "b", std::string(10'000, 'a')));
    }

    TEST_CASE("QUIT and protocol errors are answered last, hostile requests not at all") {
        const auto ask = [](std::string_view input) {
            server s;
            std::string replies = s.ask(input);
            return std::pair(replies, s.ask.end());
        };
        CHECK(ask("QUIT\r\nPING\r\n") == std::pair("+OK\r\n"s, fate::close_after_reply));
        CHECK(ask("PING\r\n*x\r\nPING\r\n") ==
              std::pair("+PONG\r\n-ERR Protocol error: invalid multibulk length\r\n"s,
                        fate::close_after_reply));
        CHECK(ask("PING\r\nPOST / HTTP/1.1\r\nPING\r\n") == std::pair(""s, fate::drop));
        CHECK(ask("GET / HTTP/1.1\r\nHost: x\r\n\r\n") == std::pair(""s, fate::drop));
        CHECK(ask("*0\r\n*-1\r\n\r\n").first.empty());
    }

    TEST_CASE("a flood of requests is answered in order, a batch at a time") {
        server_state db;
        redis::whole_store access(db.keys);
        redis::conversation talk;
        const std::string value(1000, 'v');
        std::string input = "SET k " + value + "\r\n";
        for (int i = 0; i < 1000; ++i) input += "GET k\r\n";
        std::size_t batches = 0;
        std::size_t replies = 0;
        do {
            redis::reply_buffer out;
            input.erase(0, talk.answer(input, db.shared, access, redis::instant(), out));
            CHECK(out.copied() < redis::conversation::batch_size + 2000);
            replies += out.joined().size();
            ++batches;
        } while (talk.more());
        CHECK(input.empty());
        CHECK(replies == 5 + 1000 * (7 + 1000 + 2));
        CHECK(batches > 10);
    }

    TEST_CASE("random bytes never break the server, only their own connection") {
        std::mt19937 random(7);
        const std::string alphabet = "*$0123456789-\r\n\r\n\"' \\xGETSEPING\0:+"s;
        server_state db;
        for (int round = 0; round < 2000; ++round) {
            connection ask(db);
            for (int n = 0; n < 20 && ask.end() == fate::open; ++n) {
                std::string piece;
                for (std::size_t i = random() % 30; i > 0; --i) {
                    piece += alphabet[random() % alphabet.size()];
                }
                ask(piece);
            }
        }
        connection survivor(db);
        CHECK(survivor("PING\r\n") == "+PONG\r\n");
    }

    TEST_CASE("deadlines are checked before they are believed") {
        using redis::deadline_of;
        using redis::time_unit;
        constexpr auto most = std::numeric_limits<std::int64_t>::max();
        const redis::instant now(1s);
        CHECK(deadline_of(1, time_unit::seconds, now) == redis::instant(2s));
        CHECK(deadline_of(-2, time_unit::milliseconds, now) == redis::instant(998ms));
        CHECK_FALSE(deadline_of(most, time_unit::seconds, now));
        CHECK_FALSE(deadline_of(most / 1000, time_unit::seconds, now));
        CHECK_FALSE(deadline_of(most - 999, time_unit::milliseconds, now));
        CHECK(deadline_of(most - 1000, time_unit::milliseconds, now));
        CHECK_FALSE(deadline_of(-most, time_unit::seconds, now));
    }
}

}  // namespace
