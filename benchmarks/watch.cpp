// watch: eight receivers that wait for each change of one value.

#include <weir/watch.hpp>

#include "harness.hpp"

namespace bench {
namespace {

constexpr u64 receivers = 8;

struct observed {
    u64 last;
    u64 changes;
};

weir::task<observed> observe(weir::watch::receiver<u64> rx) {
    observed all{0, 0};
    for (;;) {
        const auto changed = co_await rx.changed();
        if (!changed.has_value()) co_return all;
        all.last = *rx.borrow();
        ++all.changes;
    }
}

weir::task<sample> changes(u64 count) {
    auto [tx, rx] = weir::watch::channel<u64>(u64{0});
    const stopwatch watch;
    std::vector<weir::join_handle<observed>> running;
    for (u64 r = 0; r < receivers; ++r) running.push_back(weir::spawn(observe(rx)));
    { const auto first = std::move(rx); }
    co_await weir::yield_now();
    for (u64 i = 1; i <= count; ++i) {
        tx.send(i);
        co_await weir::yield_now();
    }
    { const auto last = std::move(tx); }
    for (auto& task : running) {
        const observed seen = co_await task;
        check(seen.last == count, "watch: the last value is missing");
        check(seen.changes == count, "watch: a receiver missed a change");
    }
    co_return sample{count, watch.elapsed()};
}

}  // namespace

std::vector<workload> watch_workloads() {
    return {
        {"watch_st_8r",
         [](std::string_view name) { measure_on(current_thread{}, name, "", changes); }},
    };
}

}  // namespace bench
