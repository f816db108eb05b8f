#pragma once
// The tasks of a local_set: a scheduler of their own, whose turns run inside of who drives the set.
//
// State    `ready` holds the tasks that have something to resume; `injected_` those that another
//          thread has claimed; `live_` all of them.
// Thread   everything but `schedule` belongs to the thread that has made the set.
// Drivers  whoever awaits the set. A driver that finds nothing to run waits in `idle_`, under the
//          lock, like a waiter in any primitive; who brings work wakes all of them. Each runs what
//          is there in the turn of its own owner, and a batch at most, so that others have a turn.
// Zombies  a task that ends while another thread has claimed it, or while it is queued, stays in
//          memory until it has come up; the destructor waits for all of them.

#include <pthread.h>

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <utility>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/runtime/runtime_core.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class local_tasks final : public local_scheduler {
public:
    local_tasks() noexcept : thread_(this_thread()) {}
    local_tasks(const local_tasks&) = delete;
    local_tasks& operator=(const local_tasks&) = delete;
    ~local_tasks() {
        if (live_ == nullptr && zombies_ == 0) return;
        check_thread("it was destroyed on another thread than the one that has made it");
        destroy_all();
    }

    // -- any thread ------------------------------------------------------------------------------

    void schedule(owner& o) noexcept override {
        wake_list wakes;
        scoped_lock guard(lock_);
        o.next_owner = nullptr;
        (injected_last_ ? injected_last_->next_owner : injected_first_) = &o;
        injected_last_ = &o;
        wake_drivers(wakes);
    }

    // -- the thread of the set -------------------------------------------------------------------

    runtime_core* runtime() noexcept override { return runtime_.get(); }
    std::uint64_t random() noexcept override { return outside_->random(); }
    void count_forced_yield() noexcept override { outside_->count_forced_yield(); }

    /// Throws on any other thread.
    void check_thread(const char* misuse) const {
        if (this_thread() != thread_) fail<std::logic_error>(misuse);
    }

    /// For make_spawned.
    task_header& make_task(std::coroutine_handle<> root, const task_type& type,
                           std::source_location site) {
        ready.reserve(live_count_ + zombies_ + 1);
        const task_id id = runtime_core::next_shared_id();
        return task_header::construct(root, type, *this, true, id, site);
    }
    void start(task_header& t) noexcept {
        adopt(t);
        if (closing_) return;  // destroy_all has it
        t.make_ready(*this);
        if (execution::here() == &execution_) return;  // whoever runs the turn looks again
        wake_list wakes;
        scoped_lock guard(lock_);
        wake_drivers(wakes);
    }
    /// Destroys a task that has not ended, outside of its turn.
    void drop(task_header& t) noexcept {
        if (t.is_done()) return;
        inside const here(*this);
        end(t);
    }
    [[nodiscard]] std::size_t size() const noexcept { return live_count_; }

    /// The set whose task or run_until runs here, or that this thread has entered; null: none.
    static local_tasks* current() noexcept { return slot::get(); }
    static local_tasks* exchange_current(local_tasks* s) noexcept {
        local_tasks* const before = slot::get();
        slot::set(s);
        return before;
    }

    class driver;

private:
    using slot = sync::thread_slot<local_tasks, struct current_local_tasks>;
    static constexpr int batch = 61;

    // Not inlined: a coroutine may be on another thread after a suspension.
    WEIR_NOINLINE static pthread_t this_thread() noexcept {
        asm volatile("");
        return ::pthread_self();
    }

    /// Marks the calling thread as the one that runs the tasks of this set.
    class inside {
    public:
        explicit inside(local_tasks& s) noexcept
            : before_(execution::here()), set_before_(exchange_current(&s)) {
            s.execution_.local = &s;
            s.execution_.around = before_;
            execution::set(&s.execution_);
        }
        inside(const inside&) = delete;
        inside& operator=(const inside&) = delete;
        ~inside() {
            exchange_current(set_before_);
            execution::set(before_);
        }

    private:
        execution* before_;
        local_tasks* set_before_;
    };

    void run_batch(scheduler& outside) {
        outside_ = &outside;
        inside const here(*this);
        drain_injected();
        for (int turns = 0; turns < batch; ++turns) {
            if (ready.empty()) return;
            run(static_cast<task_header&>(ready.pop()));
        }
    }
    void run(task_header& t) {
        if (release_if_done(t)) return;
        execution_.current = &t;
        if (t.run_turn())
            end(t);
        else if (t.has_taken())
            t.make_ready(*this);
        execution_.current = nullptr;
    }

    void adopt(task_header& t) noexcept {
        t.live_prev = nullptr;
        t.live_next = live_;
        if (live_ != nullptr) live_->live_prev = &t;
        live_ = &t;
        ++live_count_;
    }
    /// Destroys what is left of a task, whether it has ended or not.
    void end(task_header& t) noexcept {
        owner* const outer = std::exchange(execution_.current, &t);
        (t.live_prev ? t.live_prev->live_next : live_) = t.live_next;
        if (t.live_next != nullptr) t.live_next->live_prev = t.live_prev;
        --live_count_;
        bool claimed = false;
        {
            wake_list wakes;
            claimed = t.finish(wakes);
        }
        execution_.current = outer;
        // One reference for each place from which the task will still come up.
        zombies_ += std::size_t{claimed} + std::size_t{t.is_queued()};
        if (claimed && t.is_queued()) t.add_reference();
        if (!claimed && !t.is_queued()) t.release();
        if (live_ == nullptr) {
            wake_list wakes;
            scoped_lock guard(lock_);
            wake_drivers(wakes);  // who awaits the set
        }
    }
    /// Lets go of a zombie that has come up.
    bool release_if_done(task_header& t) noexcept {
        if (!t.is_done()) return false;
        --zombies_;
        t.release();
        return true;
    }

    /// Takes in what other threads have sent. True: there was something.
    bool drain_injected() noexcept {
        owner* first = nullptr;
        {
            scoped_lock guard(lock_);
            first = std::exchange(injected_first_, nullptr);
            injected_last_ = nullptr;
        }
        const bool any = first != nullptr;
        while (first != nullptr) {
            auto& t = static_cast<task_header&>(*first);
            first = t.next_owner;
            t.collect(true);
            if (!release_if_done(t)) t.make_ready(*this);
        }
        return any;
    }

    void destroy_all() noexcept {
        inside const here(*this);
        closing_ = true;
        sync::spin_wait until_injected;
        while (drain_injected() || live_ != nullptr || zombies_ != 0) {
            while (live_ != nullptr) end(*live_);
            while (!ready.empty()) release_if_done(static_cast<task_header&>(ready.pop()));
            if (zombies_ != 0) until_injected.once();
        }
    }

    void wake_drivers(wake_list& wakes) noexcept {  // with the lock held
        while (!idle_.empty()) wakes.wake(idle_.pop_front());
    }

    pthread_t thread_;
    execution execution_;
    std::shared_ptr<runtime_core> runtime_;  // timers and sockets of the tasks; kept for their ends
    scheduler* outside_ = nullptr;           // of the driver whose turn it is
    task_header* live_ = nullptr;
    std::size_t live_count_ = 0;
    std::size_t zombies_ = 0;
    bool closing_ = false;

    small_lock lock_;
    owner* injected_first_ = nullptr;
    owner* injected_last_ = nullptr;
    wait_list idle_;
};

