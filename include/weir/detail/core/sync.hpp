#pragma once
// The one place that names std::atomic, std::mutex and std::thread.
//
// Everything that threads share goes through these aliases. Under WEIR_MODEL they name the model
// checker's own types, so that the very same headers can be run through every interleaving. For
// that to work, code outside of this file writes `a.fetch_add(1, order)` and never `++a`, uses no
// stand-alone fence, spins only through `spin_wait`, blocks only in a `parker`, and reads the time
// only by `now`.

#include <chrono>
#include <cstdint>
#include <optional>

#include <weir/detail/core/config.hpp>

#if defined(WEIR_MODEL)
#include WEIR_MODEL  // the model checker's replacement of the first half of this header
#else

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <mutex>
#include <thread>

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

/// A pause of about a microsecond.
inline void spin_burst() noexcept {
    for (int i = 0; i < 64; ++i) spin_pause();
}

/// Gives the rest of the time slice away.
inline void spin_yield() noexcept { sched_yield(); }

/// Sleeps while the word is `expected`, until woken or until `timeout` has passed; may return early.
inline void futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected,
                       std::optional<std::chrono::nanoseconds> timeout) noexcept {
    static_assert(sizeof(word) == sizeof(std::uint32_t));
    timespec limit{};
    if (timeout) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*timeout);
        limit.tv_sec = static_cast<std::time_t>(seconds.count());
        limit.tv_nsec = static_cast<long>((*timeout - seconds).count());
    }
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, expected, timeout ? &limit : nullptr, nullptr, 0);
}
inline void futex_wake_one(const atomic<std::uint32_t>& word) noexcept {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

inline std::chrono::steady_clock::time_point now() noexcept {
    return std::chrono::steady_clock::now();
}

/// Milliseconds of a clock that is cheap to read, and some milliseconds behind; they wrap around.
inline std::uint32_t coarse_now_ms() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(t.tv_sec) * 1000 +
                                      static_cast<std::uint64_t>(t.tv_nsec) / 1'000'000);
}

}  // namespace detail::sync
WEIR_ABI_END }  // namespace weir

#endif

namespace weir { WEIR_ABI_BEGIN namespace detail::sync {

/// Back-off of a spin loop: a few processor pauses, then the rest of the time slice, since the
/// thread that is waited for may have been preempted.
class spin_wait {
public:
    void once() noexcept {
        if (++spins_ > 100) {
            spin_yield();
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
    void park() noexcept { wait(std::nullopt); }

    /// Blocks until unparked or `timeout` has passed; may return early.
    void park_for(std::chrono::nanoseconds timeout) noexcept {
        if (timeout.count() <= 0) {
            state_.exchange(empty, memory_order_relaxed);  // tells the owner nothing
            return;
        }
        wait(timeout);
    }

    /// Wakes the owner, or lets its next park return at once. Any thread.
    void unpark() noexcept {
        if (state_.exchange(notified, memory_order_release) == parked)  // to wait's acquire
            futex_wake_one(state_);
    }

private:
    static constexpr std::uint32_t empty = 0, parked = 1, notified = 2;

    void wait(std::optional<std::chrono::nanoseconds> timeout) noexcept {
        std::uint32_t seen = empty;
        if (state_.compare_exchange_strong(seen, parked, memory_order_relaxed)) {
            do {
                futex_wait(state_, parked, timeout);
            } while (!timeout && state_.load(memory_order_relaxed) == parked);
        }
        state_.exchange(empty, memory_order_acquire);  // from unpark
    }

    atomic<std::uint32_t> state_{empty};
};

}  // namespace detail::sync
WEIR_ABI_END }  // namespace weir
