// How the cost of one operation grows with the number of producers, receivers, waiting tasks, timers,
// and with the capacity. Every figure is per operation: a flat line is what is wanted, and a rising one
// is a cost that grows faster than the work.

#include <algorithm>
#include <array>
#include <cstdio>
#include <deque>
#include <weir/broadcast.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/time.hpp>
#include <weir/watch.hpp>

#include "harness.hpp"
#include "process.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

bool one_thread = true;

// The CPU time of one thread, which other programs do not lengthen by taking the core away; for two
// workers, of which one may spin while the other works, the time on the clock.
class growth_watch {
public:
    std::chrono::nanoseconds elapsed() const {
        return one_thread ? cpu_time() - cpu_start_ : watch_.elapsed();
    }

private:
    std::chrono::nanoseconds cpu_start_ = cpu_time();
    stopwatch watch_;
};

weir::task<> produce(weir::mpsc::sender<u64> tx, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        const auto sent = co_await tx.send(i);
        check(sent.has_value(), "growth: the consumer is gone");
    }
}

weir::task<sample> stream(u64 capacity, u64 producers, u64 count) {
    const u64 each = count / producers + 1;
    auto [tx, rx] = weir::mpsc::channel<u64>(capacity);
    const growth_watch watch;
    for (u64 p = 0; p < producers; ++p) weir::spawn(produce(tx, each)).detach();
    { const auto last = std::move(tx); }
    u64 sum = 0;
    while (const auto value = co_await rx.recv()) sum += *value;
    check(sum == sum_to(each) * producers, "growth: sum");
    co_return sample{each * producers, watch.elapsed()};
}

weir::task<sample> by_producers(u64 x, u64 count) { return stream(32, x, count); }
weir::task<sample> by_capacity(u64 x, u64 count) { return stream(x, 1, count); }

weir::task<u64> receive_all(weir::broadcast::receiver<u64> rx) {
    u64 sum = 0;
    for (;;) {
        const auto result = co_await rx.recv();
        if (result.is_closed()) co_return sum;
        check(result.has_value(), "growth: a receiver lagged");
        sum += *result;
    }
}

// Every receiver sees each burst before the next one is sent: one thread takes turns.
weir::task<sample> by_broadcast_receivers(u64 x, u64 count) {
    constexpr u64 burst = 64;
    const u64 bursts = count / burst / x + 1;
    auto tx = weir::broadcast::sender<u64>(128);
    std::vector<weir::join_handle<u64>> running;
    for (u64 r = 0; r < x; ++r) running.push_back(weir::spawn(receive_all(tx.subscribe())));
    co_await weir::yield_now();
    const growth_watch watch;
    for (u64 b = 0; b < bursts; ++b) {
        for (u64 i = 0; i < burst; ++i)
            check(tx.send(b * burst + i).has_value(), "growth: no receiver");
        co_await weir::yield_now();
    }
    const auto time = watch.elapsed();
    { const auto last = std::move(tx); }
    u64 sum = 0;
    for (auto& task : running) sum += co_await task;
    check(sum == sum_to(bursts * burst) * x, "growth: broadcast sum");
    co_return sample{bursts * burst * x, time};
}

weir::task<u64> count_changes(weir::watch::receiver<u64> rx) {
    u64 changes = 0;
    for (;;) {
        const auto changed = co_await rx.changed();
        if (!changed.has_value()) co_return changes;
        ++changes;
    }
}

weir::task<sample> by_watch_receivers(u64 x, u64 count) {
    const u64 sends = count / x + 1;
    auto [tx, rx] = weir::watch::channel<u64>(u64{0});
    std::vector<weir::join_handle<u64>> running;
    for (u64 r = 0; r < x; ++r) running.push_back(weir::spawn(count_changes(rx)));
    { const auto first = std::move(rx); }
    co_await weir::yield_now();
    const growth_watch watch;
    for (u64 i = 1; i <= sends; ++i) {
        tx.send(i);
        co_await weir::yield_now();
    }
    const auto time = watch.elapsed();
    { const auto last = std::move(tx); }
    u64 changes = 0;
    for (auto& task : running) changes += co_await task;
    check(changes == sends * x, "growth: a receiver missed a change");
    co_return sample{sends * x, time};
}

