#pragma once
// The mailbox protocol: how a woken operation reaches the task, thread or coroutine that waits.
//
// State    mailbox word: `parked` | 0 (about to run, or running) | newest posted node,
//          each with the bit `abort_bit`
// Post     under the primitive's lock: unlink the node, record the grant, push it here. Whoever
//          finds `parked` takes it out of the word and must schedule the owner after unlocking.
// Turn     the owner's scheduler collects the mailbox into `taken_` and resumes each node in the
//          order of their posting. Only one thread at a time has the turn.
// Local    an owner whose scheduler is driven by the posting thread is never resumed elsewhere:
//          its nodes go straight into `taken_`, without an atomic operation.
// Worker   a worker that finds a parked owner of its own pool has the turn until it has queued the
//          owner: it takes the parked bit out, and the node goes straight into `taken_` too.
// Cancel   only on the owner's turn, by destroying the awaiter. Its destructor takes the
//          primitive's lock: still waiting, it unlinks itself; already granted, it retracts the
//          node and passes the grant on. No other thread holds a pointer to the node by then,
//          because posting happens under that lock.
// Ordering each push releases what its waker wrote, each collect acquires it. Parking releases the
//          owner, with its link `next_owner`, to the push that claims it.

#include <coroutine>
#include <cstdint>
#include <utility>

#include <weir/detail/core/inline_turns.hpp>
#include <weir/detail/core/observed.hpp>
#include <weir/detail/core/ready_ring.hpp>
#include <weir/detail/core/sync.hpp>
#include <weir/detail/core/wait_node.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class runtime_core;

/// Brings an owner, whose mailbox was just claimed, to where it runs.
class scheduler {
public:
    /// Any thread; never resumes a weir task inline.
    virtual void schedule(owner& o) noexcept = 0;

    /// The runtime behind it, with its clock and its sockets; null where an owner has none.
    virtual runtime_core* runtime() noexcept { return nullptr; }

    /// The next number of the runtime's seeded sequence. Called on an owner's turn.
    virtual std::uint64_t random() noexcept { return 0; }

    /// A ready operation waits for the next turn, since the budget of this one is used up.
    virtual void count_forced_yield() noexcept {}

protected:
    ~scheduler() = default;
};

/// A scheduler whose owners all run on the one thread that drives it.
class local_scheduler : public scheduler {
public:
    /// Owners with something to resume. Its thread only; each owner is in it at most once.
    ready_ring<owner> ready;

protected:
    ~local_scheduler() = default;
};

/// What the calling thread is doing for a runtime, reached through one thread-local pointer.
struct execution {
    local_scheduler* local = nullptr;  // what this thread drives, if its owners run here alone
    scheduler* pool = nullptr;         // what this thread is a worker of
    published<owner*> current{nullptr};  // whose turn it is
    execution* around = nullptr;         // what it does beside, where a turn runs inside of another one
    bool may_block = false;            // for a function that was given a thread to block

    /// Null on a thread that is not running tasks.
    static execution* here() noexcept { return slot::get(); }
    static execution* here_in_leaf() noexcept { return slot::get_in_leaf(); }
    /// Whether the calling thread runs tasks, which blocking it would stop.
    static bool must_not_block() noexcept {
        execution* const e = here();
        return e != nullptr && !e->may_block;
    }
    static void set(execution* e) noexcept { slot::set(e); }

private:
    using slot = sync::thread_slot<execution, struct current_execution>;
};

/// Who waits: a task, or a thread or foreign coroutine that stands in for one.
class owner {
public:
    static constexpr std::uint32_t budget_per_turn = 128;
    static constexpr std::uint32_t unlimited = UINT32_MAX;

    explicit owner(scheduler& home, bool parked) noexcept
        : home_(&home), mailbox_(parked ? parked_bit : 0) {}
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;

    [[nodiscard]] scheduler& home() const noexcept { return *home_; }

    // -- any thread ------------------------------------------------------------------------------

    /// Hands a woken node over. The caller holds the lock of the primitive that the node waited in,
    /// and schedules the owner that is returned, if any, after giving that lock back.
    [[nodiscard]] WEIR_NOINLINE static owner* post(wait_node& n) noexcept {
        owner& o = *n.who;
        if (execution* const here = execution::here_in_leaf()) {
            if (here->local == o.home_) {
                o.take(n);
                o.make_ready(*here->local);
                return nullptr;
            }
            if (here->pool == o.home_ && o.claim()) {
                o.take(n);  // the turn is this thread's, until it has scheduled the owner
                return &o;
            }
        }
        n.state = wait_node::phase::posted;
        std::uintptr_t seen = o.mailbox_.load(sync::memory_order_relaxed);
        std::uintptr_t mine = 0;
        do {
            n.next = pointer(seen);
            mine = reinterpret_cast<std::uintptr_t>(&n) | (seen & abort_bit);
        } while (!o.mailbox_.compare_exchange_weak(seen, mine,
                                                   sync::memory_order_acq_rel,  // collect; try_park
                                                   sync::memory_order_relaxed));
        return (seen & parked_bit) ? &o : nullptr;
    }

