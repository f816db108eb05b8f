#pragma once
// The lock of every primitive: one byte, a few dozen instructions held at most, no system call.

#include <cstdint>

#include <weir/detail/core/single_threaded.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// A test-and-set spin lock. Free, it costs one exchange to take and one plain store to give back,
/// which is what makes an uncontended operation cheap; contended, it pauses and then yields. In a
/// process of one thread the exchange is a load and a store.
/// A Lockable. Never held while user code runs, except for a move of a channel's value.
class small_lock {
public:
    small_lock() = default;
    small_lock(const small_lock&) = delete;
    small_lock& operator=(const small_lock&) = delete;

    WEIR_ALWAYS_INLINE void lock() noexcept {
        if (!try_lock()) [[unlikely]]
            lock_contended();
    }
    [[nodiscard]] WEIR_ALWAYS_INLINE bool try_lock() noexcept {
        if (is_single_threaded()) {
            const bool was_free = word_.load(sync::memory_order_relaxed) == 0;
            word_.store(1, sync::memory_order_relaxed);
            return was_free;
        }
        return word_.exchange(1, sync::memory_order_acquire) == 0;  // from unlock
    }
    void unlock() noexcept { word_.store(0, sync::memory_order_release); }  // to the next lock

private:
    WEIR_NOINLINE void lock_contended() noexcept {
        sync::spin_wait spin;
        do {
            while (word_.load(sync::memory_order_relaxed) != 0) spin.once();
        } while (word_.exchange(1, sync::memory_order_acquire) != 0);  // from unlock
    }

    sync::atomic<std::uint8_t> word_{0};
};

/// Holds a lock for a scope, and can give it back earlier.
template <class Lock>
class scoped_lock {
public:
    WEIR_ALWAYS_INLINE explicit scoped_lock(Lock& lock) noexcept : lock_(&lock) { lock.lock(); }
    scoped_lock(const scoped_lock&) = delete;
    scoped_lock& operator=(const scoped_lock&) = delete;
    ~scoped_lock() {
        if (lock_) lock_->unlock();
    }
    void unlock() noexcept {
        lock_->unlock();
        lock_ = nullptr;
    }

private:
    Lock* lock_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
