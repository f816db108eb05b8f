#include <weir/sharded_map.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>

namespace {

using weir::bytes;
using weir::sharded_map;

static_assert(!std::is_copy_constructible_v<sharded_map<int, int>>);
static_assert(std::is_same_v<sharded_map<std::string, int>::lookup_key, std::string_view>);
static_assert(std::is_same_v<sharded_map<bytes, int>::lookup_key, std::string_view>);
static_assert(std::is_same_v<sharded_map<int, int>::lookup_key, const int&>);

/// A hash of the user's own: no lookup by view, since the view's hash would differ.
struct first_letter {
    std::size_t operator()(const std::string& s) const { return s.empty() ? 0 : std::size_t(s[0]); }
};
static_assert(std::is_same_v<sharded_map<std::string, int, first_letter>::lookup_key,
                             const std::string&>);

}  // namespace

TEST_SUITE("sharded_map") {
    TEST_CASE("keys are set, read and removed [doc]") {
        sharded_map<std::string, bytes> db(64);
        CHECK(db.insert_or_assign("key", bytes::from_static("value")));
        CHECK_FALSE(db.insert_or_assign("key", bytes::from_static("again")));
        const std::optional<bytes> value = db.get("key");
        REQUIRE(value);
        CHECK(*value == "again");
        CHECK(db.contains(std::string("key")));
        CHECK(db.erase("key"));
        CHECK_FALSE(db.erase("key"));
        CHECK_FALSE(db.get("key"));
        CHECK(db.empty());
    }

    TEST_CASE("the number of shards is rounded up to a power of two") {
        CHECK(sharded_map<int, int>(1).shard_count() == 1);
        CHECK(sharded_map<int, int>(5).shard_count() == 8);
        CHECK(sharded_map<int, int>(64).shard_count() == 64);
        CHECK(std::has_single_bit(sharded_map<int, int>().shard_count()));
    }

    TEST_CASE("no shards and too many shards are refused in words") {
        using map = sharded_map<int, int>;
        CHECK_THROWS_WITH_AS(map(0),
                             "weir::sharded_map: the number of shards must be from 1 to 65536; a "
                             "few for each thread are enough",
                             std::invalid_argument);
        CHECK_THROWS_AS(map(map::max_shards + 1), std::invalid_argument);
    }

    TEST_CASE("a change under with is one step") {
        sharded_map<std::string, int> hits(4);
        for (int i = 0; i < 3; ++i) {
            hits.with("page", [](auto& shard) { ++shard["page"]; });
        }
        CHECK(hits.get("page") == 3);
        const auto& reader = hits;
        CHECK(reader.with("page", [](const auto& shard) { return shard.size(); }) == 1);
        CHECK_THROWS_AS(hits.with("page", [](auto&) { throw std::runtime_error("no"); }),
                        std::runtime_error);
        CHECK(hits.erase("page"));
    }

    TEST_CASE("a key always belongs to the same shard, however it is passed") {
        const sharded_map<std::string, int> names(32);
        const sharded_map<bytes, int> raw(32);
        for (const char* key : {"", "a", "a rather long key that is on the heap"}) {
            CHECK(names.shard_index(key) == names.shard_index(std::string(key)));
            CHECK(names.shard_index(key) == raw.shard_index(bytes::copy_of(key)));
            CHECK(names.shard_index(key) < names.shard_count());
        }
    }

    TEST_CASE("keys spread over the shards, also where the hash is the key") {
        const sharded_map<std::size_t, int> map(16);
        for (const std::size_t stride : {1u, 16u, 4'096u, 1u << 30}) {
            std::vector<int> keys(16);
            for (std::size_t i = 0; i < 1'600; ++i) ++keys[map.shard_index(i * stride)];
            CHECK(*std::min_element(keys.begin(), keys.end()) > 50);
            CHECK(*std::max_element(keys.begin(), keys.end()) < 200);
        }
    }

    TEST_CASE("bytes are keys that a view finds") {
        sharded_map<bytes, int> map;
        map.insert_or_assign(bytes::from_static("k"), 1);
        CHECK(map.get("k") == 1);
        CHECK(map.get(bytes::copy_of("k")) == 1);
        CHECK(map.get(std::string("k")) == 1);
    }

    TEST_CASE("a hash of the user's own is used as it is") {
        sharded_map<std::string, int, first_letter> map(8);
        map.insert_or_assign("one", 1);
        map.insert_or_assign("other", 2);
        CHECK(map.get("one") == 1);
        CHECK(map.shard_index("one") == map.shard_index("other"));
        CHECK(map.size() == 2);
    }

    TEST_CASE("values that can only be moved stay inside") {
        sharded_map<int, std::unique_ptr<int>> map(2);
        CHECK(map.insert_or_assign(1, std::make_unique<int>(7)));
        CHECK(map.with(1, [](auto& shard) { return *shard.at(1); }) == 7);
        CHECK(map.with(1, [](auto& shard) { return std::move(shard.at(1)); }) != nullptr);
    }

    TEST_CASE("every shard is visited once, and clear empties all") {
        sharded_map<int, int> map(8);
        for (int i = 0; i < 100; ++i) map.insert_or_assign(i, 1);
        std::size_t shards = 0;
        int sum = 0;
        map.for_each_shard([&](auto& shard) {
            ++shards;
            for (auto& [key, value] : shard) sum += value++;
        });
        CHECK((shards == 8 && sum == 100));
        CHECK(map.get(42) == 2);
        CHECK(map.size() == 100);
        map.clear();
        CHECK(map.empty());
    }

    TEST_CASE("counters that many threads share are exact") {
        sharded_map<std::string, int> map(8);
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t)
            threads.emplace_back([&map, t] {
                for (int i = 0; i < 2'000; ++i) {
                    const std::string key = "key" + std::to_string((i + t) % 50);
                    map.with(key, [&](auto& shard) { ++shard[key]; });
                    map.insert_or_assign("own" + std::to_string(t), i);
                }
            });
        for (std::thread& t : threads) t.join();
        int sum = 0;
        map.for_each_shard([&](const auto& shard) {
            for (const auto& [key, value] : shard)
                if (key.starts_with("key")) sum += value;
        });
        CHECK(sum == 8'000);
        CHECK(map.size() == 54);
        CHECK(map.get("own3") == 1'999);
    }
}
