#pragma once
// What the tests of join_set and join_map put into them.

#include <weir/oneshot.hpp>
#include <weir/task.hpp>
#include <weir/yield.hpp>

#include "probes.hpp"

namespace weir_test {

inline weir::task<int> number_after(int turns, int n) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    co_return n;
}

inline weir::task<int> number_from(weir::oneshot::receiver<int> rx) {
    auto n = co_await rx;
    co_return n.value_or(-1);
}

// Waits for ever and owns a value that says when it is destroyed.
inline weir::task<int> holds_and_waits(counted) {
    for (;;) co_await weir::yield_now();
}

}  // namespace weir_test
