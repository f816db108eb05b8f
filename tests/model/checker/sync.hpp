#pragma once
// What detail/core/sync.hpp takes instead of std's when WEIR_MODEL names this file.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>

#include "engine.hpp"

namespace weir { WEIR_ABI_BEGIN namespace detail::sync {

using std::memory_order;
using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

/// As std::atomic, as far as the library uses it: no operators, no wait.
template <class T>
class atomic {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
    using place = std::source_location;

public:
    static constexpr bool is_always_lock_free = true;

    constexpr atomic() noexcept : atomic(T()) {}
    constexpr atomic(T value) noexcept : word_{encoded(value)} {}
    atomic(const atomic&) = delete;
    atomic& operator=(const atomic&) = delete;

    T load(memory_order o = memory_order_seq_cst, place at = place::current()) const noexcept {
        return decoded(model::load(word_, o, at));
    }
    void store(T v, memory_order o = memory_order_seq_cst, place at = place::current()) noexcept {
        model::store(word_, encoded(v), o, at);
    }
    T exchange(T v, memory_order o = memory_order_seq_cst, place at = place::current()) noexcept {
        constexpr auto next = [](std::uint64_t, std::uint64_t with) { return with; };
        return decoded(model::update(word_, model::operation::exchange, next, encoded(v), o, at));
    }
    T fetch_add(T v, memory_order o = memory_order_seq_cst, place at = place::current()) noexcept {
        constexpr auto next = [](std::uint64_t a, std::uint64_t b) {
            return encoded(static_cast<T>(decoded(a) + decoded(b)));
        };
        return decoded(model::update(word_, model::operation::add, next, encoded(v), o, at));
    }
    T fetch_sub(T v, memory_order o = memory_order_seq_cst, place at = place::current()) noexcept {
        constexpr auto next = [](std::uint64_t a, std::uint64_t b) {
            return encoded(static_cast<T>(decoded(a) - decoded(b)));
        };
        return decoded(model::update(word_, model::operation::subtract, next, encoded(v), o, at));
    }

    bool compare_exchange_strong(T& expected, T v, memory_order success, memory_order failure,
                                 place at = place::current()) noexcept {
        return compare_exchange(expected, v, false, success, failure, at);
    }
    bool compare_exchange_strong(T& expected, T v, memory_order o = memory_order_seq_cst,
                                 place at = place::current()) noexcept {
        return compare_exchange(expected, v, false, o, without_release(o), at);
    }
    bool compare_exchange_weak(T& expected, T v, memory_order success, memory_order failure,
                               place at = place::current()) noexcept {
        return compare_exchange(expected, v, true, success, failure, at);
    }
    bool compare_exchange_weak(T& expected, T v, memory_order o = memory_order_seq_cst,
                               place at = place::current()) noexcept {
        return compare_exchange(expected, v, true, o, without_release(o), at);
    }

private:
    friend void futex_wait(const atomic<std::uint32_t>&, std::uint32_t,
                           std::optional<std::chrono::nanoseconds>) noexcept;
    friend void futex_wake_one(const atomic<std::uint32_t>&) noexcept;

    static constexpr std::uint64_t encoded(T v) noexcept {
        if constexpr (std::is_pointer_v<T>)
            return reinterpret_cast<std::uintptr_t>(v);
        else
            return static_cast<std::uint64_t>(v);
    }
    static T decoded(std::uint64_t v) noexcept {
        if constexpr (std::is_pointer_v<T>)
            return reinterpret_cast<T>(v);
        else
            return static_cast<T>(v);
    }
    static constexpr memory_order without_release(memory_order o) noexcept {
        if (o == memory_order_acq_rel) return memory_order_acquire;
        return o == memory_order_release ? memory_order_relaxed : o;
    }
    bool compare_exchange(T& expected, T v, bool weak, memory_order success, memory_order failure,
                          place at) noexcept {
        std::uint64_t seen = encoded(expected);
        const bool done =
            model::compare_exchange(word_, seen, encoded(v), weak, {success, failure}, at);
        if (!done) expected = decoded(seen);
        return done;
    }

    model::atomic_word word_;
};

inline void futex_wait(const atomic<std::uint32_t>& word, std::uint32_t expected,
                       std::optional<std::chrono::nanoseconds> timeout) noexcept {
    model::futex_wait(word.word_, expected,
                      timeout ? std::optional<std::int64_t>(timeout->count()) : std::nullopt);
}
inline void futex_wake_one(const atomic<std::uint32_t>& word) noexcept {
    model::futex_wake(word.word_);
}

class mutex {
public:
    constexpr mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    void lock() noexcept {
        while (!try_lock()) model::spin();
    }
    [[nodiscard]] bool try_lock() noexcept { return !locked_.exchange(true, memory_order_acquire); }
    void unlock() noexcept { locked_.store(false, memory_order_release); }

private:
    atomic<bool> locked_{false};
};

class thread {
public:
    thread() noexcept = default;
    template <class F, class... Args>
        requires(!std::is_same_v<std::remove_cvref_t<F>, thread>)
    explicit thread(F&& f, Args&&... args) {
        auto body = [f = std::forward<F>(f), ... args = std::forward<Args>(args)]() mutable {
            std::invoke(std::move(f), std::move(args)...);
        };
        using closure = decltype(body);
        constexpr auto entry = [](void* argument) {
            auto* const c = static_cast<closure*>(argument);
            (*c)();
            delete c;
        };
        id_ = model::start_thread(entry, new closure(std::move(body)));
    }
    thread(thread&& other) noexcept : id_(std::exchange(other.id_, none)) {}
    thread& operator=(thread&& other) noexcept {
        if (joinable()) model::fail("a thread was neither joined nor detached");
        id_ = std::exchange(other.id_, none);
        return *this;
    }
    ~thread() {
        if (joinable()) model::fail("a thread was neither joined nor detached");
    }

    [[nodiscard]] bool joinable() const noexcept { return id_ != none; }
    void join() noexcept { model::join_thread(std::exchange(id_, none)); }
    void detach() noexcept { id_ = none; }
    static unsigned hardware_concurrency() noexcept { return 2; }

private:
    static constexpr int none = -1;
    int id_ = none;
};

template <class T, class Tag>
class thread_slot {
public:
    static T* get() noexcept { return static_cast<T*>(model::thread_local_pointer(&key_)); }
    static T* get_in_leaf() noexcept { return get(); }
    static void set(T* p) noexcept {
        model::thread_local_pointer(&key_) = const_cast<std::remove_const_t<T>*>(p);
    }

private:
    static inline char key_ = 0;
};

inline void spin_pause() noexcept { model::spin(); }
inline void spin_burst() noexcept { model::spin(); }
inline void spin_yield() noexcept { model::spin(); }

inline std::chrono::steady_clock::time_point now() noexcept {
    return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(model::now()));
}

}  // namespace detail::sync
WEIR_ABI_END }  // namespace weir
