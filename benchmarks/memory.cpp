// Memory and timers: a million tasks that wait, a hundred thousand that sleep. Each figure is the
// growth of one process, so each run is a process of its own.

#include <atomic>
#include <cstdio>
#include <optional>
#include <weir/oneshot.hpp>
#include <weir/time.hpp>

#include "harness.hpp"
#include "process.hpp"

namespace bench {
namespace {

double per(u64 amount, u64 count) {
    return static_cast<double>(amount) / static_cast<double>(count);
}

std::vector<double> column(const std::vector<std::vector<double>>& rows, std::size_t i) {
    std::vector<double> values;
    for (const auto& row : rows) values.push_back(row.at(i));
    return values;
}

struct arrivals {
    std::atomic<u64> waiting = 0;
    std::atomic<u64> sum = 0;
};

// idle_tasks outlives every waiter: it returns after the last one has added its value.
weir::task<> wait_idle(weir::oneshot::receiver<u64> rx, arrivals& seen) {
    seen.waiting.fetch_add(1, std::memory_order_relaxed);
    const auto value = co_await rx;
    check(value.has_value(), "idle_task_mem: a sender is gone");
    seen.sum.fetch_add(*value, std::memory_order_relaxed);
}

// The figure is a task with its oneshot; the vector of senders is touched beforehand.
weir::task<double> idle_tasks(u64 count) {
    arrivals seen;
    std::vector<std::optional<weir::oneshot::sender<u64>>> senders(count);
    const u64 before = resident_bytes();
    for (auto& sender : senders) {
        auto [tx, rx] = weir::oneshot::channel<u64>();
        sender.emplace(std::move(tx));
        weir::spawn(wait_idle(std::move(rx), seen)).detach();
    }
    while (seen.waiting.load(std::memory_order_relaxed) < count) co_await weir::yield_now();
    const u64 after = resident_bytes();
    for (u64 i = 0; i < count; ++i) {
        check(senders[i]->send(u64{i}).has_value(), "idle_task_mem: a task is gone");
    }
    while (seen.sum.load(std::memory_order_relaxed) < sum_to(count)) co_await weir::yield_now();
    check(seen.sum.load(std::memory_order_relaxed) == sum_to(count), "idle_task_mem: sum");
    co_return per(after - before, count);
}

weir::task<u64> sleep_then_return(u64 milliseconds) {
    co_await weir::sleep_for(std::chrono::milliseconds(milliseconds));
    co_return milliseconds;
}

struct timer_cost {
    double cpu_ns;
    double bytes;
};

// CPU time from the first spawn to the last wake-up; memory when all of them are asleep.
weir::task<timer_cost> sleeping_tasks(u64 count) {
    std::vector<std::optional<weir::join_handle<u64>>> handles(count);
    const u64 memory_before = resident_bytes();
    const auto cpu_before = cpu_time();
    u64 random = 88172645463325252;  // xorshift64: every run sleeps for the same times
    u64 expected = 0;
    for (auto& handle : handles) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        const u64 milliseconds = 1 + random % 1000;
        expected += milliseconds;
        handle.emplace(weir::spawn(sleep_then_return(milliseconds)));
    }
    co_await weir::yield_now();
    const u64 memory = resident_bytes() - memory_before;
    u64 sum = 0;
    for (auto& handle : handles) sum += co_await *handle;
    const auto cpu = cpu_time() - cpu_before;
    check(sum == expected, "timer_sleep_mem: sum");
    co_return timer_cost{per(static_cast<u64>(cpu.count()), count), per(memory, count)};
}

void idle_child(u64 count) {
    auto runtime = current_thread{}();
    std::printf("%.3f\n", on(runtime, idle_tasks(count)));
}

void timer_child(u64 count) {
    auto runtime = current_thread{}();
    const timer_cost cost = on(runtime, sleeping_tasks(count));
    std::printf("%.3f %.3f\n", cost.cpu_ns, cost.bytes);
}

void idle_task_mem(std::string_view name) {
    const auto rows = measure_in_children(name, 1'000'000, 10'000);
    report(name, "", column(rows, 0), "bytes");
}

// Two lines: CPU time per timer, and memory per sleeping task.
void timer_sleep_mem(std::string_view name) {
    const auto rows = measure_in_children(name, 100'000, 1000);
    report(name, "", column(rows, 0), "cpu_ns");
    report(name, "+rss", column(rows, 1), "bytes");
}

}  // namespace

std::vector<workload> memory_workloads() {
    return {
        {"idle_task_mem", idle_task_mem, idle_child},
        {"timer_sleep_mem_st", timer_sleep_mem, timer_child},
    };
}

}  // namespace bench
