// 2. Sharding: when many threads want one lock, give them several.
//
// Keys are independent of each other, so the map is split into n maps with a lock each. A lookup
// then takes two steps: the key's hash names the shard, and the shard's own map holds the key.
// The number of shards is fixed once the map exists. weir::sharded_map is this, ready to use.

#include <cstddef>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/runtime.hpp>
#include <weir/synchronized.hpp>
#include <weir/task.hpp>

using map = std::unordered_map<std::string, int>;
using shard = weir::synchronized<map>;
using sharded_db = std::shared_ptr<std::vector<shard>>;

sharded_db new_sharded_db(std::size_t shards) {
    return std::make_shared<std::vector<shard>>(shards);
}

shard& shard_of(const sharded_db& db, const std::string& key) {
    return (*db)[std::hash<std::string>{}(key) % db->size()];
}

constexpr int keys = 64;
constexpr int rounds = 1000;

weir::task<void> count(sharded_db db) {
    for (int round = 0; round < rounds; ++round) {
        for (int key = 0; key < keys; ++key) {
            const std::string name = "key" + std::to_string(key);
            shard_of(db, name).with([&](map& m) { ++m[name]; });
        }
    }
    co_return;
}

int main() {
    const sharded_db db = new_sharded_db(8);

    // Two threads with a runtime each: inside one current-thread runtime no lock ever contends.
    std::thread one([db] { weir::block_on(count(db)); });
    std::thread two([db] { weir::block_on(count(db)); });
    one.join();
    two.join();

    std::size_t entries = 0;
    bool exact = true;
    for (shard& s : *db) {
        s.with([&](map& m) {
            entries += m.size();
            for (const auto& [name, counted] : m) {
                // A key is always found in the shard that its hash names.
                exact = exact && counted == 2 * rounds && &shard_of(db, name) == &s;
            }
        });
    }
    std::cout << "shards: " << db->size() << ", keys: " << entries << '\n';
    std::cout << "every key was counted " << 2 * rounds << " times: " << (exact ? "yes" : "no")
              << '\n';
    return exact && entries == keys ? EXIT_SUCCESS : EXIT_FAILURE;
}
