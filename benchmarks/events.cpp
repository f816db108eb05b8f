// notify: two tasks that take turns.

#include <atomic>
#include <weir/notify.hpp>

#include "harness.hpp"

namespace bench {
namespace {

// The caller joins this task before the events go away.
weir::task<> echo(weir::notify& ping, weir::notify& pong, std::atomic<u64>& rounds, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        co_await ping.notified();
        rounds.fetch_add(1, std::memory_order_relaxed);
        pong.notify_one();
    }
}

weir::task<sample> pingpong(u64 count) {
    weir::notify ping;
    weir::notify pong;
    std::atomic<u64> rounds = 0;
    const stopwatch watch;
    auto other = weir::spawn(echo(ping, pong, rounds, count));
    for (u64 i = 0; i < count; ++i) {
        ping.notify_one();
        co_await pong.notified();
    }
    const auto time = watch.elapsed();
    co_await other;
    check(rounds.load(std::memory_order_relaxed) == count, "notify_pingpong: rounds");
    co_return sample{count, time};
}

}  // namespace

std::vector<workload> event_workloads() {
    return {
        {"notify_pingpong_st",
         [](std::string_view name) { measure_on(current_thread{}, name, "", pingpong); }},
    };
}

}  // namespace bench
