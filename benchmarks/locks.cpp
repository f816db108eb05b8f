// mutex and semaphore: free, contended, and held across a yield.

#include <weir/mutex.hpp>
#include <weir/semaphore.hpp>

#include "harness.hpp"

namespace bench {
namespace {

constexpr u64 tasks = 8;

weir::task<sample> lock_alone(u64 count) {
    weir::mutex<u64> total(u64{0});
    const stopwatch watch;
    for (u64 i = 0; i < count; ++i) {
        auto guard = co_await total.lock();
        *guard += 1;
    }
    const auto time = watch.elapsed();
    auto guard = co_await total.lock();
    check(*guard == count, "mutex_uncontended: sum");
    co_return sample{count, time};
}

// Two lines: in a process of one thread, which needs no read-modify-writes, and beside another thread.
void mutex_uncontended(std::string_view name) {
    measure_on(current_thread{}, name, "", lock_alone);
    const weir::multi_thread_runtime beside = two_workers{}();
    measure_on(current_thread{}, name, "+threads", lock_alone);
}

// The caller joins this task before the mutex goes away.
template <bool HoldAcrossYield>
weir::task<> add_ones(weir::mutex<u64>& total, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        auto guard = co_await total.lock();
        *guard += 1;
        if constexpr (HoldAcrossYield) co_await weir::yield_now();
    }
}

template <bool HoldAcrossYield>
weir::task<sample> lock_together(u64 count) {
    const u64 each = count / tasks + 1;
    weir::mutex<u64> total(u64{0});
    const stopwatch watch;
    std::vector<weir::join_handle<void>> running;
    for (u64 t = 0; t < tasks; ++t)
        running.push_back(weir::spawn(add_ones<HoldAcrossYield>(total, each)));
    for (auto& task : running) co_await task;
    const auto time = watch.elapsed();
    auto guard = co_await total.lock();
    check(*guard == each * tasks, "mutex: sum");
    co_return sample{each * tasks, time};
}

weir::task<sample> acquire_alone(u64 count) {
    weir::semaphore one(1);
    u64 sum = 0;
    const stopwatch watch;
    for (u64 i = 0; i < count; ++i) {
        const auto permit = co_await one.acquire();
        check(permit.has_value(), "semaphore: closed");
        sum += black_box(i);
    }
    const auto time = watch.elapsed();
    check(sum == sum_to(count), "semaphore_uncontended: sum");
    co_return sample{count, time};
}

}  // namespace

std::vector<workload> lock_workloads() {
    return {
        {"mutex_uncontended_st", mutex_uncontended},
        {"mutex_contended_mt2",
         [](std::string_view name) { measure_on(two_workers{}, name, "", lock_together<false>); }},
        {"mutex_held_across_yield_st",
         [](std::string_view name) {
             measure_on(current_thread{}, name, "", lock_together<true>);
         }},
        {"semaphore_uncontended_st",
         [](std::string_view name) { measure_on(current_thread{}, name, "", acquire_alone); }},
    };
}

}  // namespace bench
