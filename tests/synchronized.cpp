#include <weir/synchronized.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>

namespace {

using weir::synchronized;

static_assert(!std::is_copy_constructible_v<synchronized<int>>);
static_assert(!std::is_move_constructible_v<synchronized<int>>);

struct pinned {
    pinned(int a, int b) : sum(a + b) {}
    pinned(const pinned&) = delete;
    pinned& operator=(const pinned&) = delete;
    int sum;
};

/// A counter whose lock is taken in plain members only, so that no coroutine can hold it.
class can_increment {
public:
    void increment() {
        value_.with([](int& v) { ++v; });
    }
    int value() const {
        return value_.with([](const int& v) { return v; });
    }

private:
    synchronized<int> value_;
};

}  // namespace

TEST_SUITE("synchronized") {
    TEST_CASE("connections share a map through one handle each [doc]") {
        using db = std::shared_ptr<synchronized<std::unordered_map<std::string, weir::bytes>>>;
        const db one = std::make_shared<db::element_type>();
        const db two = one;
        one->with([](auto& map) { map.insert_or_assign("k", weir::bytes::from_static("v")); });
        const auto value = two->with([](auto& map) { return map.at("k"); });
        CHECK(value == "v");
    }

    TEST_CASE("the value is made by default, from a value or in place") {
        CHECK(synchronized<int>().with([](int& v) { return v; }) == 0);
        synchronized<std::unique_ptr<int>> moved(std::make_unique<int>(4));
        CHECK(moved.with([](auto& p) { return *p; }) == 4);
        const synchronized<pinned> in_place(std::in_place, 1, 2);
        CHECK(in_place.with([](const pinned& p) { return p.sum; }) == 3);
    }

    TEST_CASE("a const object gives const access") {
        const synchronized<std::string> s(std::string("still"));
        s.with([](auto& text) {
            static_assert(std::is_const_v<std::remove_reference_t<decltype(text)>>);
            CHECK(text == "still");
        });
    }

    TEST_CASE("with returns what the callable returns, references and members too") {
        synchronized<std::string> s(std::string("abc"));
        static_assert(std::is_same_v<decltype(s.with([](std::string& t) -> std::string& {
                                         return t;
                                     })),
                                     std::string&>);
        CHECK(s.with(&std::string::size) == 3);
        auto taken = s.with([](std::string& t) { return std::exchange(t, "next"); });
        CHECK(taken == "abc");
        CHECK(s.with([](std::string& t) { return std::make_unique<std::string>(t); })->size() == 4);
    }

    TEST_CASE("an exception of the callable unlocks and travels on") {
        synchronized<int> s(1);
        CHECK_THROWS_AS(s.with([](int&) { throw std::runtime_error("no"); }), std::runtime_error);
        CHECK(s.with([](int& v) { return v; }) == 1);
    }

    TEST_CASE("increments from many threads are all counted") {
        can_increment counter;
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&counter] {
                for (int i = 0; i < 5'000; ++i) counter.increment();
            });
        for (std::thread& t : threads) t.join();
        CHECK(counter.value() == 20'000);
    }

    TEST_CASE("a vector of them is a sharded table") {
        using shard = synchronized<std::unordered_map<std::string, weir::bytes>>;
        const auto db = std::make_shared<std::vector<shard>>(8);
        const std::string key = "hello";
        shard& s = (*db)[std::hash<std::string_view>{}(key) % db->size()];
        s.with([&](auto& map) { map.insert_or_assign(key, weir::bytes::copy_of("world")); });
        std::size_t keys = 0;
        for (shard& each : *db) keys += each.with([](auto& map) { return map.size(); });
        CHECK(keys == 1);
    }
}
