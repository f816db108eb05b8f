// expect: weir::lossy
#include <chrono>
#include <weir/join_set.hpp>
#include <weir/timeout.hpp>

weir::task<> waits(weir::join_set<int>& set) {
    auto all = co_await weir::timeout(std::chrono::seconds(1), set.join_all());
}
