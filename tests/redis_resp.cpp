// The protocol of the Redis example: requests in and replies back, cut into pieces of every size.

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "../examples/redis/reply.hpp"
#include "../examples/redis/request.hpp"

namespace {

using namespace std::string_literals;
using redis::reply_parser;
using redis::request_parser;

// Everything a server sees of a piece of input: the requests, and how the connection ended.
struct transcript {
    std::vector<std::vector<std::string>> requests;
    std::string error;
    bool malformed = false;
    std::uint64_t examined = 0;

    bool operator==(const transcript& o) const {
        return requests == o.requests && error == o.error && malformed == o.malformed;
    }
};

// Feeds `input` in pieces of the sizes that `next_size` returns.
template <class NextSize>
transcript feed(std::string_view input, NextSize next_size) {
    transcript t;
    request_parser parser;
    std::string buffer;
    while (!input.empty() && !t.malformed) {
        const std::size_t n = std::min<std::size_t>(next_size(), input.size());
        // A buffer of its own each time: pointers into the old one would be found by a sanitizer.
        buffer = buffer + std::string(input.substr(0, n));
        input.remove_prefix(n);
        std::size_t used = 0;
        while (!t.malformed) {
            const auto r = parser.parse(std::string_view(buffer).substr(used));
            if (r == request_parser::result::incomplete) break;
            if (r == request_parser::result::malformed) {
                t.malformed = true;
                t.error = parser.error();
                break;
            }
            std::vector<std::string> request;
            for (std::size_t i = 0; i < parser.args().size(); ++i) {
                request.emplace_back(parser.args()[i]);
            }
            t.requests.push_back(request);
            used += parser.size();
        }
        buffer.erase(0, used);
    }
    t.examined = parser.examined();
    return t;
}

transcript feed_whole(std::string_view input) {
    return feed(input, [&] { return input.size() + 1; });
}

std::string request(std::initializer_list<std::string_view> args) {
    std::string out;
    redis::append_request(out, args);
    return out;
}

const std::vector<std::string> inputs{
    request({"SET", "key", "value"}) + request({"GET", "key"}),
    request({"SET", "", "\0\r\n\xff"s}) +
        "\r\n\n \r\nPING\nPING 'a b' \"c\\x41\\n\\\"\" d\"e\"\r\n",
    "*0\r\n*-1\r\n*-5\r\n" + request({"PING"}),
    "*1\rX$4\rYPINGzz" + request({"PING"}),
    "*1\r\n$0\r\n\r\n",
    "*1000000000\r\n$1\r\na\r\n",
    "*1\n$4\nPING\n",
    "*2147483648\r\n", "*abc\r\n", "*\r\n", "*-0\r\n", "*01\r\n", "*+1\r\n", "* 1\r\n", "*1x\r\n",
    "*1\r\n:5\r\n", "*1\r\n*1\r\n", "*1\r\n+a\r\n", "*1\r\n\r\n", "*1\r\n\n$1\r\n",
    "*1\r\n$9223372036854775807\r\n", "*1\r\n$18446744073709551616\r\n", "*1\r\n$-1\r\n",
    "*1\r\n$-2\r\n", "*1\r\n$5x\r\n", "*1\r\n$+4\r\n", "*1\r\n$04\r\n", "*1\r\n$\r\n",
    "*1\r\n$ 5\r\n", "*1\r\n$-0\r\n", "*1\r\n$536870913\r\n", "*1\r\n$536870912\r\nx",
    "PING \"a\"b\r\n", "PING \"a\r\n", "PING 'a\r\n", "PING 'it\\'s' '\\n'\r\n", "\"\" ''\r\n",
    "PI\0NG\r\nPING\r\n"s, "*1\r\n\0$4\r\nPING\r\n"s,
    "PING \v a\tb\r\n",
};

TEST_SUITE("redis_resp") {
    TEST_CASE("a request is found however its bytes are cut into pieces") {
        std::mt19937 random(20240);
        for (const std::string& input : inputs) {
            CAPTURE(input);
            const transcript whole = feed_whole(input);
            CHECK(feed(input, [] { return 1u; }) == whole);
            for (int round = 0; round < 20; ++round) {
                CHECK(feed(input, [&] { return 1 + random() % 7; }) == whole);
            }
        }
    }

    TEST_CASE("arguments are binary, and inline words can be quoted") {
        const transcript t = feed_whole(inputs[1]);
        REQUIRE(t.requests.size() == 6);
        CHECK(t.requests[0] == std::vector<std::string>{"SET", "", "\0\r\n\xff"s});
        CHECK(t.requests[1].empty());
        CHECK(t.requests[2].empty());
        CHECK(t.requests[3].empty());
        CHECK(t.requests[4] == std::vector<std::string>{"PING"});
        CHECK(t.requests[5] == std::vector<std::string>{"PING", "a b", "cA\n\"", "de"});
    }

    TEST_CASE("the bytes behind a length and a bulk string are not compared, as in redis-server") {
        const transcript t = feed_whole(inputs[3]);
        CHECK_FALSE(t.malformed);
        CHECK(t.requests == std::vector<std::vector<std::string>>{{"PING"}, {"PING"}});
    }

    TEST_CASE("malformed requests are refused in the words of redis-server") {
        const auto error = [](std::string_view input) { return feed_whole(input).error; };
        CHECK(error("*2147483648\r\n") == "ERR Protocol error: invalid multibulk length");
        CHECK(error("*1\r\n$-1\r\n") == "ERR Protocol error: invalid bulk length");
        CHECK(error("*1\r\n:5\r\n") == "ERR Protocol error: expected '$', got ':'");
        CHECK(error("*1\r\n\r\n") == "ERR Protocol error: expected '$', got ' '");
        CHECK(error("PING \"a\"b\r\n") == "ERR Protocol error: unbalanced quotes in request");
    }

    TEST_CASE("a line without an end is refused after 64 KiB") {
        const std::string digits(redis::max_line_size + 1, '1');
        const auto error = [&](const std::string& input) {
            const std::string whole = feed_whole(input).error;
            CHECK(feed(input, [] { return 1000u; }).error == whole);
            return whole;
        };
        CHECK(error(std::string(redis::max_line_size, 'a')).empty());
        CHECK(error(digits) == "ERR Protocol error: too big inline request");
        CHECK(error('*' + digits) == "ERR Protocol error: too big mbulk count string");
        CHECK(error("*1\r\n$" + digits) == "ERR Protocol error: too big bulk count string");
        CHECK(error("\0"s + digits) == "ERR Protocol error: too big inline request");
    }

    TEST_CASE("the work is linear in the bytes received, one at a time or all at once") {
        std::string input;
        for (int i = 0; i < 200; ++i) input += request({"SET", "key", std::string(500, 'v')});
        input += std::string(60'000, 'i') + "\r\n";
        const auto limit = 2 * input.size();
        CHECK(feed_whole(input).examined <= limit);
        // Each call looks at one byte at most that an earlier one has seen.
        CHECK(feed(input, [] { return 1u; }).examined <= limit);
        CHECK(feed(std::string(60'000, 'i'), [] { return 1u; }).examined <= 2 * 60'000);
    }

    TEST_CASE("numbers are read as strictly as redis-server reads them") {
        using redis::parse_integer;
        CHECK(parse_integer("0") == 0);
        CHECK(parse_integer("-1") == -1);
        CHECK(parse_integer("9223372036854775807") == 9223372036854775807);
        CHECK(parse_integer("-9223372036854775808").has_value());
        for (const char* text : {"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "1x", "0x1",
                                 "9223372036854775808", "18446744073709551616"}) {
            CAPTURE(text);
            CHECK_FALSE(parse_integer(text).has_value());
        }
    }
}

// A reply in one line, for comparisons.
std::string shown(const redis::reply& r) {
    using type = redis::reply::type;
    std::string text;
    switch (r.kind()) {
        case type::null: return "null";
        case type::simple: return "+" + std::string(r.view());
        case type::error: return "-" + std::string(r.view());
        case type::integer: return std::to_string(r.integer());
        case type::bulk: return '"' + std::string(r.view()) + '"';
        case type::array:
        case type::push:
            for (const redis::reply& e : r.elements()) text += shown(e) + ' ';
            return "[ " + text + "]";
    }
    return text;
}

std::string parse_replies(std::string_view input, std::size_t piece) {
    std::string all;
    std::string buffer;
    reply_parser parser;
    while (!input.empty()) {
        const std::size_t n = std::min(piece, input.size());
        buffer += input.substr(0, n);
        input.remove_prefix(n);
        while (true) {
            const auto r = parser.parse(buffer);
            if (r == reply_parser::result::incomplete) break;
            if (r == reply_parser::result::malformed) {
                return all + "! " + std::string(parser.error());
            }
            buffer.erase(0, parser.size());
            all += shown(parser.take()) + '\n';
        }
    }
    return all;
}

TEST_SUITE("redis_replies") {
    TEST_CASE("replies are found however their bytes are cut into pieces") {
        const std::string input =
            "+OK\r\n-ERR no\r\n:-5\r\n$-1\r\n*-1\r\n$0\r\n\r\n$4\r\na\r\nb\r\n*0\r\n"
            "*2\r\n*2\r\n:1\r\n$1\r\nx\r\n*1\r\n*0\r\n+END\r\n";
        const std::string expected =
            "+OK\n-ERR no\n-5\nnull\nnull\n\"\"\n\"a\r\nb\"\n[ ]\n"
            "[ [ 1 \"x\" ] [ [ ] ] ]\n+END\n";
        for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u}) {
            CHECK(parse_replies(input, piece) == expected);
        }
    }

    TEST_CASE("the types of RESP3 are read as what RESP2 would have sent") {
        const std::string input =
            "_\r\n#t\r\n#f\r\n,3.25\r\n(12345678901234567890\r\n=7\r\ntxt:a\nb\r\n!6\r\nERR no\r\n"
            "%1\r\n+k\r\n:1\r\n~2\r\n:1\r\n:2\r\n%0\r\n+END\r\n";
        const std::string expected =
            "null\n1\n0\n\"3.25\"\n\"12345678901234567890\"\n\"a\nb\"\n-ERR no\n"
            "[ +k 1 ]\n[ 1 2 ]\n[ ]\n+END\n";
        for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u}) {
            CHECK(parse_replies(input, piece) == expected);
        }
        reply_parser parser;
        const std::string push = ">2\r\n+invalidate\r\n*0\r\n";
        REQUIRE(parser.parse(push) == reply_parser::result::reply);
        CHECK(parser.take().kind() == redis::reply::type::push);
    }

