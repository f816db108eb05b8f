#pragma once
// The one place that names std::atomic, std::mutex and std::thread.
//
// Everything that threads share goes through these aliases. Under WEIR_MODEL they name the model
// checker's own types, so that the very same headers can be run through every interleaving. For
// that to work, code outside of this file writes `a.fetch_add(1, order)` and never `++a`, uses no
// stand-alone fence, spins only through `spin_wait`, and blocks only in a `parker`.

#if defined(WEIR_MODEL)
#include WEIR_MODEL  // the model checker's replacement of this header
#else

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::sync {

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

template <class T>
using atomic = std::atomic<T>;
using mutex = std::mutex;
using thread = std::thread;

/// A plain value that several threads reach under one lock; the model checker looks for races on it.
template <class T>
using cell = T;

/// One thread-local pointer. The accessor is not inlined: a coroutine may go on on another thread,
/// where an address that the compiler kept from before the suspension would be the wrong one.
template <class T, class Tag>
class thread_slot {
public:
    WEIR_NOINLINE static T* get() noexcept {
        asm volatile("");
        return slot_;
    }
    /// The same, for a function that is itself WEIR_NOINLINE.
    static T* get_in_leaf() noexcept { return slot_; }
    WEIR_NOINLINE static void set(T* p) noexcept {
        asm volatile("");
        slot_ = p;
    }

private:
    static inline constinit thread_local T* slot_ = nullptr;
};

/// Tells the processor that the thread is spinning.
inline void spin_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Back-off of a spin loop: a few processor pauses, then the rest of the time slice, since the
/// thread that is waited for may have been preempted.
class spin_wait {
public:
    void once() noexcept {
        if (++spins_ > 100) {
            sched_yield();
            return;
        }
        spin_pause();
    }

private:
    int spins_ = 0;
};

/// Lets one thread sleep until another unparks it. An unpark that comes first is remembered, once.
class parker {
public:
    /// Blocks until unparked. Owner thread only.
    void park() noexcept { wait(nullptr); }

    /// Blocks until unparked or `timeout` has passed; may return early.
    void park_for(std::chrono::nanoseconds timeout) noexcept {
        if (timeout.count() <= 0) {
            state_.exchange(empty, std::memory_order_acquire);
            return;
        }
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(timeout);
        timespec ts{};
        ts.tv_sec = static_cast<std::time_t>(seconds.count());
        ts.tv_nsec = static_cast<long>((timeout - seconds).count());
        wait(&ts);
    }

    /// Wakes the owner, or lets its next park return at once. Any thread.
    void unpark() noexcept {
        if (state_.exchange(notified, std::memory_order_release) == parked)  // to wait's acquire
            futex(FUTEX_WAKE_PRIVATE, 1, nullptr);
    }

private:
    static constexpr std::uint32_t empty = 0, parked = 1, notified = 2;

    void wait(const timespec* timeout) noexcept {
        std::uint32_t seen = empty;
        if (state_.compare_exchange_strong(seen, parked, std::memory_order_acquire)) {
            do {
                futex(FUTEX_WAIT_PRIVATE, parked, timeout);
            } while (timeout == nullptr && state_.load(std::memory_order_relaxed) == parked);
        }
        state_.exchange(empty, std::memory_order_acquire);
    }

    void futex(int op, std::uint32_t value, const timespec* timeout) noexcept {
        syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&state_), op, value, timeout, nullptr, 0);
    }

    std::atomic<std::uint32_t> state_{empty};
    static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));
};

}  // namespace detail::sync
WEIR_ABI_END }  // namespace weir

#endif
