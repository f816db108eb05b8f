#pragma once
// What the ends of a watch channel share; see watch.hpp for how it is used.
//
// State
//   value_    under `value_lock_`
//   version_  number of the value, times 2, plus 1 once no sender is left. A sender writes it while
//             it holds `value_lock_` for writing, so that under a reader's lock the value and its
//             number belong together, and a last number goes with the last value.
//   lock_     guards everything else: the waits, and how many receivers there are
// A change is: write the value, number it, give `value_lock_` back, then wake under `lock_` whoever
// has not seen it. Who begins to wait looks at the version under `lock_`: it sees the change, or
// the sender will see it wait. No user code runs under `lock_`.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/sync/handle_counts.hpp>
#include <weir/detail/sync/ordered_waiters.hpp>
#include <weir/detail/watch/value_lock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::watch {

/// One reading of the version word.
class version {
public:
    static constexpr std::uint64_t first = 1;   // of the initial value
    static constexpr std::uint64_t unseen = 0;  // differs from all

    explicit version(std::uint64_t word) noexcept : word_(word) {}
    [[nodiscard]] std::uint64_t number() const noexcept { return word_ / 2; }
    [[nodiscard]] bool is_last() const noexcept { return (word_ & 1) != 0; }

private:
    std::uint64_t word_;
};

template <class T>
class watch_state {
public:
    explicit watch_state(T&& initial) : value_(std::move(initial)) {}
    watch_state(const watch_state&) = delete;
    watch_state& operator=(const watch_state&) = delete;

    // -- the value -------------------------------------------------------------------------------

    [[nodiscard]] version current() const noexcept {
        return version(version_.load(sync::memory_order_acquire));  // from step
    }
    void lock_shared() const noexcept { value_lock_.lock_shared(); }
    void unlock_shared() const noexcept { value_lock_.unlock_shared(); }
    /// Under a reader's lock.
    [[nodiscard]] const T& value() const noexcept { return value_; }

    /// Calls `change(T&)`; if that returns true the value has a new number, and `notify` is to be
    /// called. When it throws, what it has changed stays.
    template <class F>
    [[nodiscard]] bool modify(F&& change) {
        const scoped_lock guard(value_lock_);
        if (!change(value_)) return false;
        step(2);
        return true;
    }
    /// Wakes who has not seen the current version; returns how many receivers there are.
    std::size_t notify() noexcept {
        for (;;) {
            wake_list wakes;
            scoped_lock guard(lock_);
            if (!waiters_.wake_batch(version_.load(sync::memory_order_relaxed), wakes))
                return receivers_;
        }
    }

    /// Puts `other` in and leaves the old value in it.
    static void exchange(T& value, T& other) {
        if constexpr (std::is_swappable_v<T>) {
            using std::swap;
            swap(value, other);
        } else {
            static_assert(std::is_nothrow_move_constructible_v<T>,
                          "watch::sender::send replaces the value: T must be swappable, movable by "
                          "assignment, or movable without throwing");
            T old(std::move(value));
            std::destroy_at(std::addressof(value));
            ::new (static_cast<void*>(std::addressof(value))) T(std::move(other));
            std::destroy_at(std::addressof(other));
            ::new (static_cast<void*>(std::addressof(other))) T(std::move(old));
        }
    }

    // -- senders ---------------------------------------------------------------------------------

    handle_counts counts{0};

    void drop_sender() noexcept {
        if (!counts.drop_strong()) return;
        step(1);
        notify();
        drop_reference();
    }
    void drop_reference() noexcept {
        if (counts.drop_reference()) delete this;
    }
    [[nodiscard]] std::size_t receiver_count() const noexcept {
        scoped_lock guard(lock_);
        return receivers_;
    }
    /// Registers who waits for the last receiver to go. False: there is none.
    [[nodiscard]] bool add_close_waiter(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (receivers_ == 0) return false;
        n.state = wait_node::phase::waiting;
        close_waiters_.push_back(n);
        return true;
    }
    void remove_close_waiter(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (n.state == wait_node::phase::waiting)
            close_waiters_.erase(n);
        else if (n.state != wait_node::phase::idle)
            n.who->retract(n);
        n.state = wait_node::phase::idle;
    }

    // -- receivers -------------------------------------------------------------------------------

    void add_receiver() noexcept {
        counts.add_reference();
        scoped_lock guard(lock_);
        ++receivers_;
    }
    void drop_receiver() noexcept {
        {
            wake_list wakes;
            scoped_lock guard(lock_);
            if (--receivers_ == 0)
                while (!close_waiters_.empty()) wakes.wake(close_waiters_.pop_front());
        }
        drop_reference();
    }
    /// Waits for another version than `seen`. False: there is one, or there will be none.
    [[nodiscard]] bool add_waiter(ordered_waiter& w, std::uint64_t seen) noexcept {
        scoped_lock guard(lock_);
        const version now = current();
        if (now.is_last() || now.number() != seen) return false;
        waiters_.add(w, seen * 2);
        return true;
    }
    void remove_waiter(ordered_waiter& w) noexcept {
        scoped_lock guard(lock_);
        waiters_.remove(w);
    }

private:
    ~watch_state() = default;

    /// A sender that nobody disturbs: under `value_lock_`, or the last one.
    void step(std::uint64_t n) noexcept {
        version_.store(version_.load(sync::memory_order_relaxed) + n,
                       sync::memory_order_release);  // to current
    }

    mutable value_lock value_lock_;
    mutable small_lock lock_;
    sync::atomic<std::uint64_t> version_{version::first * 2};
    std::size_t receivers_ = 0;
    ordered_waiters waiters_;
    wait_list close_waiters_;
    T value_;
};

}  // namespace detail::watch
WEIR_ABI_END }  // namespace weir
