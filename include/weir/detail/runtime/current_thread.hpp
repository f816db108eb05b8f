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

#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>
#include <vector>

#include <weir/detail/core/standalone.hpp>
#include <weir/detail/runtime/blocking_pool.hpp>
#include <weir/detail/runtime/driving_turn.hpp>
#include <weir/detail/runtime/runtime_core.hpp>
#include <weir/detail/runtime/watchdog.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class current_thread_core : public runtime_core, public local_scheduler {
public:
    explicit current_thread_core(runtime_options options)
        : runtime_core(std::move(options)), random_(mixed_seed(this->options().rng_seed)),
          is_watched_(watchdog::is_wanted(this->options())) {
        watchdog_.start();
    }
    ~current_thread_core() override { shut_down({}, nullptr); }

    // -- any thread ------------------------------------------------------------------------------

    void schedule(owner& o) noexcept override {
        scoped_lock guard(injection_lock_);
        inject(o);
    }

    WEIR_NOINLINE task_header& make_task(std::coroutine_handle<> root, const task_type& type,
                                         std::source_location site) override {
        if (!is_driven_by_caller()) [[unlikely]]
            return make_task_from_elsewhere(root, type, site);
        ready.reserve(live_count_ + zombies_ + 1);
        return task_header::construct(root, type, *this, true, next_id(), site);
    }

    WEIR_NOINLINE void start(task_header& t) noexcept override {
        if (!is_driven_by_caller()) [[unlikely]]
            return start_from_elsewhere(t);
        if (closing_) [[unlikely]]
            return drop(t);
        adopt(t);
        spawned_here_.add();
        t.make_ready(*this);
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
        worker.polls = polls_.load(sync::memory_order_relaxed);
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

    /// The driving thread shows the tasks between two turns, or the caller where nobody drives.
    bool inspect(task_inspector& to) override {
        if (is_driven_here()) return show_tasks(to), true;
        inspection mine{.to = &to};
        ask_for(mine);
        const auto give_up = sync::now() + inspection_patience;
        for (;;) {
            if (turn_.try_take()) {
                {
                    driving here(*this);
                    drain_injected();
                }
                turn_.pass_on();
            }
            mine.done.park_for(std::chrono::milliseconds(5));
            scoped_lock guard(injection_lock_);
            if (mine.at == inspection::phase::answered) break;
            if (mine.at == inspection::phase::asked && sync::now() >= give_up) {
                withdraw(mine);
                break;
            }
        }
        if (mine.at == inspection::phase::asked) {
            show_names(to);
            return false;
        }
        if (mine.failure) std::rethrow_exception(mine.failure);
        return true;
    }

    [[nodiscard]] std::size_t turn_sources() const noexcept override { return 1; }
    [[nodiscard]] turn_glimpse glimpse(std::size_t) const noexcept override {
        return {watched_turns_.value(), execution_.current};
    }
    [[nodiscard]] std::optional<busy_task> find_live(const owner* task) noexcept override {
        live_guard const guard(*this);
        for (const task_header* t = live_; t != nullptr && is_watched_; t = t->live_next)
            if (t == task) return busy_task{t, t->id(), t->site(), task_kind::task, true};
        return std::nullopt;
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
            while (!root.is_done() && !is_stopping()) run_some();
            if (!root.is_done()) destroy_tasks();
            publish_counts();
            log_.end();
        }
    }

    [[nodiscard]] bool may_end_here() const noexcept override {
        const execution* here = execution::here();
        while (here != nullptr && here != &execution_) here = here->around;
        return here == nullptr;
    }
    void stop() noexcept override {
        blocking_.close();
        stopping_.store(true, sync::memory_order_relaxed);
        scoped_lock guard(injection_lock_);
        if (std::exchange(sleeping_, false)) events().unpark();
    }

    bool shut_down(thread_group::deadline until, shutdown_report* report) noexcept override {
        if (shut_down_.exchange(true, sync::memory_order_relaxed)) return true;  // tells no more
        watchdog_.stop();
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
            release_ready();
            if (zombies_ != 0) until_injected.once();
        }
        events().shut_down();
    }

    /// Lets go of all that was queued and has ended since.
    void release_ready() noexcept {
        popped_zombies_ += ready.size();
        while (!ready.empty()) release_if_done(static_cast<task_header&>(ready.pop()));
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

    std::uint32_t coarse_now_ = 0;  // as of the last look at the events

    [[nodiscard]] bool is_driven_here() const noexcept { return execution::here() == &execution_; }
    /// The same, for a function that is itself WEIR_NOINLINE.
    [[nodiscard]] bool is_driven_by_caller() const noexcept {
        return execution::here_in_leaf() == &execution_;
    }

    /// Runs tasks until one of them ends, or there is something else to look at.
    void run_some() {
        bool goes_on = true;
        while (goes_on && ready.popped() < next_look_) {
            if (ready.empty()) [[unlikely]] {
                if (!drain_injected()) sleep();
                return;
            }
            goes_on = run(static_cast<task_header&>(ready.pop()));
        }
        if (ready.popped() >= next_look_) look_around();
    }

    /// One turn. False: that was its last, or it had ended before.
    bool run(task_header& t, std::uint32_t budget = owner::budget_per_turn) {
        if (is_watched_) [[unlikely]]
            watched_turns_.add();
        execution_.current = &t;
        const bool ended = t.run_turn(budget);
        if (ended) [[unlikely]]
            end_or_release(t);
        else if (t.has_taken())
            t.make_ready(*this);
        else
            note_idle(t);
        execution_.current = nullptr;
        return !ended;
    }
    WEIR_NOINLINE void end_or_release(task_header& t) noexcept {
        if (release_if_done(t))
            ++popped_zombies_;
        else
            end(t);
    }

    void note_time() noexcept {
#if WEIR_INSPECT
        coarse_now_ = sync::coarse_now_ms();
#endif
    }
    /// A turn has ended, and nothing is left to resume.
    void note_idle([[maybe_unused]] task_header& t) noexcept {
#if WEIR_INSPECT
        t.set_idle_since(coarse_now_);
#endif
    }
    /// At what has happened outside of this thread's tasks, each at its interval.
    void look_around() {
        const std::size_t turns = ready.popped();
        if (turns >= next_events_) {
            next_events_ = turns + options().event_interval;
            look_at_events();
        }
        if (turns >= next_injected_) {
            next_injected_ = turns + options().global_queue_interval;
            drain_injected();
        }
        next_look_ = std::min(next_events_, next_injected_);
    }
    void look_at_events() noexcept {
        note_time();
        time().fire();
        events().poll();
        publish_counts();
    }
    /// What the ring counts by itself, for readers on other threads.
    void publish_counts() noexcept {
        polls_.store(ready.popped() - popped_zombies_, sync::memory_order_relaxed);
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
            if (injected_first_ != nullptr || inspections_ != nullptr) return;
            if (stopping_.load(sync::memory_order_relaxed)) return;
            sleeping_ = true;
        }
        publish_counts();
        log_.park();
        events().park(timeout);
        log_.unpark();
        note_time();
        {
            scoped_lock guard(injection_lock_);
            sleeping_ = false;
        }
        time().fire();  // the park has taken the events
    }

    /// Where a watchdog may look at the list of tasks, a lock guards it.
    class live_guard {
    public:
        explicit live_guard(current_thread_core& core) noexcept
            : lock_(core.is_watched_ ? &core.live_lock_ : nullptr) {
            if (lock_ != nullptr) [[unlikely]]
                lock_->lock();
        }
        live_guard(const live_guard&) = delete;
        live_guard& operator=(const live_guard&) = delete;
        ~live_guard() {
            if (lock_ != nullptr) [[unlikely]]
                lock_->unlock();
        }

    private:
        small_lock* lock_;
    };

    // -- tasks -----------------------------------------------------------------------------------

    void adopt(task_header& t) noexcept {
        live_guard const guard(*this);
        t.live_prev = nullptr;
        t.live_next = live_;
        if (live_ != nullptr) live_->live_prev = &t;
        live_ = &t;
        t.set_adopted();
        ++live_count_;
    }

    WEIR_NOINLINE task_header& make_task_from_elsewhere(std::coroutine_handle<> root,
                                                       const task_type& type,
                                                       std::source_location site) {
        return task_header::construct(root, type, *this, false, next_shared_id(), site);
    }
    WEIR_NOINLINE void start_from_elsewhere(task_header& t) noexcept {
        {
            scoped_lock guard(injection_lock_);
            if (!closed_) {
                ++spawned_elsewhere_;
                return inject(t);
            }
        }
        drop(t);
    }

    /// Destroys what is left of a task, whether it has ended or not.
    void end(task_header& t) noexcept {
        owner* const outer = execution_.current;
        execution_.current = &t;
        {
            live_guard const guard(*this);
            (t.live_prev ? t.live_prev->live_next : live_) = t.live_next;
            if (t.live_next != nullptr) t.live_next->live_prev = t.live_prev;
        }
        --live_count_;
        ended_.add();
        bool claimed = false;
        {
            wake_list wakes;
            claimed = t.finish(wakes);
        }
        forget_name(t);
        execution_.current = outer;
        if (claimed || t.is_queued()) [[unlikely]]
            become_zombie(t, claimed);
        else
            t.release();
    }
    /// With one reference for each place from which the task will still come up.
    WEIR_NOINLINE void become_zombie(task_header& t, bool claimed) noexcept {
        zombies_ += std::size_t{claimed} + std::size_t{t.is_queued()};
        if (claimed && t.is_queued()) t.add_reference();
    }

    /// Lets go of a zombie that has come up.
    bool release_if_done(task_header& t) noexcept {
        if (!t.is_done()) return false;
        --zombies_;
        t.release();
        return true;
    }

    /// Ends a task that no thread will ever run.
    WEIR_NOINLINE void drop(task_header& t) noexcept {
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
        inspection* asked = nullptr;
        {
            scoped_lock guard(injection_lock_);
            first = std::exchange(injected_first_, nullptr);
            injected_last_ = nullptr;
            injected_hint_.store(false, sync::memory_order_relaxed);
            asked = take_inspections();
        }
        const bool any = first != nullptr;
        while (first != nullptr) {
            auto& t = static_cast<task_header&>(*first);
            if (!t.is_adopted() && !closing_) make_room_for(first);
            first = t.next_owner;
            t.collect(true);
            if (release_if_done(t)) continue;
            const bool is_new = !t.is_adopted();
            if (is_new) adopt(t);
            if (is_new && closing_) continue;  // it never runs
            if (!t.is_queued()) ++arrivals_;
            t.make_ready(*this);
        }
        if (asked != nullptr) [[unlikely]]
            answer(asked);
        return any;
    }
    /// For one more task in `ready`; where there is no memory, what is left of the list goes back.
    void make_room_for(owner* list) {
        WEIR_TRY {
            ready.reserve(live_count_ + zombies_ + 1);
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

    // -- dumps -----------------------------------------------------------------------------------

    /// What another thread wants to see; it waits on its stack. Under the injection lock.
    struct inspection {
        enum class phase : std::uint8_t { asked, running, answered };

        task_inspector* to;
        std::exception_ptr failure{};
        inspection* next = nullptr;
        phase at = phase::asked;
        sync::parker done{};
    };
    static constexpr std::chrono::milliseconds inspection_patience{500};

    void ask_for(inspection& i) noexcept {
        scoped_lock guard(injection_lock_);
        i.next = inspections_;
        inspections_ = &i;
        injected_hint_.store(true, sync::memory_order_relaxed);
        if (std::exchange(sleeping_, false)) events().unpark();
    }
    void withdraw(inspection& i) noexcept {  // with the lock held
        inspection** at = &inspections_;
        while (*at != &i) at = &(*at)->next;
        *at = i.next;
    }
    inspection* take_inspections() noexcept {  // with the lock held
        for (inspection* i = inspections_; i != nullptr; i = i->next)
            i->at = inspection::phase::running;
        return std::exchange(inspections_, nullptr);
    }
    WEIR_COLD void answer(inspection* list) noexcept {
        while (list != nullptr) {
            inspection& i = *list;
            list = i.next;
            WEIR_TRY {
                show_tasks(*i.to);
            }
            WEIR_CATCH_ALL { i.failure = std::current_exception(); }
            scoped_lock guard(injection_lock_);
            i.at = inspection::phase::answered;
            i.done.unpark();  // under the lock: then it goes
        }
    }
    /// Where the driving thread does not answer: who there is, if a lock guards that.
    void show_names(task_inspector& to) {
        std::vector<busy_task> tasks;
        if (is_watched_) {
            for (std::size_t room = 64;; room *= 2) {
                tasks.clear();
                tasks.reserve(room);
                live_guard const guard(*this);
                const task_header* t = live_;
                for (; t != nullptr && tasks.size() < room; t = t->live_next)
                    tasks.push_back({t, t->id(), t->site(), task_kind::task, t == execution_.current});
                if (t == nullptr) break;
            }
        }
        for (const busy_task& t : tasks) to.busy(t);
        blocking_.inspect(to);
    }
    void show_tasks(task_inspector& to) {
        for (task_header* t = live_; t != nullptr; t = t->live_next) {
            if (t == execution_.current)
                to.busy({t, t->id(), t->site(), task_kind::task, true});
            else
                to.suspended(*t, t->is_queued());
        }
        blocking_.inspect(to);
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
        if (!root.is_adopted()) return root.abort();  // it has not begun
        driving here(*this);
        end(root);
    }

    execution execution_;
    task_header* live_ = nullptr;
    std::size_t live_count_ = 0;
    std::size_t zombies_ = 0;
    // At how many turns, as `ready` counts them, to look there again; next_look_ is the earlier.
    std::size_t next_events_ = 0;
    std::size_t next_injected_ = 0;
    std::size_t next_look_ = 0;
    std::uint64_t random_;
    bool closing_ = false;
    const bool is_watched_;
    small_lock live_lock_;
    counter watched_turns_;

    small_lock injection_lock_;
    owner* injected_first_ = nullptr;
    owner* injected_last_ = nullptr;
    sync::atomic<bool> injected_hint_{false};
    bool sleeping_ = false;
    bool closed_ = false;
    inspection* inspections_ = nullptr;
    std::uint64_t injections_ = 0;
    std::uint64_t spawned_elsewhere_ = 0;

    driving_turn turn_;
    sync::atomic<bool> stopping_{false};

    // Of the driving thread.
    counter spawned_here_;
    counter ended_;
    std::uint64_t arrivals_ = 0;        // in `ready`, from elsewhere
    std::uint64_t popped_zombies_ = 0;  // from `ready`
    sync::atomic<std::uint64_t> polls_{0};
    sync::atomic<std::uint64_t> local_schedules_{0};
    sync::atomic<std::size_t> local_depth_{0};
    wake_log log_;

    blocking_pool blocking_{*this};
    watchdog watchdog_{*this};
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
