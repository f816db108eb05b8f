// expect: a lock cannot be held across co_await
#include <weir/sharded_map.hpp>
#include <weir/task.hpp>

void use(weir::sharded_map<int, int>& map) {
    map.for_each_shard([](auto& shard) -> weir::task<void> {
        shard.clear();
        co_return;
    });
}
