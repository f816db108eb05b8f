// expect: a lock cannot be held across co_await
#include <string>

#include <weir/sharded_map.hpp>
#include <weir/task.hpp>

void use(weir::sharded_map<std::string, int>& map) {
    map.with("key", [](auto& shard) -> weir::task<int> { co_return shard["key"]; });
}
