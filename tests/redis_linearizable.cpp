// What concurrent clients see of one key of the Redis example is what one client after the other
// could have seen.

#include <doctest/doctest.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <weir/spawn.hpp>

#include "../examples/redis/buffered_client.hpp"
#include "common/linearizable.hpp"
#include "common/redis_fixture.hpp"

namespace {

using namespace redis_test;
using weir_test::is_linearizable;
using weir_test::recorded;

// An operation on one key, with what its caller was told.
struct key_operation {
    enum class kind { get, set, increment, erase };
    kind what;
    std::int64_t number = 0;            // that was set
    std::optional<std::int64_t> seen;   // the result; of an erase: 1 or 0
};

// What a key does when one client after the other uses it.
struct key_model {
    std::optional<std::int64_t> held;

    auto operator<=>(const key_model&) const = default;

    bool apply(const key_operation& o, bool open) {
        switch (o.what) {
            case key_operation::kind::get: return open || o.seen == held;
            case key_operation::kind::set: held = o.number; return true;
            case key_operation::kind::increment:
                held = held.value_or(0) + 1;
                return open || o.seen == held;
            case key_operation::kind::erase: {
                const std::int64_t erased = held ? 1 : 0;
                held.reset();
                return open || o.seen == erased;
            }
        }
        return false;
    }
};

using history = std::vector<recorded<key_operation>>;
using kind = key_operation::kind;

recorded<key_operation> at(std::uint64_t called, std::uint64_t returned, kind what,
                           std::optional<std::int64_t> seen, std::int64_t number = 0) {
    return {key_operation{what, number, seen}, called, returned};
}

constexpr std::size_t keys = 8;
using histories = std::array<history, keys>;

std::optional<std::int64_t> number_in(const redis::reply& r) {
    if (r.is_null()) return std::nullopt;
    if (r.kind() == redis::reply::type::integer) return r.integer();
    return redis::parse_integer(r.view());
}

redis::request request_of(const key_operation& o, const std::string& key) {
    switch (o.what) {
        case kind::set: return redis::request({"SET", key, std::to_string(o.number)});
        case kind::increment: return redis::request({"INCR", key});
        case kind::erase: return redis::request({"DEL", key});
        default: return redis::request({"GET", key});
    }
}

// Uses the keys at random and writes down what it did and saw.
template <class Client>
weir::task<histories> use_keys(Client client, std::shared_ptr<weir_test::history_clock> clock,
                               std::uint32_t seed, int operations) {
    histories seen;
    std::mt19937 random(seed);
    for (int i = 0; i < operations; ++i) {
        const std::size_t k = random() % keys;
        key_operation o{static_cast<kind>(random() % 4), static_cast<std::int64_t>(random() % 5), {}};
        redis::request r = request_of(o, "key" + std::to_string(k));
        const std::uint64_t called = clock->tick();
        const auto answer = co_await client.call(std::move(r));
        const std::uint64_t returned = clock->tick();
        REQUIRE(answer.has_value());
        REQUIRE_FALSE(answer->is_error());
        o.seen = number_in(*answer);
        seen[k].push_back({o, called, returned});
    }
    co_return seen;
}

weir::task<void> check_concurrent_clients(running_server& server) {
    const redis::address where{"127.0.0.1", server.port()};
    const auto clock = std::make_shared<weir_test::history_clock>();
    std::vector<weir::join_handle<histories>> tasks;
    constexpr int operations = 150;
    std::uint32_t seed = 0;
    const auto shared = redis::buffered_client::start(redis::link(where));
    const auto pool = redis::pooled_client::start(where, 2);
    for (int i = 0; i < 2; ++i) {
        auto own = co_await connect_client(server.port());
        tasks.push_back(weir::spawn(use_keys(std::move(own), clock, ++seed, operations)));
        tasks.push_back(weir::spawn(use_keys(shared, clock, ++seed, operations)));
        tasks.push_back(weir::spawn(use_keys(pool, clock, ++seed, operations)));
    }
    histories all;
    for (auto& t : tasks) {
        const histories seen = co_await t;
        for (std::size_t k = 0; k < keys; ++k) {
            all[k].insert(all[k].end(), seen[k].begin(), seen[k].end());
        }
    }
    for (const history& h : all) {
        CHECK(h.size() > 50);
        CHECK(is_linearizable<key_model>(h));
    }
}

TEST_SUITE("redis_linearizable") {
    TEST_CASE("the checker accepts what is possible and rejects what is not") {
        // One after the other.
        CHECK(is_linearizable<key_model>(history{at(0, 1, kind::set, {}, 7), at(2, 3, kind::get, 7)}));
        CHECK_FALSE(
            is_linearizable<key_model>(history{at(0, 1, kind::set, {}, 7), at(2, 3, kind::get, {})}));
        // At the same time: either order.
        CHECK(is_linearizable<key_model>(history{at(0, 3, kind::set, {}, 7), at(1, 2, kind::get, {})}));
        CHECK(is_linearizable<key_model>(history{at(0, 3, kind::set, {}, 7), at(1, 2, kind::get, 7)}));
        // A value once seen does not go away again.
        CHECK_FALSE(is_linearizable<key_model>(history{at(0, 9, kind::set, {}, 7),
                                                       at(1, 2, kind::get, 7), at(3, 4, kind::get, {})}));
        // Two increments that both saw nothing before them.
        CHECK_FALSE(is_linearizable<key_model>(
            history{at(0, 3, kind::increment, 1), at(1, 2, kind::increment, 1)}));
        // What nobody knows the end of may have happened, late, or not at all.
        constexpr auto open = recorded<key_operation>::open;
        CHECK(is_linearizable<key_model>(history{at(0, open, kind::set, {}, 7), at(1, 2, kind::get, {}),
                                                 at(3, 4, kind::get, 7)}));
        CHECK(is_linearizable<key_model>(history{at(0, open, kind::set, {}, 7), at(1, 2, kind::get, {})}));
        CHECK_FALSE(is_linearizable<key_model>(history{at(0, open, kind::set, {}, 7),
                                                       at(1, 2, kind::get, 7), at(3, 4, kind::get, {})}));
    }

    TEST_CASE("clients of every kind at once see each key as one after the other would") {
        run_with_every_state(check_concurrent_clients);
    }
}

}  // namespace
