// Ten thousand random conversations with redis-server and with ours: the same replies.

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/runtime.hpp>

#include "../../examples/redis/client.hpp"
#include "../../examples/redis/embedded_server.hpp"
#include "redis_process.hpp"

namespace {

using words = std::vector<std::string>;
using conversation = std::vector<words>;

// Makes requests that are often right, sometimes wrong, and meet the same few keys.
class generator {
public:
    explicit generator(std::uint32_t seed) : random_(seed) {}

    conversation make() {
        conversation all{{"FLUSHALL"}};
        for (std::size_t n = 4 + below(16); n > 0; --n) all.push_back(request());
        return all;
    }

private:
    std::size_t below(std::size_t n) { return random_() % n; }
    template <std::size_t N>
    std::string one_of(const char* const (&choices)[N]) {
        return choices[below(N)];
    }

    std::string key() {
        return one_of({"a", "b", "c", "{t}1", "{t}2", "", "long:long:long:long:key", "\r\n"});
    }
    std::string value() {
        if (below(20) == 0) return std::string(5000, static_cast<char>('a' + below(26)));
        return one_of({"1", "-1", "0", "9223372036854775807", "-9223372036854775808", "x", "",
                       "1.5", " 1", "007", "hello\r\nworld", "\xff"});
    }
    std::string number() {
        return one_of({"1", "-1", "0", "5", "9223372036854775807", "-9223372036854775808", "x", "",
                       "99999999999999999999", "+1", "1 "});
    }
    // Far enough from now that it does not matter when exactly it is asked for.
    std::string seconds() {
        return one_of({"100", "200", "300", "0", "-1", "x", "9223372036854775807"});
    }

    words request() {
        words w = well_formed();
        // Now and then a word too many or too few, or in other letters.
        if (below(15) == 0) w.push_back(value());
        if (below(15) == 0 && w.size() > 1) w.pop_back();
        if (below(10) == 0) {
            for (char& c : w[0]) c = static_cast<char>(below(2) != 0 ? std::tolower(c) : c);
        }
        return w;
    }

    words well_formed() {
        switch (below(20)) {
            case 0: return {"GET", key()};
            case 1:
            case 2: return {"SET", key(), value()};
            case 3:
            case 4: return set_with_options();
            case 5: return {one_of({"INCR", "DECR"}), key()};
            case 6: return {one_of({"INCRBY", "DECRBY"}), key(), number()};
            case 7: return {one_of({"DEL", "EXISTS", "UNLINK"}), key(), key(), key()};
            case 8: return {"MGET", key(), key(), key()};
            case 9: return {"MSET", key(), value(), key(), value()};
            case 10:
            case 11: return expire_with_options();
            case 12: return {"TTL", key()};
            case 13: return {"PERSIST", key()};
            case 14: return {"TYPE", key()};
            case 15: return {"DBSIZE"};
            case 16: return {"KEYS", one_of({"*", "?", "{t}*", "[ab]", "[^a]", "*long*key", "\\a"})};
            case 17: return {"SCAN", "0", "COUNT", "1000", "MATCH", one_of({"*", "a", "*t*"})};
            case 18: return {one_of({"ECHO", "PING"}), value()};
            default: return odd();
        }
    }

    words odd() {
        if (below(2) == 0) {
            return {"SELECT", one_of({"0", "-1", "99", "x", "", "3000000000", "1.5"})};
        }
        return {one_of({"FOO", "", "CONFIG", "CLIENT"}), value(), value()};
    }

    words set_with_options() {
        words w{"SET", key(), value()};
        for (std::size_t n = below(4); n > 0; --n) {
            w.push_back(one_of({"NX", "XX", "GET", "KEEPTTL", "EX", "nx", "get", "FOO"}));
            if (w.back() == "EX") w.push_back(seconds());
        }
        return w;
    }

    words expire_with_options() {
        words w{"EXPIRE", key(), seconds()};
        for (std::size_t n = below(3); n > 0; --n) {
            w.push_back(one_of({"NX", "XX", "GT", "LT", "lt", "FOO"}));
        }
        return w;
    }

