#pragma once
// The threads on which functions may block: those that were given to spawn_blocking.
//
// A job is a task whose root calls the function and never suspends, so that it is joined, aborted
// and reported like any other task. Threads are made when a job finds none idle, up to a limit;
// beyond it jobs queue. A thread that has had nothing to do for a while ends.
//
// State    queue_ holds the jobs that have not been started, running_ those that have.
// Turn     of a job: the thread that has taken it from the queue. Its mailbox is never parked, so
//          that an abort claims nothing; it is seen when the job is about to start.
// Clock    a job holds the runtime's stopped clock from its spawn to its end.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <utility>

#include <weir/detail/core/sync.hpp>
#include <weir/detail/core/task_header.hpp>
#include <weir/detail/runtime/idle_threads.hpp>
#include <weir/detail/runtime/runtime_core.hpp>
#include <weir/detail/runtime/thread_group.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class blocking_pool final : private scheduler {
public:
    explicit blocking_pool(runtime_core& core) noexcept : core_(&core) {}

    // -- any thread ------------------------------------------------------------------------------

    task_header& make_task(std::coroutine_handle<> root, const task_type& type,
                           std::source_location site) {
        return task_header::construct(root, type, *this, false, runtime_core::next_shared_id(), site);
    }

    /// Starts what make_task made; cancels it at once where the runtime has ended.
    /// Errors  Throws std::system_error where there is no thread for it and none can be made.
    void start(task_header& t) {
        bool is_closed = false;
        bool needs_thread = false;
        {
            scoped_lock guard(mutex_);
            is_closed = closed_;
            if (!is_closed) {
                core_->time().hold();
                queue_.push_back(t);
                needs_thread = !idle_.call_one() && threads_ < core_->options().max_blocking_threads;
                if (needs_thread) ++threads_;
            }
        }
        if (is_closed) return cancel(t);
        if (needs_thread) add_thread(t);
    }

    void report(runtime_metrics& to) noexcept {
        scoped_lock guard(mutex_);
        to.blocking_threads = threads_;
        to.idle_blocking_threads = idle_.size();
        to.blocking_queue_depth = queue_.size;
    }

    // -- the end of the runtime ------------------------------------------------------------------

    /// Takes no more jobs, cancels those that were not started and lets idle threads end.
    void close() noexcept {
        job_list waiting;
        {
            scoped_lock guard(mutex_);
            closed_ = true;
            std::swap(waiting, queue_);
            while (idle_.call_one()) {
            }
        }
        while (task_header* const t = waiting.pop_front()) {
            cancel(*t);
            release_clock();
        }
    }
    /// Waits for the jobs that were started. False: at the deadline some were still running.
    [[nodiscard]] bool join(thread_group::deadline until) noexcept { return group_.join(until); }
    /// Names those that are running.
    void report_running(shutdown_report& report) {
        scoped_lock guard(mutex_);
        for (task_header* t = running_.first; t != nullptr; t = t->live_next)
            report.still_running.push_back(core_->describe(*t, task_kind::blocking));
    }
    void abandon() noexcept { group_.abandon(); }

private:
    struct job_list {
        task_header* first = nullptr;
        task_header* last = nullptr;
        std::size_t size = 0;

        void push_back(task_header& t) noexcept {
            t.live_next = nullptr;
            t.live_prev = last;
            (last ? last->live_next : first) = &t;
            last = &t;
            ++size;
        }
        void erase(task_header& t) noexcept {
            (t.live_prev ? t.live_prev->live_next : first) = t.live_next;
            (t.live_next ? t.live_next->live_prev : last) = t.live_prev;
            --size;
        }
        task_header* pop_front() noexcept {
            task_header* const t = first;
            if (t != nullptr) erase(*t);
            return t;
        }
        [[nodiscard]] bool contains(const task_header& t) const noexcept {
            const task_header* at = first;
            while (at != nullptr && at != &t) at = at->live_next;
            return at != nullptr;
        }
    };

    void schedule(owner&) noexcept override {}  // a job is never parked
    runtime_core* runtime() noexcept override { return core_; }

    void add_thread(task_header& t) {
        WEIR_TRY {
            core_->launch(group_, [this] { work(); });
        }
        WEIR_CATCH_ALL {
            {
                scoped_lock guard(mutex_);
                if (--threads_ != 0 || !queue_.contains(t)) return;  // it has its turn elsewhere
                queue_.erase(t);
            }
            cancel(t);
            release_clock();
            WEIR_RETHROW;
        }
    }

    void work() noexcept {
        while (task_header* const t = next()) {
            run(*t);
            {
                scoped_lock guard(mutex_);
                running_.erase(*t);
            }
            t->release();
            release_clock();
        }
    }

    /// The next job for the calling thread; null: the thread is to end.
    task_header* next() noexcept {
        scoped_lock guard(mutex_);
        for (;;) {
            if (task_header* const t = queue_.pop_front()) {
                running_.push_back(*t);
                return t;
            }
            if (closed_ || !idle_.wait(mutex_, core_->options().thread_keep_alive)) {
                --threads_;
                return nullptr;
            }
        }
    }
    void run(task_header& t) noexcept {
        execution here;
        here.current = &t;
        here.may_block = true;
        execution::set(&here);
        if (t.has_mail()) t.collect(false);  // an abort
        static_cast<void>(t.run_turn());
        finish(t);
        execution::set(nullptr);
    }
    void finish(task_header& t) noexcept {
        {
            wake_list wakes;
            static_cast<void>(t.finish(wakes));
        }
        core_->forget_name(t);
    }
    /// Ends a job that will never run.
    void cancel(task_header& t) noexcept {
        execution here;
        here.current = &t;
        here.may_block = true;
        execution* const before = execution::here();
        runtime_core* const entered = runtime_core::exchange_current(core_);
        execution::set(&here);
        finish(t);
        execution::set(before);
        runtime_core::exchange_current(entered);
        t.release();
    }
    void release_clock() noexcept {
        if (core_->time().release()) core_->events().unpark();
    }

    runtime_core* core_;
    sync::mutex mutex_;
    job_list queue_;
    job_list running_;
    idle_threads idle_;
    std::size_t threads_ = 0;
    bool closed_ = false;
    thread_group group_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