    /// Asks for cancellation on the owner's next turn. True: the caller must schedule the owner.
    [[nodiscard]] bool post_abort() noexcept {
        if (execution* const here = execution::here(); here && here->local == home_) {
            ends_ |= aborted;
            make_ready(*here->local);
            return false;
        }
        std::uintptr_t seen = mailbox_.load(sync::memory_order_relaxed);
        while (!mailbox_.compare_exchange_weak(seen, (seen & ~parked_bit) | abort_bit,
                                               sync::memory_order_acq_rel,  // collect; try_park
                                               sync::memory_order_relaxed)) {
        }
        return (seen & parked_bit) != 0;
    }


    /// Whether somebody has claimed the owner in order to schedule it, or its turn is running.
    [[nodiscard]] bool claimed() const noexcept {
        return (mailbox_.load(sync::memory_order_relaxed) & parked_bit) == 0;  // collect acquires
    }

    /// Takes the turn of an owner that is parked, to look at it: as if it had been woken, so that who
    /// took the turn parks the owner again or schedules it.
    [[nodiscard]] bool borrow_turn() noexcept { return claim(); }

    // -- the owner's turn ------------------------------------------------------------------------

    /// Whether something was posted since the last collect, or the owner is parked.
    [[nodiscard]] bool has_mail() const noexcept {
        return mailbox_.load(sync::memory_order_relaxed) != 0;
    }

    /// Moves what was posted into the list of nodes to resume. `then_parked`: in the same step the
    /// next post claims the owner again.
    void collect(bool then_parked) noexcept {
        const std::uintptr_t seen = mailbox_.exchange(then_parked ? parked_bit : 0,
                                                      sync::memory_order_acq_rel);  // from post
        if (seen & abort_bit) ends_ |= aborted;
        wait_node* oldest = nullptr;
        for (wait_node* n = pointer(seen); n != nullptr;) {
            wait_node* const older = n->next;
            n->next = oldest;
            oldest = n;
            n = older;
        }
        while (oldest != nullptr) {
            wait_node* const newer = oldest->next;
            take(*oldest);
            oldest = newer;
        }
    }

    /// Gives the turn up if nothing was posted since the last collect.
    [[nodiscard]] bool try_park() noexcept {
        std::uintptr_t expected = 0;
        return mailbox_.compare_exchange_strong(expected, parked_bit,
                                                sync::memory_order_release,  // to post, then collect
                                                sync::memory_order_relaxed);
    }

    /// Takes a granted node out again, wherever it is on its way to its resumption.
    void retract(wait_node& n) noexcept {
        if (n.state == wait_node::phase::posted) collect(false);
        taken_.erase(n);
        n.state = wait_node::phase::idle;
    }

    /// The oldest node that was collected, for an owner that is no coroutine; null: none is left.
    [[nodiscard]] wait_node* pop_taken() noexcept {
        if (taken_.empty()) return nullptr;
        wait_node& n = taken_.pop_front();
        n.state = wait_node::phase::idle;
        return &n;
    }

    /// Resumes the nodes that were there when the turn began, oldest first, until `stop`.
    template <class Stop>
    void resume_taken(Stop stop) {
        if (wait_node* const only = taken_.pop_only()) [[likely]]
            return resume(*only);  // and what is taken meanwhile is the next turn's
        const wait_node::phase of_this_turn = taken_as_;
        taken_as_ = wait_node::other(of_this_turn);
        while (!taken_.empty() && taken_.front()->state == of_this_turn) {
            resume(taken_.pop_front());
            if (stop()) return;
        }
    }

    /// Resumes `h` and every coroutine that it hands the turn to.
    void drive(std::coroutine_handle<> h) {
        do {
            h.resume();
            h = take_transfer();
        } while (h);
    }

    /// Lets `h` go on as soon as the running coroutine has suspended: a transfer that costs no
    /// stack whatever the compiler makes of a tail call.
    void transfer(std::coroutine_handle<> h) noexcept { next_ = h; }
    [[nodiscard]] std::coroutine_handle<> take_transfer() noexcept {
        std::coroutine_handle<> const h = next_;
        if (h) next_ = nullptr;
        return h;
    }

    /// Resumes `n` in the owner's next turn: whoever ends this one looks at `has_taken`.
    void resume_next_turn(wait_node& n) noexcept { take(n); }
    [[nodiscard]] bool has_taken() const noexcept { return !taken_.empty(); }
    /// Whether the turn that is running will resume the node.
    [[nodiscard]] bool is_due(const wait_node& n) const noexcept {
        return n.state == wait_node::other(taken_as_);
    }
    /// Makes it the next that this turn resumes, in a turn in which another one is due.
    void resume_first(wait_node& n) noexcept {
        if (n.state > wait_node::phase::posted) taken_.erase(n);
        n.state = wait_node::other(taken_as_);
        taken_.push_front(n);
    }
    /// Whether an abort has been asked for, by this turn or from elsewhere.
    [[nodiscard]] bool abort_requested() const noexcept {
        return (ends_ & aborted) != 0 ||
               (mailbox_.load(sync::memory_order_acquire) & abort_bit) != 0;  // from post_abort
    }

