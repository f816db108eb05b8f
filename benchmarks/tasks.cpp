// Tasks: spawn and join, yield, and the plain call of one task by another.

#include "harness.hpp"

namespace bench {
namespace {

weir::task<u64> return_it(u64 value) {
    co_return value;
}

weir::task<sample> spawn_one_by_one(u64 count) {
    const stopwatch watch;
    u64 sum = 0;
    for (u64 i = 0; i < count; ++i) {
        auto handle = weir::spawn(return_it(i));
        sum += co_await handle;
    }
    const auto time = watch.elapsed();
    check(sum == sum_to(count), "spawn_join: sum");
    co_return sample{count, time};
}

constexpr u64 batch = 1000;

weir::task<sample> spawn_in_batches(u64 count) {
    const u64 rounds = count / batch + 1;
    std::vector<weir::join_handle<u64>> running;
    running.reserve(batch);
    u64 sum = 0;
    const stopwatch watch;
    for (u64 r = 0; r < rounds; ++r) {
        for (u64 i = 0; i < batch; ++i) running.push_back(weir::spawn(return_it(i)));
        for (auto& task : running) sum += co_await task;
        running.clear();
    }
    const auto time = watch.elapsed();
    check(sum == sum_to(batch) * rounds, "spawn_join: sum");
    co_return sample{batch * rounds, time};
}

constexpr u64 yielders = 100;

weir::task<u64> yield_often(u64 count) {
    u64 done = 0;
    for (u64 i = 0; i < count; ++i) {
        co_await weir::yield_now();
        ++done;
    }
    co_return done;
}

weir::task<sample> yield_together(u64 count) {
    const u64 each = count / yielders + 1;
    const stopwatch watch;
    std::vector<weir::join_handle<u64>> running;
    for (u64 t = 0; t < yielders; ++t) running.push_back(weir::spawn(yield_often(each)));
    u64 done = 0;
    for (auto& task : running) done += co_await task;
    const auto time = watch.elapsed();
    check(done == each * yielders, "yield: count");
    co_return sample{each * yielders, time};
}

// A child that the compiler can see through may lose its frame; this one keeps it.
weir::task<u64> leaf(u64 value) {
    co_return black_box(value);
}

[[gnu::noinline]] weir::task<u64> opaque_leaf(u64 value) {
    asm volatile("");  // or calls with equal arguments could be merged
    return leaf(value);
}

template <weir::task<u64> (&Leaf)(u64)>
weir::task<sample> call_in_a_loop(u64 count) {
    const stopwatch watch;
    u64 sum = 0;
    for (u64 i = 0; i < count; ++i) sum += co_await Leaf(i);
    const auto time = watch.elapsed();
    check(sum == sum_to(count), "call_chain: sum");
    co_return sample{count, time};
}

// Two lines: not inlined, so that the frame is really allocated, and the natural form.
void call_chain(std::string_view name) {
    measure_on(current_thread{}, name, "", call_in_a_loop<opaque_leaf>);
    measure_on(current_thread{}, name, "+natural", call_in_a_loop<leaf>);
}

}  // namespace

std::vector<workload> task_workloads() {
    return {
        {"spawn_join_st",
         [](std::string_view name) { measure_on(current_thread{}, name, "", spawn_one_by_one); }},
        {"spawn_join_mt2",
         [](std::string_view name) { measure_on(two_workers{}, name, "", spawn_in_batches); }},
        {"yield_st",
         [](std::string_view name) { measure_on(current_thread{}, name, "", yield_together); }},
        {"call_chain", call_chain},
    };
}

}  // namespace bench
