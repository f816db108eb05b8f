#pragma once
// What the two runtimes have in common, and how spawn finds the current one.

#include <pthread.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <weir/detail/core/task_header.hpp>
#include <weir/detail/runtime/driver.hpp>
#include <weir/detail/runtime/metrics.hpp>
#include <weir/detail/runtime/options.hpp>
#include <weir/detail/runtime/shutdown_report.hpp>
#include <weir/detail/runtime/task_inspector.hpp>
#include <weir/detail/runtime/thread_group.hpp>
#include <weir/detail/runtime/time_driver.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class blocking_pool;

class runtime_core : public std::enable_shared_from_this<runtime_core> {
public:
    explicit runtime_core(runtime_options options)
        : options_(validated(std::move(options))), time_(options_.start_paused) {}
    runtime_core(const runtime_core&) = delete;
    runtime_core& operator=(const runtime_core&) = delete;
    virtual ~runtime_core() = default;

    /// Constructs the header of a new task. Any thread.
    virtual task_header& make_task(std::coroutine_handle<> root, const task_type& type,
                                   std::source_location site) = 0;
    /// Starts what make_task made, never inline; drops it at once where the runtime has ended.
    virtual void start(task_header& t) noexcept = 0;
    /// Runs tasks until `root` is done, on the calling thread or while that one is blocked.
    virtual void drive(task_header& root) = 0;
    /// Whether `drive` runs them on the calling thread.
    [[nodiscard]] virtual bool drives_here() const noexcept { return true; }
    /// Ends the runtime once and for all: no more turns begin, and every task is destroyed. False:
    /// at the deadline some turn or blocking function was still running; its thread goes on without
    /// being waited for, and is named in the report. Not on a thread of the runtime's own, unless
    /// there is a deadline to wait for.
    virtual bool shut_down(thread_group::deadline until, shutdown_report* report) noexcept = 0;
    /// Whether shut_down with a deadline can work on the calling thread.
    [[nodiscard]] virtual bool may_end_here() const noexcept { return true; }
    /// Begins the end of the runtime from within: block_on returns where it can.
    virtual void stop() noexcept = 0;
    /// Lets a thread that sleeps in this runtime look at its timers again. Any thread.
    virtual void timers_changed() noexcept = 0;
    /// What has been counted. Any thread.
    [[nodiscard]] virtual runtime_metrics measure() = 0;
    /// Shows every live task. False: the thread that runs the tasks was too busy to say. Any thread.
    [[nodiscard]] virtual bool inspect(task_inspector& to) = 0;
    /// Whether a task waits as it did after `turns` turns, or at least did so when the others were
    /// shown. Any thread.
    [[nodiscard]] virtual bool has_not_run_since(task_id, std::uint32_t /*turns*/) { return true; }

    // -- for the watchdog, on its thread -----------------------------------------------------------

    /// How many threads have turns of tasks, or may have.
    [[nodiscard]] virtual std::size_t turn_sources() const noexcept = 0;
    [[nodiscard]] virtual turn_glimpse glimpse(std::size_t source) const noexcept = 0;
    /// What is known of a task, if it is live; none where tasks are not watched.
    [[nodiscard]] virtual std::optional<busy_task> find_live(const owner* task) noexcept = 0;

    /// What owner::idle_since counts in, now.
    [[nodiscard]] virtual std::uint32_t idle_clock() const noexcept {
#if WEIR_INSPECT
        return sync::coarse_now_ms();
#else
        return 0;
#endif
    }
    /// Where this runtime's blocking functions run.
    virtual blocking_pool& blocking() noexcept = 0;

    /// Starts a thread of this runtime, in its context, that calls `body`. Any thread.
    template <class Body>
    void launch(thread_group& group, Body body) {
        group.launch([self = shared_from_this(), run = std::move(body)]() mutable {
            // The system keeps fifteen characters.
            ::pthread_setname_np(::pthread_self(), self->options().thread_name.substr(0, 15).c_str());
            exchange_current(self.get());
            if (self->options().on_thread_start) self->options().on_thread_start();
            run();
            if (self->options().on_thread_stop) self->options().on_thread_stop();
            exchange_current(nullptr);
        });
    }

    [[nodiscard]] const runtime_options& options() const noexcept { return options_; }
    [[nodiscard]] time_driver& time() noexcept { return time_; }
    [[nodiscard]] std::int64_t time_now() const noexcept { return time_.now(); }
    [[nodiscard]] driver& events() noexcept { return driver_; }

    /// Where there is no memory for it, the task goes without a name.
    void set_name(task_header& t, std::string_view name) noexcept {
        scoped_lock guard(names_lock_);
        WEIR_TRY {
            names_.emplace(t.id(), name);
            t.set_named();
        }
        WEIR_CATCH_ALL {}
    }

    [[nodiscard]] running_task describe(const task_header& t, task_kind kind) {
        return running_task{name_of(t.id()), t.id(), t.site(), kind};
    }

    [[nodiscard]] std::string name_of(task_id id) {
        scoped_lock guard(names_lock_);
        auto const found = names_.find(id);
        return found == names_.end() ? std::string() : found->second;
    }