/// Runs the tasks of a set on the turns of one owner, until it is destroyed.
class local_tasks::driver : private resume_hook<local_tasks::driver> {
public:
    /// `outside`: what the tasks draw random numbers from, with the runtime of their timers. When
    /// the set must be driven no more, `parent.completed(index)` is called: it is empty, where that
    /// is what is waited for, or `check` throws.
    driver(local_tasks& tasks, owner& o, scheduler& outside, bool until_empty,
           branch_parent& parent, std::size_t index)
        : tasks_(&tasks), bell_(o), outside_(&outside), until_empty_(until_empty), parent_(&parent),
          index_(index) {
        check();
        runtime_core* const runtime = outside.runtime();
        if (runtime == nullptr)
            fail<no_runtime_error>(
                "weir::local_set: its tasks run where a weir::task awaits the set, or inside of "
                "its block_on");
        if (tasks.runtime_ == nullptr)
            tasks.runtime_ = runtime->shared_from_this();
        else if (tasks.runtime_.get() != runtime)
            fail<std::logic_error>(
                "weir::local_set: a set stays with the runtime that has driven it first, which has "
                "its timers: make another set");
    }
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() {
        wake_list wakes;
        scoped_lock guard(tasks_->lock_);
        if (bell_.state == wait_node::phase::waiting)
            tasks_->idle_.erase(bell_);
        else if (bell_.state != wait_node::phase::idle)
            bell_.who->retract(bell_);
        if (has_work()) tasks_->wake_drivers(wakes);
    }

    [[nodiscard]] bool is_over() const noexcept { return until_empty_ && tasks_->size() == 0; }

    /// On the owner's turn.
    void begin() noexcept {
        bell_.handle = resume_hook<driver>::handle();
        if (is_over()) return bell_.who->resume_next_turn(bell_);
        {
            scoped_lock guard(tasks_->lock_);
            if (!has_work()) {
                bell_.state = wait_node::phase::waiting;
                tasks_->idle_.push_back(bell_);
                return;
            }
        }
        bell_.who->resume_next_turn(bell_);
    }

    /// Throws where the set cannot be driven here.
    void check() const {
        tasks_->check_thread(
            "weir::local_set: driven on another thread than the one that has made it: its tasks "
            "stay there");
        execution* const here = execution::here();
        if (here == &tasks_->execution_)
            fail<std::logic_error>(
                "weir::local_set: awaited by one of its own tasks: who drives it is outside of it");
        if (here != nullptr && here->pool != nullptr)
            fail<std::logic_error>(
                "weir::local_set: awaited by a task of a multi_thread_runtime, which moves between "
                "its threads: call set.block_on(runtime, ...) on a thread of your own, or in "
                "spawn_blocking");
    }

private:
    friend class resume_hook<driver>;

    [[nodiscard]] bool has_work() const noexcept {  // with the lock held
        return !tasks_->ready.empty() || tasks_->injected_first_ != nullptr;
    }
    void resumed() noexcept {
        if (tasks_->this_thread() != tasks_->thread_) return parent_->completed(index_);
        tasks_->run_batch(*outside_);
        if (is_over())
            parent_->completed(index_);
        else
            begin();
    }

    local_tasks* tasks_;
    wait_node bell_;
    scheduler* outside_;
    bool until_empty_;
    branch_parent* parent_;
    std::size_t index_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
