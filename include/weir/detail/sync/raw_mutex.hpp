#pragma once
// The queue of weir::mutex, without the data.

#include <coroutine>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/lock_holder.hpp>
#include <weir/detail/core/small_lock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Strict first in first out with hand-over: an unlock with somebody waiting leaves the mutex held,
/// by the oldest waiter. One who was granted the lock and is destroyed before it goes on passes the
/// lock on.
class raw_mutex {
public:
    raw_mutex() = default;
    raw_mutex(const raw_mutex&) = delete;
    raw_mutex& operator=(const raw_mutex&) = delete;

    [[nodiscard]] bool try_lock() noexcept {
        scoped_lock guard(lock_);
        if (std::exchange(held_, true)) return false;
        holder_.set_here();
        return true;
    }
    void unlock() noexcept {
        lock_.lock();
        if (waiters_.empty()) [[likely]] {
            held_ = false;
            lock_.unlock();
        } else {
            hand_over();
        }
    }

    /// Waits for the lock. What derives from it takes the lock over by `take_grant`.
    class waiter : public leaf_awaiter {
    public:
        waiter(raw_mutex& m, owner& o) noexcept : leaf_awaiter(o, wait_kind::mutex_lock), mutex_(&m) {}
        ~waiter() {
            if (is_suspended() || granted) mutex_->cancel(*this);
        }
        bool await_ready() noexcept {
            // Nothing comes between this and await_resume, so that there is no grant to note.
            if (!who->has_budget() || !mutex_->try_lock_for(who)) return false;
            who->spend_budget();
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            if (!mutex_->lock_or_wait(*this)) return true;
            if (who->has_budget()) {
                who->spend_budget();
                handle = nullptr;
                return false;
            }
            yield_granted();
            return true;
        }

        [[nodiscard]] raw_mutex& lock() const noexcept { return *mutex_; }

    protected:
        void take_grant() noexcept { granted = false; }

    private:
        friend class raw_mutex;
        raw_mutex* mutex_;
    };

    /// For a dump: calls `f(bool held, const owner* holder, const wait_list& waiters)`, locked.
    template <class F>
    void look(F f) const {
        scoped_lock guard(lock_);
        f(held_, holder_.get(), waiters_);
    }

private:
    [[nodiscard]] bool try_lock_for(const owner* o) noexcept {
        scoped_lock guard(lock_);
        if (std::exchange(held_, true)) return false;
        holder_.set(o);
        return true;
    }
    /// With the lock held, which it gives back.
    WEIR_NOINLINE void hand_over() noexcept {
        wake_list wakes;
        wait_node& next = waiters_.pop_front();
        next.granted = true;
        holder_.set(next.who);
        wakes.wake(next);
        lock_.unlock();
    }
    [[nodiscard]] bool lock_or_wait(waiter& w) noexcept {
        scoped_lock guard(lock_);
        if (!std::exchange(held_, true)) {
            holder_.set(w.who);
            return w.granted = true;
        }
        w.enqueue_in(waiters_);
        return false;
    }
    void cancel(waiter& w) noexcept {
        {
            scoped_lock guard(lock_);
            if (w.state == wait_node::phase::waiting)
                waiters_.erase(w);
            else if (w.state != wait_node::phase::idle)
                w.who->retract(w);
            w.state = wait_node::phase::idle;
        }
        if (std::exchange(w.granted, false)) unlock();
    }

    mutable small_lock lock_;
    bool held_ = false;
    [[no_unique_address]] lock_holder holder_;
    wait_list waiters_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