    /// A task has ended: its name is not needed any more.
    void forget_name(const task_header& t) noexcept {
        if (!t.is_named()) return;
        scoped_lock guard(names_lock_);
        names_.erase(t.id());
    }

    static task_id next_shared_id() noexcept {
        return task_id{sequence_.fetch_add(1, sync::memory_order_relaxed)};
    }

    /// The exception that has ended the runtime, or null.
    [[nodiscard]] std::exception_ptr fatal() const noexcept {
        scoped_lock guard(names_lock_);
        return fatal_;
    }

    /// Whether shut_down has been called.
    [[nodiscard]] bool has_ended() const noexcept {
        return shut_down_.load(sync::memory_order_relaxed);
    }
    /// Whether the calling thread is busy for this runtime, so that waiting for the runtime's end
    /// here would be waiting for ever.
    [[nodiscard]] bool runs_here() const noexcept {
        return current() == this && execution::here() != nullptr;
    }

    /// Applies the policy to an exception that nobody can join.
    void report_unhandled(const task_header& t, std::exception_ptr e) noexcept;

    /// The runtime whose context the calling thread is in, or null.
    static runtime_core* current() noexcept { return context::get(); }
    static runtime_core& current_or_throw() {
        runtime_core* const r = current();
        if (r == nullptr)
            fail<no_runtime_error>(
                "there is no weir runtime on this thread: call this inside block_on, inside a "
                "task, or under runtime.enter()");
        return *r;
    }
    static runtime_core* exchange_current(runtime_core* r) noexcept {
        runtime_core* const before = context::get();
        context::set(r);
        return before;
    }

protected:
    void add_forced_yield() noexcept { forced_yields_.fetch_add(1, sync::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t forced_yields() const noexcept {
        return forced_yields_.load(sync::memory_order_relaxed);
    }

    sync::atomic<bool> shut_down_{false};

    /// The start of a xorshift sequence, far from those of neighbouring seeds (splitmix64, Vigna).
    static std::uint64_t mixed_seed(std::uint64_t seed) noexcept {
        seed += 0x9E3779B97F4A7C15u;
        seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9u;
        seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EBu;
        seed ^= seed >> 31;
        return seed != 0 ? seed : 1;
    }

    /// A fresh task id, from blocks of the process-wide sequence. The caller has exclusive access.
    task_id next_id() noexcept {
        if (next_id_ == last_id_) {
            next_id_ = sequence_.fetch_add(id_block, sync::memory_order_relaxed);
            last_id_ = next_id_ + id_block;
        }
        return task_id{next_id_++};
    }

private:
    static runtime_options validated(runtime_options o) {
        if (o.max_blocking_threads == 0)
            fail<std::invalid_argument>("runtime_options::max_blocking_threads must not be 0");
        if (o.thread_keep_alive < o.thread_keep_alive.zero())
            fail<std::invalid_argument>("runtime_options::thread_keep_alive must not be negative");
        if (o.global_queue_interval == 0)
            fail<std::invalid_argument>("runtime_options::global_queue_interval must not be 0");
        if (o.event_interval == 0)
            fail<std::invalid_argument>("runtime_options::event_interval must not be 0");
        if (o.slow_turn < o.slow_turn.zero())
            fail<std::invalid_argument>("runtime_options::slow_turn must not be negative");
        return o;
    }

    using context = sync::thread_slot<runtime_core, struct current_runtime>;
    static constexpr std::uint64_t id_block = 1024;
    static inline sync::atomic<std::uint64_t> sequence_{1};

    runtime_options options_;
    time_driver time_;
    driver driver_;
    mutable small_lock names_lock_;  // guards the next two
    std::unordered_map<task_id, std::string> names_;  // of the tasks that were given one
    std::exception_ptr fatal_;
    sync::atomic<std::uint64_t> forced_yields_{0};
    std::uint64_t next_id_ = 0;
    std::uint64_t last_id_ = 0;
};

inline void runtime_core::report_unhandled(const task_header& t, std::exception_ptr e) noexcept {
    const std::string name = name_of(t.id());
    const unhandled& policy = options_.on_unhandled;
    if (policy.function()) {
        policy.function()(unhandled_exception_info{t.id(), name, t.site(), e});
        return;
    }
    switch (policy.kind()) {
        case unhandled::ignore: return;
        case unhandled::terminate: std::terminate();
        case unhandled::shutdown:
            {
                scoped_lock guard(names_lock_);
                if (fatal_ == nullptr) fatal_ = std::move(e);
            }
            stop();
            return;
        case unhandled::log: break;
    }
    const char* what = "an exception that is not derived from std::exception";
    std::string text;
#if WEIR_EXCEPTIONS
    try {
        std::rethrow_exception(e);
    } catch (const std::exception& error) {
        text = error.what();
        what = text.c_str();
    } catch (...) {
    }
#endif
    std::fprintf(stderr, "weir: unhandled exception in detached task %llu%s%s%s (spawned at %s:%u): %s\n",
                 static_cast<unsigned long long>(t.id()), name.empty() ? "" : " \"", name.c_str(),
                 name.empty() ? "" : "\"", t.site().file_name(),
                 static_cast<unsigned>(t.site().line()), what);
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
