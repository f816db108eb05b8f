#pragma once
// The runtime that runs every task on the one thread that drives it.
//
// State: `ready` holds the tasks that have something to resume; `injected_` those that another
//        thread has claimed (mailbox not parked); `live_` all of them.
// A wake from the driving thread goes from the primitive straight into `ready`, with no atomic
// operation; a wake from elsewhere goes through the task's mailbox and `injected_`.
// A task that ends while another thread has claimed it stays in memory, as a zombie, until that
// thread's injection arrives; the destructor waits for all of them, so nobody schedules into a
// runtime that is gone.

#include <coroutine>
#include <cstdint>
#include <utility>

#include <weir/detail/core/standalone.hpp>
#include <weir/detail/runtime/blocking_pool.hpp>
#include <weir/detail/runtime/driving_turn.hpp>
#include <weir/detail/runtime/runtime_core.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class current_thread_core : public runtime_core, public local_scheduler {
public:
    explicit current_thread_core(runtime_options options)
        : runtime_core(std::move(options)), random_(mixed_seed(this->options().rng_seed)) {}
    ~current_thread_core() override { shut_down({}, nullptr); }

    // -- any thread ------------------------------------------------------------------------------

    void schedule(owner& o) noexcept override {
        scoped_lock guard(injection_lock_);
        inject(o);
    }

    task_header& make_task(std::coroutine_handle<> root, const task_type& type,
                           std::source_location site) override {
        if (is_driven_here()) {
            ready.reserve(live_count_ + 1);
            return task_header::construct(root, type, *this, true, next_id(), site);
        }
        return task_header::construct(root, type, *this, false, next_shared_id(), site);
    }

    void start(task_header& t) noexcept override {
        if (is_driven_here()) {
            if (closing_) return drop(t);
            adopt(t);
            spawned_here_.add();
            t.make_ready(*this);
            return;
        }
        {
            scoped_lock guard(injection_lock_);
            if (!closed_) {
                ++spawned_elsewhere_;
                return inject(t);
            }
        }
        drop(t);
    }

    void timers_changed() noexcept override {
        if (is_driven_here()) return;  // this thread is awake
        scoped_lock guard(injection_lock_);
        if (std::exchange(sleeping_, false)) events().unpark();
    }

    blocking_pool& blocking() noexcept override { return blocking_; }

    runtime_metrics measure() override {
        runtime_metrics m;
        worker_metrics& worker = m.workers.emplace_back();
        const std::uint64_t ended = ended_.value();
        if (is_driven_here()) publish_counts();
        log_.report(worker);
        worker.polls = polls_.value();
        worker.local_schedules = local_schedules_.load(sync::memory_order_relaxed);
        worker.local_queue_depth = local_depth_.load(sync::memory_order_relaxed);
        {
            scoped_lock guard(injection_lock_);
            m.remote_schedules = injections_;
            m.spawned_tasks = spawned_here_.value() + spawned_elsewhere_;
            for (owner* o = injected_first_; o != nullptr; o = o->next_owner) ++m.global_queue_depth;
        }
        m.alive_tasks = static_cast<std::size_t>(m.spawned_tasks - ended);
        m.budget_forced_yields = forced_yields();
        blocking_.report(m);
        return m;
    }

    // -- the driving thread ----------------------------------------------------------------------

    runtime_core* runtime() noexcept override { return this; }
    void count_forced_yield() noexcept override { add_forced_yield(); }

    std::uint64_t random() noexcept override {  // xorshift64, Marsaglia 2003
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        return random_;
    }

    void drive(task_header& root) override {
        if (!turn_.wait_for(root)) return;
        turn_holder const mine(*this, root);
        {
            driving here(*this);
            log_.begin();
            while (!root.is_done() && !is_stopping()) step();
            if (!root.is_done()) destroy_tasks();
            publish_counts();
            log_.end();
        }
    }

    [[nodiscard]] bool may_end_here() const noexcept override { return !is_driven_here(); }
    void stop() noexcept override {
        blocking_.close();
        stopping_.store(true, sync::memory_order_relaxed);
        scoped_lock guard(injection_lock_);
        if (std::exchange(sleeping_, false)) events().unpark();
    }

    bool shut_down(thread_group::deadline until, shutdown_report* report) noexcept override {
        if (shut_down_.exchange(true, sync::memory_order_relaxed)) return true;  // tells no more
        stop();
        turn_.take_last();
        destroy_tasks();
        if (blocking_.join(until)) return true;
        if (report != nullptr) blocking_.report_running(*report);
        blocking_.abandon();
        return false;
    }