weir::task<u64> wait_for(weir::oneshot::receiver<u64> rx) {
    const auto value = co_await rx;
    check(value.has_value(), "growth: a sender is gone");
    co_return *value;
}

// From the spawn of a task to its end, with a wait for a oneshot in between; x of them wait at once.
weir::task<sample> by_waiting_tasks(u64 x, u64 count) {
    const u64 rounds = count / x + 1;
    std::vector<weir::oneshot::sender<u64>> senders;
    std::vector<weir::join_handle<u64>> tasks;
    senders.reserve(x);
    tasks.reserve(x);
    const growth_watch watch;
    for (u64 r = 0; r < rounds; ++r) {
        for (u64 i = 0; i < x; ++i) {
            auto [tx, rx] = weir::oneshot::channel<u64>();
            senders.push_back(std::move(tx));
            tasks.push_back(weir::spawn(wait_for(std::move(rx))));
        }
        co_await weir::yield_now();
        for (u64 i = 0; i < x; ++i)
            check(senders[i].send(u64{i}).has_value(), "growth: a task is gone");
        u64 sum = 0;
        for (auto& task : tasks) sum += co_await task;
        check(sum == sum_to(x), "growth: sum of the tasks");
        senders.clear();
        tasks.clear();
    }
    co_return sample{rounds * x, watch.elapsed()};
}

weir::task<> lock_often(weir::mutex<u64>& total, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        auto guard = co_await total.lock();
        *guard += 1;
        co_await weir::yield_now();  // all the others queue up meanwhile
    }
}

// Begins when all of them wait; ends with the last task.
weir::task<sample> by_mutex_waiters(u64 x, u64 count) {
    const u64 each = std::max<u64>(count / x, 4);
    weir::mutex<u64> total(u64{0});
    std::vector<weir::join_handle<void>> running;
    running.reserve(x);
    auto first = co_await total.lock();
    for (u64 t = 0; t < x; ++t) running.push_back(weir::spawn(lock_often(total, each)));
    co_await weir::yield_now();
    const growth_watch watch;
    first.unlock();
    for (auto& task : running) co_await task;
    const auto time = watch.elapsed();
    auto guard = co_await total.lock();
    check(*guard == each * x, "growth: locks");
    co_return sample{each * x, time};
}