    /// Puts the owner into its local scheduler's queue unless it is there already.
    void make_ready(local_scheduler& s) noexcept {
        if (queued_) return;
        queued_ = true;
        s.ready.push(this);
    }
    [[nodiscard]] bool is_queued() const noexcept { return queued_; }
    void begin_turn(std::uint32_t budget) noexcept {
        queued_ = false;
        // Whoever has used the last budget up comes last now: branches take turns in being first.
        if (budget_ == 0) [[unlikely]] taken_.rotate();
        budget_ = budget;
    }

    // -- cooperative budget: ready operations that may still complete in this turn ----------------

    [[nodiscard]] bool has_budget() const noexcept { return budget_ != 0; }
    void spend_budget() noexcept { --budget_; }
    // A task that waits has no use for it, and keeps there since when it waits; 0 stays what it says.
    void set_idle_since(std::uint32_t ms) noexcept {
        if (budget_ != 0) budget_ = ms | 1;
    }
    /// In milliseconds of the runtime's coarse clock, but for the lowest bit; 0: not known.
    [[nodiscard]] std::uint32_t idle_since() const noexcept { return budget_; }
    std::uint32_t exchange_budget(std::uint32_t b) noexcept { return std::exchange(budget_, b); }

    // -- whether code of this turn holds a tracked_mutex, and so must not suspend ------------------

    [[nodiscard]] bool holds_thread_lock() const noexcept { return holds_thread_lock_; }
    void set_holds_thread_lock(bool holds) noexcept { holds_thread_lock_ = holds; }

    // -- whether the coroutine that the owner began with has ended; a task's ----------------------

    [[nodiscard]] bool root_finished() const noexcept { return (ends_ & finished) != 0; }
    void set_root_finished() noexcept { ends_ |= finished; }
    void set_ended() noexcept { ends_ |= aborted; }
    /// Whether it has, or is not to go on: an abort counts once it has been collected.
    [[nodiscard]] bool is_ending() const noexcept { return ends_ != 0; }

    /// Link of the list in which a claimed owner travels to its scheduler.
    owner* next_owner = nullptr;

private:
    static constexpr std::uint8_t finished = 1;  // of ends_
    static constexpr std::uint8_t aborted = 2;
    static constexpr std::uintptr_t parked_bit = 1;
    static constexpr std::uintptr_t abort_bit = 2;
    static_assert(alignof(wait_node) > (parked_bit | abort_bit));

    static wait_node* pointer(std::uintptr_t word) noexcept {
        return reinterpret_cast<wait_node*>(word & ~(parked_bit | abort_bit));
    }

    /// Takes the owner out of its parked state, without a node.
    [[nodiscard]] bool claim() noexcept {
        std::uintptr_t expected = parked_bit;
        return mailbox_.load(sync::memory_order_relaxed) == parked_bit &&
               mailbox_.compare_exchange_strong(expected, 0, sync::memory_order_acquire,  // try_park
                                                sync::memory_order_relaxed);
    }
    void take(wait_node& n) noexcept {
        n.state = taken_as_;
        taken_.push_back(n);
    }
    void resume(wait_node& n) {
        n.state = wait_node::phase::idle;
        drive(std::exchange(n.handle, nullptr));
    }

    scheduler* home_;
    sync::atomic<std::uintptr_t> mailbox_;
    wait_ring taken_;
    std::coroutine_handle<> next_;
    std::uint32_t budget_ = budget_per_turn;
    bool queued_ = false;
    wait_node::phase taken_as_ = wait_node::phase::taken;
    std::uint8_t ends_ = 0;
    bool holds_thread_lock_ = false;
};

/// Owners claimed under a lock, to be scheduled when it has been given back: declared before the
/// lock's guard, it does so on leaving the scope.
class wake_list {
public:
    wake_list() = default;
    wake_list(const wake_list&) = delete;
    wake_list& operator=(const wake_list&) = delete;
    ~wake_list() { flush(); }

    /// Wakes a node that was taken out of its primitive's list; under that primitive's lock.
    void wake(wait_node& n) noexcept {
        if (owner* const o = owner::post(n)) {
            o->next_owner = nullptr;
            (last_ ? last_->next_owner : first_) = o;
            last_ = o;
        }
    }

    WEIR_ALWAYS_INLINE void flush() noexcept {
        if (first_ != nullptr) schedule_all();
    }

private:
    void schedule_first() noexcept {
        owner* const o = std::exchange(first_, first_->next_owner);
        o->home().schedule(*o);
    }
    WEIR_NOINLINE void schedule_all() noexcept {
        if (first_ == last_)
            schedule_first();
        else
            inline_turns::run_after([this] {
                while (first_ != nullptr) schedule_first();
            });
        last_ = nullptr;
    }

    owner* first_ = nullptr;
    owner* last_ = nullptr;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
