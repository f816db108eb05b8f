#pragma once
// The queue of weir::rwlock, without the data.
//
// State    readers_ (how many hold it), writing_; one queue of readers and writers
// Rule     the head of the queue is let in as soon as who holds the lock allows it, and everybody
//          behind waits for the head: so neither side can starve the other.
// Every change that could let the head in (an unlock, a downgrade, a cancelled waiter) ends with
// admit(), under the lock.

#include <coroutine>
#include <cstdint>
#include <limits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/small_lock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

enum class rwlock_mode : std::uint8_t { read, write };

class raw_rwlock {
public:
    static constexpr std::uint32_t unlimited_readers =
        std::numeric_limits<std::uint32_t>::max() >> 3;

    constexpr explicit raw_rwlock(std::uint32_t max_readers = unlimited_readers) noexcept
        : max_readers_(max_readers) {}
    raw_rwlock(const raw_rwlock&) = delete;
    raw_rwlock& operator=(const raw_rwlock&) = delete;

    [[nodiscard]] bool try_lock(rwlock_mode m) noexcept {
        scoped_lock guard(lock_);
        return try_enter(m);
    }
    void unlock(rwlock_mode m) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        leave(m);
        admit(wakes);
    }
    /// Turns the writer into a reader; no writer gets in between.
    void downgrade() noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        writing_ = false;
        readers_ = 1;
        admit(wakes);
    }

    /// Waits for the lock. What derives from it takes the lock over by `take_grant`.
    class waiter : public leaf_awaiter {
    public:
        waiter(raw_rwlock& l, rwlock_mode m, owner& o) noexcept
            : leaf_awaiter(o), lock_(&l), mode_(m) {}
        ~waiter() {
            if (is_suspended() || granted) lock_->cancel(*this);
        }
        bool await_ready() noexcept {
            if (!who->has_budget() || !lock_->try_lock(mode_)) return false;
            who->spend_budget();
            granted = true;
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            if (!lock_->enter_or_wait(*this)) return true;
            if (who->has_budget()) {
                who->spend_budget();
                handle = nullptr;
                return false;
            }
            yield_granted();
            return true;
        }

    protected:
        void take_grant() noexcept { granted = false; }

    private:
        friend class raw_rwlock;
        raw_rwlock* lock_;
        rwlock_mode mode_;
    };

private:
    // -- with the lock held ----------------------------------------------------------------------

    [[nodiscard]] bool enter(rwlock_mode m) noexcept {
        if (writing_) return false;
        if (m == rwlock_mode::write) {
            if (readers_ != 0) return false;
            return writing_ = true;
        }
        if (readers_ == max_readers_) return false;
        ++readers_;
        return true;
    }
    [[nodiscard]] bool try_enter(rwlock_mode m) noexcept { return waiters_.empty() && enter(m); }
    void leave(rwlock_mode m) noexcept {
        if (m == rwlock_mode::write)
            writing_ = false;
        else
            --readers_;
    }
    void admit(wake_list& wakes) noexcept {
        while (!waiters_.empty()) [[unlikely]] {
            auto& next = static_cast<waiter&>(*waiters_.front());
            if (!enter(next.mode_)) return;
            next.granted = true;
            wakes.wake(waiters_.pop_front());
        }
    }

    // -- takes the lock --------------------------------------------------------------------------

    [[nodiscard]] bool enter_or_wait(waiter& w) noexcept {
        scoped_lock guard(lock_);
        if (try_enter(w.mode_)) return w.granted = true;
        w.enqueue_in(waiters_);
        return false;
    }
    void cancel(waiter& w) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (w.state == wait_node::phase::waiting)
            waiters_.erase(w);
        else if (w.state != wait_node::phase::idle)
            w.who->retract(w);
        w.state = wait_node::phase::idle;
        if (std::exchange(w.granted, false)) leave(w.mode_);
        admit(wakes);
    }

    small_lock lock_;
    bool writing_ = false;
    std::uint32_t readers_ = 0;
    std::uint32_t max_readers_;
    wait_list waiters_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
