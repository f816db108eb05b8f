// A join_all may be cut short where that is said, a join_next anyway.
#include <chrono>
#include <weir/join_set.hpp>
#include <weir/timeout.hpp>
#include <weir/unconstrained.hpp>

weir::task<> waits(weir::join_set<int>& set) {
    auto all = co_await weir::timeout(std::chrono::seconds(1), weir::lossy(set.join_all()));
    auto next = co_await weir::timeout(std::chrono::seconds(1), weir::unconstrained(set.join_next()));
}
