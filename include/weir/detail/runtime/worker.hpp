#pragma once
// One worker of the multi-thread runtime: a thread's worth of running tasks.
//
// Order of work: the LIFO slot at most three times in a row, the own ring, the injection queue
// (also every `global_queue_interval` turns), then other workers' rings and slots.
// A thief leaves what its worker gets to by itself soon enough: only entries that have waited for
// `patience` are worth moving to another core, where their data are not. Tasks that talk to each
// other all the time so stay together, and a burst of long ones spreads.
// The slot holds the task that was woken last: in a conversation between two tasks it is the one
// that has its data in this core's cache. Others may take it, but only when its worker has been in
// the same turn for a while; so the conversation stays on one core, and a task that waits behind a
// long turn does not.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <weir/detail/core/task_header.hpp>
#include <weir/detail/runtime/metrics.hpp>
#include <weir/detail/runtime/parking.hpp>
#include <weir/detail/runtime/task_inspector.hpp>
#include <weir/detail/runtime/work_queue.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class multi_thread_core;

class worker final : public execution {
public:
    worker(multi_thread_core& core, std::size_t index) noexcept;
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    /// Runs tasks on the calling thread, which has taken the worker: until the runtime stops, or
    /// another thread has got the worker.
    void run();

    /// What a thread has to remember while it runs a worker.
    struct tenure {
        bool lost = false;     // another thread has the worker: end the turn without it
        execution without_it;  // what the thread is then
    };

    // -- a thread that is about to block in a turn, and the one that takes its worker over ----------

    /// The worker that the calling thread runs, or null.
    static worker* here() noexcept {
        execution* const e = execution::here();
        return e != nullptr && e->pool != nullptr ? static_cast<worker*>(e) : nullptr;
    }
    /// Whether the calling thread is in a turn of this worker.
    [[nodiscard]] bool in_turn() const noexcept {
        return execution::here() == this && current != nullptr;
    }
    /// Puts the worker on offer; the caller touches it no more, until it has taken it back.
    [[nodiscard]] tenure& lend() noexcept;
    /// False: another thread has the worker. It may have had it, and have put it on offer again.
    [[nodiscard]] bool take_back(tenure& mine, owner& running) noexcept;
    /// Takes the worker, if it is on offer.
    [[nodiscard]] bool take() noexcept {
        return on_offer_.exchange(false, sync::memory_order_acquire);  // from lend
    }

    /// Queues an owner that was woken, or spawned, by the task that runs here.
    void schedule(owner& o) noexcept;

    // -- thieves, and the end of the runtime -------------------------------------------------------

    work_queue& queue() noexcept { return queue_; }
    [[nodiscard]] owner* take_lifo() noexcept {
        return lifo_.exchange(nullptr, sync::memory_order_acquire);  // from schedule
    }
    [[nodiscard]] std::uint32_t turns() const noexcept {
        return static_cast<std::uint32_t>(turns_.value());
    }
    /// Any thread.
    [[nodiscard]] turn_glimpse glimpse() const noexcept { return {turns_.value(), current}; }
    void report(worker_metrics& to) const noexcept;
    sleeper& bed() noexcept { return sleeper_; }

private:
    using time_point = std::chrono::steady_clock::time_point;

    /// What a thief remembers of another worker's ring.
    struct glance {
        std::uint32_t end = 0;  // behind the newest entry
        time_point when;
    };

    [[nodiscard]] owner* next() noexcept;
    [[nodiscard]] owner* search();
    void sleep();
    [[nodiscard]] owner* steal(time_point now) noexcept;
    [[nodiscard]] bool keeps_waiting(std::size_t i, time_point now) noexcept;
    [[nodiscard]] owner* steal_stale() noexcept;
    [[nodiscard]] owner* take_injected() noexcept;
    void note_turns() noexcept;
    void found_work() noexcept;
    void enqueue(owner& o) noexcept;
    void run_turn(owner& o, const tenure& mine);
    void look_at_events() noexcept;
    void note_time() noexcept;

    static constexpr unsigned lifo_limit = 3;
    static constexpr std::chrono::nanoseconds patience = std::chrono::microseconds(20);

    multi_thread_core* core_;
    std::size_t index_;
    std::uint64_t random_;
    std::uint32_t until_events_ = 1;
    std::uint32_t until_injected_ = 1;
    unsigned lifo_runs_ = 0;
    bool searching_ = false;
    bool on_watch_ = false;  // got up by itself: a quick look around, no search
    std::array<std::uint32_t, 16> seen_turns_{};  // of the first workers, when last looked at
    std::array<glance, 16> glances_{};            // likewise
    sleeper sleeper_;
    tenure* tenure_ = nullptr;  // of the thread that has the worker
    sync::atomic<bool> on_offer_{true};
    wake_log log_;

    alignas(cache_line) sync::atomic<owner*> lifo_{nullptr};
    counter turns_;
    published<std::uint32_t> coarse_now_{0};  // as of the last look at the events
    counter local_schedules_, overflows_, steals_, steal_operations_;
    work_queue queue_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
