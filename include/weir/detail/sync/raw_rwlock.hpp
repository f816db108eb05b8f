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
#include <weir/detail/core/lock_holder.hpp>
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
        if (!try_enter(m)) return false;
        if (is_alone()) holder_.set_here();
        return true;
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
            : leaf_awaiter(o, wait_kind::rwlock_lock), lock_(&l), mode_(m) {}
        ~waiter() {
            if (is_suspended() || granted) lock_->cancel(*this);
        }
        bool await_ready() noexcept {
            if (!who->has_budget() || !lock_->try_lock_for(*this)) return false;
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

        [[nodiscard]] raw_rwlock& lock() const noexcept { return *lock_; }
        [[nodiscard]] rwlock_mode mode() const noexcept { return mode_; }

    protected:
        void take_grant() noexcept { granted = false; }

    private:
        friend class raw_rwlock;
        raw_rwlock* lock_;
        rwlock_mode mode_;
    };

    /// For a dump: calls `f(bool writing, std::uint32_t readers, const owner* holder, const wait_list&
    /// waiters)`, locked. The holder is null where there was more than one since the lock was free.
    template <class F>
    void look(F f) const {
        scoped_lock guard(lock_);
        f(writing_, readers_, holder_.get(), waiters_);
    }

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
    /// Just after entering: whether nobody else is in.
    [[nodiscard]] bool is_alone() noexcept {
        if (readers_ > 1) holder_.set(nullptr);
        return readers_ <= 1;
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
            if (is_alone()) holder_.set(next.who);
            wakes.wake(waiters_.pop_front());
        }
    }

    // -- takes the lock --------------------------------------------------------------------------

    [[nodiscard]] bool try_lock_for(waiter& w) noexcept {
        scoped_lock guard(lock_);
        if (!try_enter(w.mode_)) return false;
        if (is_alone()) holder_.set(w.who);
        return true;
    }
    [[nodiscard]] bool enter_or_wait(waiter& w) noexcept {
        scoped_lock guard(lock_);
        if (try_enter(w.mode_)) {
            if (is_alone()) holder_.set(w.who);
            return w.granted = true;
        }
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

    mutable small_lock lock_;
    bool writing_ = false;
    std::uint32_t readers_ = 0;
    std::uint32_t max_readers_;
    [[no_unique_address]] lock_holder holder_;
    wait_list waiters_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