    TEST_CASE("a hostile server is refused, not believed") {
        std::string nested;
        for (int i = 0; i < 100'000; ++i) nested += "*1\r\n";
        CHECK(parse_replies(nested, 4096) == "! arrays of the reply nest too deeply");
        CHECK(parse_replies("*1000000000\r\n", 100) == "! a length is out of range");
        CHECK(parse_replies("$9223372036854775807\r\n", 1) == "! a length is out of range");
        CHECK(parse_replies("$1\r\nabc", 100) == "! a bulk string does not end");
        CHECK(parse_replies("?\r\n", 100)[0] == '!');
        CHECK(parse_replies("\r\n", 100)[0] == '!');
        CHECK(parse_replies(std::string(70'000, '+'), 100)[0] == '!');
    }

    TEST_CASE("the work on replies is linear in the bytes received") {
        const std::string input = "*2\r\n$30000\r\n" + std::string(30'000, 'v') + "\r\n+" +
                                  std::string(30'000, 's') + "\r\n";
        reply_parser parser;
        for (std::size_t n = 1; n < input.size(); ++n) {
            REQUIRE(parser.parse(std::string_view(input).substr(0, n)) ==
                    reply_parser::result::incomplete);
        }
        CHECK(parser.parse(input) == reply_parser::result::reply);
        CHECK(parser.size() == input.size());
        CHECK(parser.examined() <= 2 * input.size());
    }

    TEST_CASE("a large value is referred to, a short one is copied") {
        const weir::bytes large(std::string(redis::reply_buffer::by_reference, 'v'));
        redis::reply_buffer out;
        out.bulk(weir::bytes("short"s));
        out.bulk(large);
        out.bulk(large);
        out.null();
        CHECK(out.copied() < 100);
        const auto pieces = out.pieces();
        REQUIRE(pieces.size() == 5);
        CHECK(reinterpret_cast<const char*>(pieces[1].data()) == large.view().data());
        const std::string one = "$4096\r\n" + std::string(large.view()) + "\r\n";
        CHECK(out.joined() == "$5\r\nshort\r\n" + one + one + "$-1\r\n");
    }

    TEST_CASE("an error stays on one line, and RESP3 has its own nulls and maps") {
        redis::reply_buffer out;
        out.error("ERR a\r\nb");
        out.map(1);
        out.null();
        out.use_resp3(true);
        out.map(1);
        out.null();
        CHECK(out.joined() == "-ERR a  b\r\n*2\r\n$-1\r\n%1\r\n_\r\n");
    }
}

}  // namespace
