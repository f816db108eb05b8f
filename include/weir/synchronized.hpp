#pragma once
// Data behind a mutex that cannot be reached without it, and cannot stay locked across a co_await.
//
//     using db = std::shared_ptr<weir::synchronized<std::unordered_map<std::string, weir::bytes>>>;
//
//     weir::task<void> set(db d, std::string key, weir::bytes value) {
//         d->with([&](auto& map) { map.insert_or_assign(key, value); });   // locked in here only
//         co_await reply("+OK\r\n");
//     }
//
// This is the lock for plain data that tasks share: it blocks the thread, so hold it for a few
// hundred instructions and do no I/O under it. The only access is a callable, and one that returns
// an awaitable does not compile. A lock that waits as a task does, and may be held across a
// co_await, is weir::mutex<T>: it costs more. Where many threads meet at one lock, see sharded_map.

#include <concepts>
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>
#include <weir/detail/core/small_lock.hpp>  // scoped_lock
#include <weir/detail/core/sync.hpp>
#include <weir/detail/synchronized/under_lock.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A T and the mutex that guards it.
/// Lifetime: not copyable or movable; tasks share it through a std::shared_ptr.
/// Thread safety: all members may be called from any thread at any time. A callable must not call
/// with() of the same object again: the thread would wait for itself.
template <class T>
class synchronized {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>,
                  "weir::synchronized<T> owns what it guards: T must be an object type without "
                  "const; for data that live elsewhere, move them into it.");

public:
    using value_type = T;

    synchronized() requires std::default_initializable<T>
        : value_() {}
    explicit synchronized(T value) requires std::move_constructible<T>
        : value_(std::move(value)) {}

    /// Makes the value from `args`, in place.
    template <class... Args>
        requires std::constructible_from<T, Args...>
    explicit synchronized(std::in_place_t, Args&&... args) : value_(std::forward<Args>(args)...) {}

    synchronized(const synchronized&) = delete;
    synchronized& operator=(const synchronized&) = delete;

    /// Locks, calls `f(T&)` and returns what it returns.
    /// Errors: an exception of `f` unlocks and travels on.
    /// Lifetime: `f` may return a reference or a pointer into the value, but what it refers to is
    /// unguarded from then on; return copies of what other threads may change.
    template <class F>
    decltype(auto) with(F&& f) {
        const detail::scoped_lock lock(mutex_);
        return detail::call_under_lock(std::forward<F>(f), value_);
    }

    /// As above with a const T&: for readers, one at a time all the same.
    template <class F>
    decltype(auto) with(F&& f) const {
        const detail::scoped_lock lock(mutex_);
        return detail::call_under_lock(std::forward<F>(f), value_);
    }

private:
    mutable detail::sync::mutex mutex_;
    T value_;
};

WEIR_ABI_END }  // namespace weir