u64 next_random(u64& state) {  // xorshift64
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

weir::task<> sleep_long(u64 seconds) { co_await weir::sleep_for(std::chrono::seconds(seconds)); }

// A timer that is set and cancelled while x others wait; with the select and the yield it takes.
weir::task<sample> by_timers_set(u64 x, u64 count) {
    u64 random = 88172645463325252;
    std::vector<weir::join_handle<void>> sleeping;
    sleeping.reserve(x);
    for (u64 i = 0; i < x; ++i)
        sleeping.push_back(weir::spawn(sleep_long(3600 + next_random(random) % 36000)));
    co_await weir::yield_now();
    const growth_watch watch;
    for (u64 i = 0; i < count; ++i) {
        const std::chrono::milliseconds d(100'000 + next_random(random) % 1'000'000);
        const auto first = co_await weir::select(weir::biased, weir::sleep_for(d), weir::yield_now());
        check(first.index() == 1, "growth: a timer fired");
    }
    const auto time = watch.elapsed();
    for (auto& task : sleeping) task.abort();
    for (auto& task : sleeping) {
        const auto ended = co_await task.result();
        check(!ended.has_value(), "growth: a sleeper ended");
    }
    co_return sample{count, time};
}

weir::task<u64> sleep_then_return(u64 microseconds) {
    co_await weir::sleep_for(std::chrono::microseconds(microseconds));
    co_return microseconds;
}

// From the spawn of x tasks to the end of the last; each sleeps up to a second.
weir::task<sample> by_timers_fired(u64 x, u64) {
    u64 random = 88172645463325252;
    u64 expected = 0;
    std::vector<weir::join_handle<u64>> sleeping;
    sleeping.reserve(x);
    const growth_watch watch;
    for (u64 i = 0; i < x; ++i) {
        const u64 microseconds = 1 + next_random(random) % 1'000'000;
        expected += microseconds;
        sleeping.push_back(weir::spawn(sleep_then_return(microseconds)));
    }
    u64 sum = 0;
    for (auto& task : sleeping) sum += co_await task;
    check(sum == expected, "growth: sleeps");
    co_return sample{x, watch.elapsed()};
}

struct series {
    std::string_view name, unit;
    bool two_workers;
    bool once;  // a run takes as long as it takes, whatever the count
    std::vector<u64> at;
    weir::task<sample> (*work)(u64 x, u64 count);
};

std::vector<u64> powers(u64 base, u64 from, u64 to) {
    std::vector<u64> all;
    for (u64 x = from; x <= to; x *= base) all.push_back(x);
    return all;
}

std::vector<series> all_series() {
    return {
        {"mpsc_producers_st", "message", false, false, powers(2, 1, 64), by_producers},
        {"mpsc_producers_mt2", "message", true, false, powers(2, 1, 64), by_producers},
        {"mpsc_capacity_st", "message", false, false, powers(4, 1, 65536), by_capacity},
        {"mpsc_capacity_mt2", "message", true, false, powers(4, 1, 65536), by_capacity},
        {"broadcast_receivers_st", "delivery", false, false, powers(4, 1, 1024),
         by_broadcast_receivers},
        {"watch_receivers_st", "delivery", false, false, powers(4, 1, 1024), by_watch_receivers},
        {"waiting_tasks_st", "task", false, false, powers(10, 1, 1'000'000), by_waiting_tasks},
        {"mutex_waiters_st", "lock", false, false, powers(10, 1, 1'000'000), by_mutex_waiters},
        {"timers_set_st", "timer", false, false, powers(10, 1000, 1'000'000), by_timers_set},
        {"timers_fired_st", "timer", false, true, powers(10, 1000, 1'000'000),
         by_timers_fired},
    };
}

double per_op(const sample& s) {
    return static_cast<double>(s.time.count()) / static_cast<double>(s.ops);
}

template <class Runtime>
double measure_point(Runtime& runtime, const series& s, u64 x, bool quick) {
    if (s.once || quick) return per_op(on(runtime, s.work(x, 1)));
    constexpr auto target = 100ms;
    u64 count = 1000;
    sample last = on(runtime, s.work(x, count));
    while (last.time < target / 4) {
        count = std::max(count, last.ops) * 4;
        last = on(runtime, s.work(x, count));
    }
    const double factor = std::chrono::duration<double>(target) / last.time;
    count = static_cast<u64>(static_cast<double>(last.ops) * factor) + 1;
    std::array<double, 3> values{};
    for (double& value : values) value = per_op(on(runtime, s.work(x, count)));
    std::sort(values.begin(), values.end());
    return values[1];
}

}  // namespace

bool print_growth(std::string_view filter, bool quick) {
    bool found = false;
    for (const series& s : all_series()) {
        if (s.name.find(filter) == std::string_view::npos) continue;
        found = true;
        for (const u64 x : s.at) {
            if (quick && x > 1000) continue;
            double value = 0;
            one_thread = !s.two_workers;
            if (s.two_workers) {
                auto runtime = two_workers{}();
                value = measure_point(runtime, s, x, quick);
            } else {
                auto runtime = current_thread{}();
                value = measure_point(runtime, s, x, quick);
            }
            std::printf("%.*s\t%llu\t%.2f\t%.*s\n", static_cast<int>(s.name.size()), s.name.data(),
                        static_cast<unsigned long long>(x), value,
                        static_cast<int>(s.unit.size()), s.unit.data());
            std::fflush(stdout);
        }
    }
    return found;
}

}  // namespace bench