    std::mt19937 random_;
};

// As text, and the elements of what has no order in an order.
std::string shown(const redis::reply& r, bool ordered) {
    using type = redis::reply::type;
    switch (r.kind()) {
        case type::null: return "(nil)";
        case type::integer: return ":" + std::to_string(r.integer());
        case type::array:
        case type::push: break;
        case type::simple: return "+" + std::string(r.view());
        case type::error: return "-" + std::string(r.view());
        case type::bulk: return "\"" + std::string(r.view()) + "\"";
    }
    std::vector<std::string> elements;
    for (const auto& e : r.elements()) elements.push_back(shown(e, ordered));
    if (!ordered) std::sort(elements.begin(), elements.end());
    std::string all = "[";
    for (const std::string& e : elements) all += e + " ";
    return all + "]";
}

std::string shown(const words& w) {
    std::string all;
    for (const std::string& one : w) all += "'" + one + "' ";
    return all;
}

bool has_no_order(const words& w) {
    return redis::equals_ignoring_case(w[0], "KEYS") || redis::equals_ignoring_case(w[0], "SCAN");
}

weir::task<std::vector<redis::reply>> ask(redis::client& client,
                                          const std::vector<conversation>& all) {
    for (const conversation& c : all) {
        for (const words& w : c) {
            const std::vector<std::string_view> views(w.begin(), w.end());
            client.queue(views);
        }
    }
    auto replies = co_await client.exchange();
    co_return std::move(replies).value();
}

// Returns the conversations that went differently, with what was different.
weir::task<std::vector<std::pair<conversation, std::string>>> compare(
    redis::client& ours, redis::client& theirs, const std::vector<conversation>& all) {
    auto both = co_await weir::join(ask(ours, all), ask(theirs, all));
    const auto& [a, b] = both;
    std::vector<std::pair<conversation, std::string>> different;
    std::size_t next = 0;
    for (const conversation& c : all) {
        std::string what;
        for (const words& w : c) {
            const std::string x = shown(a[next], !has_no_order(w));
            const std::string y = shown(b[next], !has_no_order(w));
            ++next;
            if (x == y || !what.empty()) continue;
            for (const words& said : c) what += shown(said) + "\n";
            what += "differs at " + shown(w) + "\n ours:   " + x + "\n theirs: " + y;
        }
        if (!what.empty()) different.emplace_back(c, what);
    }
    co_return different;
}

// Returns how many requests were compared.
weir::task<std::size_t> converse(std::uint16_t our_port, std::uint16_t their_port, std::size_t count) {
    auto our_connection = co_await redis::client::connect("127.0.0.1", our_port);
    redis::client ours = std::move(our_connection).value();
    auto their_connection = co_await redis::client::connect("127.0.0.1", their_port);
    redis::client theirs = std::move(their_connection).value();
    generator make(static_cast<std::uint32_t>(count));
    std::size_t requests = 0;
    for (std::size_t done = 0; done < count; done += 100) {
        std::vector<conversation> some(100);
        for (conversation& c : some) {
            c = make.make();
            requests += c.size();
        }
        for (const auto& suspect : co_await compare(ours, theirs, some)) {
            // A server that was not run for half a second rounds a TTL down: what is a difference
            // is one every time.
            const std::vector<conversation> again(1, suspect.first);
            const auto still = co_await compare(ours, theirs, again);
            CHECK_MESSAGE(still.empty(), suspect.second);
        }
    }
    co_return requests;
}

TEST_SUITE("redis_differential") {
    TEST_CASE("random conversations go as they do with redis-server, wherever the keys are") {
        interop::redis_process real;
        for (const auto kind : {redis::state_kind::one_lock, redis::state_kind::shards,
                                redis::state_kind::manager}) {
            CAPTURE(std::string(redis::name_of(kind)));
            redis::server_options options;
            options.state = kind;
            redis::embedded_server own(options);
            CHECK(weir::block_on(converse(own.port(), real.port(), 10'000)) > 100'000);
        }
    }
}

}  // namespace
