#pragma once
// Whether a cell is filled, who fills it and who waits: once_cell and set_once, without the data.
//
// State     empty -> busy (one filler) -> filled, for good; a filler that gives up goes back to
//           empty or hands its turn to the oldest waiter, in one step
// Filled    is read without the lock: a release publishes the value, which was written before it
// A waiter  is woken either by the cell being filled, or with the grant to fill it

#include <coroutine>
#include <cstdint>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/small_lock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class fill_state {
public:
    enum class claim : std::uint8_t {
        mine,  // the caller fills the cell: `complete` or `give_up` follows
        busy,
        filled,
    };

    constexpr explicit fill_state(bool filled = false) noexcept : filled_(filled) {}
    fill_state(const fill_state&) = delete;
    fill_state& operator=(const fill_state&) = delete;

    class waiter : public leaf_awaiter {
    public:
        waiter(fill_state& s, owner& o) noexcept : leaf_awaiter(o, wait_kind::cell_filled), state_(&s) {}
        ~waiter() {
            if (is_suspended()) state_->cancel(*this);
        }

    protected:
        /// Begins to fill the cell; queues where somebody else does.
        [[nodiscard]] claim begin_or_wait() noexcept {
            scoped_lock guard(state_->lock_);
            const claim c = state_->begin();
            if (c == claim::busy) enqueue_in(state_->waiters_);
            return c;
        }
        /// Queues until the cell is filled. False: it is.
        [[nodiscard]] bool wait_for_filled() noexcept {
            scoped_lock guard(state_->lock_);
            if (state_->is_filled()) return false;
            enqueue_in(state_->waiters_);
            return true;
        }
        [[nodiscard]] fill_state& cell() const noexcept { return *state_; }

    private:
        fill_state* state_;
    };

    [[nodiscard]] bool is_filled() const noexcept {
        return filled_.load(sync::memory_order_acquire);  // from complete
    }
    [[nodiscard]] claim begin_filling() noexcept {
        scoped_lock guard(lock_);
        return begin();
    }
    /// The value has been made: wakes everybody.
    void complete() noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        busy_ = false;
        filled_.store(true, sync::memory_order_release);  // to is_filled
        while (!waiters_.empty()) wakes.wake(waiters_.pop_front());
    }
    /// No value has been made: the oldest waiter's turn, if waiters fill the cell themselves.
    void give_up(bool waiters_fill) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        busy_ = false;
        if (waiters_fill) grant_next(wakes);
    }
    /// Empties a filled cell, for a caller who has it to itself.
    void reset() noexcept { filled_.store(false, sync::memory_order_relaxed); }

private:
    [[nodiscard]] claim begin() noexcept {
        if (is_filled()) return claim::filled;
        return std::exchange(busy_, true) ? claim::busy : claim::mine;
    }
    void grant_next(wake_list& wakes) noexcept {
        if (waiters_.empty()) return;
        busy_ = true;
        wait_node& next = waiters_.pop_front();
        next.granted = true;
        wakes.wake(next);
    }
    void cancel(waiter& w) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (w.state == wait_node::phase::waiting)
            waiters_.erase(w);
        else if (w.state != wait_node::phase::idle)
            w.who->retract(w);
        w.state = wait_node::phase::idle;
        // A grant in a filled cell is no turn, but a completion put off for want of budget.
        if (!std::exchange(w.granted, false) || is_filled()) return;
        busy_ = false;
        grant_next(wakes);
    }

    sync::atomic<bool> filled_;
    small_lock lock_;
    bool busy_ = false;
    wait_list waiters_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
