// broadcast: eight receivers that each see every value.

#include <algorithm>
#include <atomic>
#include <weir/broadcast.hpp>

#include "harness.hpp"

namespace bench {
namespace {

constexpr u64 receivers = 8;
constexpr u64 burst = 64;
constexpr std::size_t capacity = 128;

using sender = weir::broadcast::sender<u64>;
using receiver = weir::broadcast::receiver<u64>;

// On a pair of cache lines of its own: adjacent lines are fetched together.
struct alignas(128) progress {
    std::atomic<u64> seen = 0;
};

// A lag is a mistake of the workload, so that it ends the program.
weir::task<u64> receive_all(receiver rx) {
    u64 sum = 0;
    for (;;) {
        const auto result = co_await rx.recv();
        if (result.is_closed()) co_return sum;
        check(result.has_value(), "broadcast_each: a receiver lagged");
        sum += *result;
    }
}

// The same, and says how far it is. The caller joins this task before the counter goes away.
weir::task<u64> receive_and_publish(receiver rx, progress& mine) {
    u64 sum = 0;
    u64 seen = 0;
    for (;;) {
        const auto result = co_await rx.recv();
        if (result.is_closed()) co_return sum;
        check(result.has_value(), "broadcast: a receiver lagged");
        sum += *result;
        mine.seen.store(++seen, std::memory_order_relaxed);
    }
}

// Sends 64 values, then yields until the slowest receiver is at most 64 behind: nobody can lag.
weir::task<> send_in_bursts(sender tx, const std::vector<progress>& all, u64 count) {
    const auto far_behind = [](const progress& one, u64 sent) {
        return one.seen.load(std::memory_order_relaxed) + burst < sent;
    };
    for (u64 sent = 0; sent < count;) {
        for (u64 i = 0; i < burst; ++i)
            check(tx.send(sent + i).has_value(), "broadcast: no receiver");
        sent += burst;
        while (std::any_of(all.begin(), all.end(),
                           [&](const progress& one) { return far_behind(one, sent); }))
            co_await weir::yield_now();
    }
}

weir::task<sample> bursts(u64 wanted) {
    const u64 count = (wanted / receivers / burst + 1) * burst;
    auto tx = sender(capacity);
    std::vector<progress> all(receivers);
    const stopwatch watch;
    std::vector<weir::join_handle<u64>> running;
    for (progress& mine : all)
        running.push_back(weir::spawn(receive_and_publish(tx.subscribe(), mine)));
    auto sending = weir::spawn(send_in_bursts(std::move(tx), all, count));
    co_await sending;
    u64 sum = 0;
    for (auto& task : running) sum += co_await task;
    const auto time = watch.elapsed();
    check(sum == sum_to(count) * receivers, "broadcast: sum");
    co_return sample{count * receivers, time};
}

// The other end of the scale: the sender yields after every value, so that each delivery wakes.
weir::task<sample> one_by_one(u64 wanted) {
    const u64 count = wanted / receivers + 1;
    auto tx = sender(capacity);
    const stopwatch watch;
    std::vector<weir::join_handle<u64>> running;
    for (u64 r = 0; r < receivers; ++r) running.push_back(weir::spawn(receive_all(tx.subscribe())));
    co_await weir::yield_now();
    for (u64 i = 0; i < count; ++i) {
        check(tx.send(i).has_value(), "broadcast: no receiver");
        co_await weir::yield_now();
    }
    { const auto last = std::move(tx); }
    u64 sum = 0;
    for (auto& task : running) sum += co_await task;
    const auto time = watch.elapsed();
    check(sum == sum_to(count) * receivers, "broadcast_each: sum");
    co_return sample{count * receivers, time};
}

}  // namespace

std::vector<workload> broadcast_workloads() {
    return {
        {"broadcast_st_8r",
         [](std::string_view name) { measure_on(current_thread{}, name, "", bursts); }},
        {"broadcast_mt2_8r",
         [](std::string_view name) { measure_on(two_workers{}, name, "", bursts); }},
        {"broadcast_st_8r_each",
         [](std::string_view name) { measure_on(current_thread{}, name, "", one_by_one); }},
    };
}

}  // namespace bench
