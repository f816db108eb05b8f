#pragma once
// tracked_mutex: a mutex for plain sections that notices a co_await inside of them.
//
// A std::mutex that is locked while a task waits stops every thread that wants it, and is unlocked
// on whatever thread the task goes on. `synchronized` makes that impossible to write; a
// tracked_mutex is for code that needs the lock as an object of its own (several locks at once, a
// section that is no callable), and throws where it happens.

#include <source_location>

#include <weir/detail/core/held_locks.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A Lockable for std::scoped_lock and its like, around a std::mutex.
///
///     weir::tracked_mutex accounts("accounts");
///     {
///         std::scoped_lock lock(accounts);
///         (co_await tx.send(1)).value();    // throws if it has to wait
///     }
///
/// A co_await of a weir::task that suspends while the task holds one throws
/// suspended_while_locked_error, which names the place of the await, where the mutex was locked and
/// where it was made. What it would have waited for is cancelled. A co_await that does not suspend
/// is as good as a call. The place of the lock is that of the call of `lock`, which is inside of
/// the standard library for a std::scoped_lock: tracked_lock records the line that it stands in.
/// Outside of tasks it is a plain mutex; a coroutine that is not weir's is not watched.
/// Thread safety  Any thread; unlocked by the thread that has locked.
class tracked_mutex {
public:
    /// `name` is for the message, and must outlive the mutex: a literal.
    explicit tracked_mutex(const char* name = nullptr,
                           std::source_location made_at = std::source_location::current()) noexcept
        : held_(name, made_at) {}
    tracked_mutex(const tracked_mutex&) = delete;
    tracked_mutex& operator=(const tracked_mutex&) = delete;

    void lock(std::source_location at = std::source_location::current()) {
        mutex_.lock();
        held_.enter(at);
    }
    [[nodiscard]] bool try_lock(std::source_location at = std::source_location::current()) {
        if (!mutex_.try_lock()) return false;
        held_.enter(at);
        return true;
    }
    void unlock() noexcept {
        held_.leave();
        mutex_.unlock();
    }

private:
    detail::sync::mutex mutex_;
    detail::held_lock held_;
};

/// Locks a tracked_mutex for a scope, and records the line that it stands in.
class [[nodiscard("it unlocks at the end of its scope")]] tracked_lock {
public:
    explicit tracked_lock(tracked_mutex& m,
                          std::source_location at = std::source_location::current())
        : mutex_(&m) {
        m.lock(at);
    }
    tracked_lock(const tracked_lock&) = delete;
    tracked_lock& operator=(const tracked_lock&) = delete;
    ~tracked_lock() { mutex_->unlock(); }

private:
    tracked_mutex* mutex_;
};

WEIR_ABI_END }  // namespace weir
