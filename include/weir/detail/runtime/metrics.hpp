#pragma once
// What a runtime counts, and how: each counter has one writer at a time, and readers that accept
// figures which do not belong to one instant.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN

/// What one worker has done. A current-thread runtime counts as one worker: whoever is in block_on.
struct worker_metrics {
    std::chrono::nanoseconds busy_duration{};  // time not asleep; what is spent in looking for work counts
    std::uint64_t park_count = 0;              // how often it went to sleep
    std::uint64_t park_unpark_count = 0;       // and got up as well: odd while it sleeps
    std::uint64_t polls = 0;                   // turns of tasks
    std::uint64_t steals = 0;                  // tasks that it took from other workers
    std::uint64_t steal_operations = 0;        // how often it did so
    std::uint64_t local_schedules = 0;         // tasks that were woken or spawned by its own turns
    std::uint64_t overflows = 0;               // how often its queue was full and went to the global one
    std::size_t local_queue_depth = 0;
};

/// What a runtime has done so far, and how much there is to do. The counts only grow. On a
/// current-thread runtime a local schedule is counted when the task gets its turn.
struct runtime_metrics {
    std::vector<worker_metrics> workers;
    std::size_t alive_tasks = 0;           // spawned and not ended, without blocking functions
    std::uint64_t spawned_tasks = 0;       // likewise; every block_on makes one
    std::size_t global_queue_depth = 0;    // tasks that wait for any worker
    std::uint64_t remote_schedules = 0;    // tasks that were woken or spawned from elsewhere
    std::uint64_t budget_forced_yields = 0;  // ready operations that waited since the budget was used up
    std::size_t blocking_threads = 0;
    std::size_t idle_blocking_threads = 0;
    std::size_t blocking_queue_depth = 0;  // functions that wait for a thread
};

namespace detail {

/// Grows by one thread, or under one lock; may be read by any thread.
class counter {
public:
    void add(std::uint64_t n = 1) noexcept {
        value_.store(value() + n, sync::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t value() const noexcept {
        return value_.load(sync::memory_order_relaxed);
    }

private:
    sync::atomic<std::uint64_t> value_{0};
};

/// When a worker was awake. The clock is read where it goes to sleep and gets up, and nowhere else.
class wake_log {
public:
    void begin() noexcept {
        scoped_lock guard(lock_);
        wake();
    }
    void end() noexcept {
        scoped_lock guard(lock_);
        rest();
    }
    void park() noexcept {
        scoped_lock guard(lock_);
        rest();
        ++parks_;
        ++changes_;
    }
    void unpark() noexcept {
        scoped_lock guard(lock_);
        wake();
        ++changes_;
    }
    void report(worker_metrics& to) const noexcept {
        scoped_lock guard(lock_);
        to.busy_duration = awake_ ? busy_ + (sync::now() - since_) : busy_;
        to.park_count = parks_;
        to.park_unpark_count = changes_;
    }

private:
    void wake() noexcept {
        since_ = sync::now();
        awake_ = true;
    }
    void rest() noexcept {
        busy_ += sync::now() - since_;
        awake_ = false;
    }

    mutable small_lock lock_;
    bool awake_ = false;
    std::chrono::steady_clock::time_point since_;
    std::chrono::nanoseconds busy_{};
    std::uint64_t parks_ = 0;
    std::uint64_t changes_ = 0;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
