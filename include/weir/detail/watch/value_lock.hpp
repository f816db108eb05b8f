#pragma once
// The lock of a watched value: many readers, or one writer.

#include <cstdint>

#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::watch {

/// State   readers | `writing`. A writer comes in only where the word is 0; a reader that finds a
///         writer takes its count back and waits.
/// Readers come first: who holds a reference may take another one while a writer waits, so that a
/// thread cannot lock itself out by reading twice. Both sides are meant to be short; who waits
/// pauses, then yields its time slice.
class value_lock {
public:
    value_lock() = default;
    value_lock(const value_lock&) = delete;
    value_lock& operator=(const value_lock&) = delete;

    void lock_shared() noexcept {
        if (word_.fetch_add(1, sync::memory_order_acquire) >= writing) [[unlikely]]  // from unlock
            lock_shared_contended();
    }
    void unlock_shared() noexcept { word_.fetch_sub(1, sync::memory_order_release); }  // to lock

    void lock() noexcept {
        std::uint32_t expected = 0;
        if (!word_.compare_exchange_strong(expected, writing, sync::memory_order_acquire,
                                           sync::memory_order_relaxed)) [[unlikely]]
            lock_contended();
    }
    void unlock() noexcept { word_.fetch_sub(writing, sync::memory_order_release); }  // to both

private:
    static constexpr std::uint32_t writing = std::uint32_t{1} << 31;

    WEIR_NOINLINE void lock_shared_contended() noexcept {
        sync::spin_wait spin;
        do {
            word_.fetch_sub(1, sync::memory_order_relaxed);
            while (word_.load(sync::memory_order_relaxed) >= writing) spin.once();
        } while (word_.fetch_add(1, sync::memory_order_acquire) >= writing);  // from unlock
    }
    WEIR_NOINLINE void lock_contended() noexcept {
        sync::spin_wait spin;
        for (std::uint32_t expected = 1; expected != 0;) {
            while (word_.load(sync::memory_order_relaxed) != 0) spin.once();
            expected = 0;
            if (word_.compare_exchange_strong(expected, writing, sync::memory_order_acquire,
                                              sync::memory_order_relaxed))
                return;
        }
    }

    sync::atomic<std::uint32_t> word_{0};
};

}  // namespace detail::watch
WEIR_ABI_END }  // namespace weir