protected:  // a simulation chooses for itself who runs next
    [[nodiscard]] bool is_stopping() const noexcept {
        return stopping_.load(sync::memory_order_relaxed);
    }
    void destroy_tasks() noexcept {
        driving here(*this);
        closing_ = true;
        {
            scoped_lock guard(injection_lock_);
            closed_ = true;
        }
        sync::spin_wait until_injected;
        while (drain_injected() || live_ != nullptr || zombies_ != 0) {
            while (live_ != nullptr) end(*live_);
            while (owner* const o = ready.pop()) release_if_done(static_cast<task_header&>(*o));
            if (zombies_ != 0) until_injected.once();
        }
        events().shut_down();
    }

    /// Marks the calling thread as the one that runs this runtime's tasks.
    class driving {
    public:
        explicit driving(current_thread_core& core) noexcept
            : before_(execution::here()), entered_(exchange_current(&core)) {
            core.execution_.local = &core;
            execution::set(&core.execution_);
        }
        driving(const driving&) = delete;
        driving& operator=(const driving&) = delete;
        ~driving() {
            execution::set(before_);
            exchange_current(entered_);
        }

    private:
        execution* before_;
        runtime_core* entered_;
    };

    [[nodiscard]] bool is_driven_here() const noexcept { return execution::here() == &execution_; }

    void step() {
        if (--until_events_ == 0) [[unlikely]] {
            until_events_ = options().event_interval;
            look_at_events();
        }
        if (--until_injected_ == 0) [[unlikely]] {
            until_injected_ = options().global_queue_interval;
            drain_injected();
        }
        if (owner* const o = ready.pop()) [[likely]]
            run(static_cast<task_header&>(*o));
        else if (!drain_injected())
            sleep();
    }

    void run(task_header& t, std::uint32_t budget = owner::budget_per_turn) {
        if (zombies_ != 0 && release_if_done(t)) [[unlikely]]
            return;
        polls_.add();
        execution_.current = &t;
        if (t.run_turn(budget)) [[unlikely]]
            end(t);
        else if (t.has_taken())
            t.make_ready(*this);
        execution_.current = nullptr;
    }

    void look_at_events() noexcept {
        time().fire();
        events().poll();
        publish_counts();
    }
    /// What the ring counts by itself, for readers on other threads.
    void publish_counts() noexcept {
        local_schedules_.store(ready.pushed() - arrivals_, sync::memory_order_relaxed);
        local_depth_.store(ready.size(), sync::memory_order_relaxed);
    }

    void sleep() {
        if (options().on_thread_park) options().on_thread_park();  // it may spawn
        if (ready.empty() && !time().advance_to_next()) wait_for_events();
        if (options().on_thread_unpark) options().on_thread_unpark();
    }
    void wait_for_events() {
        auto const timeout = time().is_paused() ? std::nullopt : time().until_next();
        {
            scoped_lock guard(injection_lock_);
            if (injected_first_ != nullptr) return;
            if (stopping_.load(sync::memory_order_relaxed)) return;
            sleeping_ = true;
        }
        publish_counts();
        log_.park();
        events().park(timeout);
        log_.unpark();
        {
            scoped_lock guard(injection_lock_);
            sleeping_ = false;
        }
        time().fire();  // the park has taken the events
    }

    // -- tasks -----------------------------------------------------------------------------------

    void adopt(task_header& t) noexcept {
        t.live_prev = nullptr;
        t.live_next = live_;
        if (live_ != nullptr) live_->live_prev = &t;
        live_ = &t;
        t.adopted = true;
        ++live_count_;
    }

    /// Destroys what is left of a task, whether it has ended or not.
    void end(task_header& t) noexcept {
        owner* const outer = std::exchange(execution_.current, &t);
        (t.live_prev ? t.live_prev->live_next : live_) = t.live_next;
        if (t.live_next != nullptr) t.live_next->live_prev = t.live_prev;
        --live_count_;
        ended_.add();
        bool claimed = false;
        {
            wake_list wakes;
            claimed = t.finish(wakes);
        }
        forget_name(t);
        execution_.current = outer;
        // One reference for each place from which the task will still come up.
        zombies_ += std::size_t{claimed} + std::size_t{t.is_queued()};
        if (claimed && t.is_queued()) t.add_reference();
        if (!claimed && !t.is_queued()) t.release();
    }

    /// Lets go of a zombie that has come up.
    bool release_if_done(task_header& t) noexcept {
        if (!t.is_done()) return false;
        --zombies_;
        t.release();
        return true;
    }

    /// Ends a task that no thread will ever run.
    void drop(task_header& t) noexcept {
        wake_list wakes;
        static_cast<void>(t.finish(wakes));
        wakes.flush();
        t.release();
    }

    // -- injection -------------------------------------------------------------------------------

    void inject(owner& o) noexcept {  // with the lock held
        o.next_owner = nullptr;
        ++injections_;
        (injected_last_ ? injected_last_->next_owner : injected_first_) = &o;
        injected_last_ = &o;
        injected_hint_.store(true, sync::memory_order_relaxed);
        if (std::exchange(sleeping_, false)) events().unpark();
    }

    /// Takes in what other threads have sent. True: there was something.
    bool drain_injected() {
        if (!injected_hint_.load(sync::memory_order_relaxed)) return false;
        owner* first = nullptr;
        {
            scoped_lock guard(injection_lock_);
            first = std::exchange(injected_first_, nullptr);
            injected_last_ = nullptr;
            injected_hint_.store(false, sync::memory_order_relaxed);
        }
        const bool any = first != nullptr;
        while (first != nullptr) {
            auto& t = static_cast<task_header&>(*first);
            if (!t.adopted && !closing_) make_room_for(first);
            first = t.next_owner;
            t.collect(true);
            if (release_if_done(t)) continue;
            const bool is_new = !t.adopted;
            if (is_new) adopt(t);
            if (is_new && closing_) continue;  // it never runs
            if (!t.is_queued()) ++arrivals_;
            t.make_ready(*this);
        }
        return any;
    }
    /// For one more task in `ready`; where there is no memory, what is left of the list goes back.
    void make_room_for(owner* list) {
        WEIR_TRY {
            ready.reserve(live_count_ + 1);
        }
        WEIR_CATCH_ALL {
            owner* last = list;
            while (last->next_owner != nullptr) last = last->next_owner;
            scoped_lock guard(injection_lock_);
            last->next_owner = injected_first_;
            injected_first_ = list;
            if (injected_last_ == nullptr) injected_last_ = last;
            injected_hint_.store(true, sync::memory_order_relaxed);
            WEIR_RETHROW;
        }
    }

    /// The calling thread's turn to drive. Its root ends with it at the latest: what that awaits
    /// lies on the caller's stack.
    class turn_holder {
    public:
        turn_holder(current_thread_core& core, task_header& root) noexcept
            : core_(&core), root_(&root) {}
        turn_holder(const turn_holder&) = delete;
        turn_holder& operator=(const turn_holder&) = delete;
        ~turn_holder() {
            if (!root_->is_done()) core_->abandon(*root_);
            core_->turn_.pass_on();
        }

    private:
        current_thread_core* core_;
        task_header* root_;
    };

    void abandon(task_header& root) noexcept {
        if (!root.adopted) return root.abort();  // it has not begun
        driving here(*this);
        end(root);
    }

    execution execution_;
    task_header* live_ = nullptr;
    std::size_t live_count_ = 0;
    std::size_t zombies_ = 0;
    std::uint32_t until_events_ = 1;
    std::uint32_t until_injected_ = 1;
    std::uint64_t random_;
    bool closing_ = false;

    small_lock injection_lock_;
    owner* injected_first_ = nullptr;
    owner* injected_last_ = nullptr;
    sync::atomic<bool> injected_hint_{false};
    bool sleeping_ = false;
    bool closed_ = false;
    std::uint64_t injections_ = 0;
    std::uint64_t spawned_elsewhere_ = 0;

    driving_turn turn_;
    sync::atomic<bool> stopping_{false};

    // Of the driving thread.
    counter spawned_here_;
    counter ended_;
    counter polls_;
    std::uint64_t arrivals_ = 0;  // in `ready`, from elsewhere
    sync::atomic<std::uint64_t> local_schedules_{0};
    sync::atomic<std::size_t> local_depth_{0};
    wake_log log_;

    blocking_pool blocking_{*this};
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
