#pragma once
// mutex<T>: a lock that a task may hold across co_await.
//
// For a short section without a co_await, `synchronized` is the better tool: this one is for the
// sections that wait. It owns what it protects: there is no way to the data but through a guard.
//
//     guard                       size   made by
//     mutex_guard<T>               8     lock, try_lock, blocking_lock
//     mapped_mutex_guard<U>       16     map and try_map of a mutex_guard
//     owned_mutex_guard<T>        16     lock_owned, try_lock_owned, blocking_lock_owned
//     owned_mapped_mutex_guard<U> 24     map and try_map of an owned_mutex_guard

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/result_slot.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/sync/mapped_or_back.hpp>
#include <weir/detail/sync/raw_mutex.hpp>

namespace weir { WEIR_ABI_BEGIN

template <class T = void>
class mutex;

/// Exclusive access to what a mutex owns, or to a part of it; unlocks on destruction, also while an
/// exception passes. `Keep` is how it holds on to the mutex.
/// Thread safety  May be moved to, and destroyed on, another thread than locked it.
template <class T, class Keep>
class [[nodiscard("the lock ends with the guard")]] basic_mapped_mutex_guard {
public:
    basic_mapped_mutex_guard(basic_mapped_mutex_guard&& other) noexcept
        : mutex_(std::exchange(other.mutex_, nullptr)), value_(other.value_) {}
    basic_mapped_mutex_guard& operator=(basic_mapped_mutex_guard&& other) noexcept {
        basic_mapped_mutex_guard(std::move(other)).swap(*this);
        return *this;
    }
    ~basic_mapped_mutex_guard() { unlock(); }
    void swap(basic_mapped_mutex_guard& other) noexcept {
        std::swap(mutex_, other.mutex_);
        std::swap(value_, other.value_);
    }

    T& operator*() const noexcept { return *value_; }
    T* operator->() const noexcept { return value_; }

    /// Gives the lock to who waits next, before the guard ends.
    void unlock() noexcept {
        if (auto const m = std::exchange(mutex_, nullptr)) m->unlock();
    }
    /// A guard of a part of the part; see mutex_guard.
    template <class F>
    [[nodiscard]] auto map(F&& f) {
        auto& part = std::invoke(std::forward<F>(f), **this);
        return basic_mapped_mutex_guard<std::remove_reference_t<decltype(part)>, Keep>(
            std::exchange(mutex_, nullptr), part);
    }
    template <class F>
    [[nodiscard]] auto try_map(F&& f) & {
        auto* const part = std::invoke(std::forward<F>(f), **this);
        using mapped = basic_mapped_mutex_guard<std::remove_pointer_t<decltype(part)>, Keep>;
        if (part == nullptr) return std::optional<mapped>();
        return std::optional<mapped>(mapped(std::exchange(mutex_, nullptr), *part));
    }
    template <class F>
    [[nodiscard]] auto try_map(F&& f) && {
        return detail::mapped_or_back(try_map(std::forward<F>(f)), *this);
    }

private:
    template <class, class>
    friend class basic_mapped_mutex_guard;
    template <class, class>
    friend class basic_mutex_guard;
    basic_mapped_mutex_guard(Keep m, T& value) noexcept
        : mutex_(std::move(m)), value_(std::addressof(value)) {}

    Keep mutex_;
    T* value_;
};

template <class T>
using mapped_mutex_guard = basic_mapped_mutex_guard<T, detail::raw_mutex*>;
/// A mapped guard that keeps its mutex alive.
template <class T>
using owned_mapped_mutex_guard = basic_mapped_mutex_guard<T, std::shared_ptr<detail::raw_mutex>>;

/// Exclusive access to what a mutex owns; unlocks on destruction, also while an exception passes.
/// Thread safety  May be moved to, and destroyed on, another thread than locked it.
template <class T, class Keep>
class [[nodiscard("the lock ends with the guard")]] basic_mutex_guard {
    static constexpr bool owned = !std::is_pointer_v<Keep>;
    using raw_keep =
        std::conditional_t<owned, std::shared_ptr<detail::raw_mutex>, detail::raw_mutex*>;

public:
    basic_mutex_guard(basic_mutex_guard&& other) noexcept
        : mutex_(std::exchange(other.mutex_, nullptr)) {}
    basic_mutex_guard& operator=(basic_mutex_guard&& other) noexcept {
        basic_mutex_guard(std::move(other)).swap(*this);
        return *this;
    }
    ~basic_mutex_guard() { unlock(); }
    void swap(basic_mutex_guard& other) noexcept { std::swap(mutex_, other.mutex_); }

    std::add_lvalue_reference_t<T> operator*() const noexcept
        requires(!std::is_void_v<T>)
    {
        return mutex_->value_;
    }
    std::add_pointer_t<T> operator->() const noexcept
        requires(!std::is_void_v<T>)
    {
        return std::addressof(mutex_->value_);
    }

    /// Gives the lock to who waits next, before the guard ends.
    void unlock() noexcept {
        if (auto const m = std::exchange(mutex_, nullptr)) m->raw_.unlock();
    }

    /// A guard of the part that `f(T&)` returns a reference to; this one is empty then.
    /// Errors  What `f` throws; this guard is unchanged then.
    template <class F>
    [[nodiscard]] auto map(F&& f) {
        auto& part = std::invoke(std::forward<F>(f), **this);
        return basic_mapped_mutex_guard<std::remove_reference_t<decltype(part)>, raw_keep>(
            release(), part);
    }

    /// As map, where `f(T&)` returns a pointer. Where that is null, this guard is unchanged and the
    /// std::optional empty; of an rvalue, the guard comes back as the error of an expected.
    template <class F>
    [[nodiscard]] auto try_map(F&& f) & {
        auto* const part = std::invoke(std::forward<F>(f), **this);
        using mapped = basic_mapped_mutex_guard<std::remove_pointer_t<decltype(part)>, raw_keep>;
        if (part == nullptr) return std::optional<mapped>();
        return std::optional<mapped>(mapped(release(), *part));
    }
    template <class F>
    [[nodiscard]] auto try_map(F&& f) && {
        return detail::mapped_or_back(try_map(std::forward<F>(f)), *this);
    }

    /// The mutex that is locked: a reference, or of an owned guard the shared pointer.
    [[nodiscard]] decltype(auto) mutex() const noexcept {
        if constexpr (owned)
            return (mutex_);
        else
            return (*mutex_);
    }

private:
    friend class weir::mutex<T>;
    explicit basic_mutex_guard(Keep m) noexcept : mutex_(std::move(m)) {}

    raw_keep release() noexcept {
        if constexpr (owned) {
            detail::raw_mutex* const raw = &mutex_->raw_;
            return raw_keep(std::exchange(mutex_, nullptr), raw);
        } else {
            return &std::exchange(mutex_, nullptr)->raw_;
        }
    }

    Keep mutex_;
};

template <class T>
using mutex_guard = basic_mutex_guard<T, mutex<T>*>;
/// A guard that keeps its mutex alive, so that it can move into a task.
template <class T>
using owned_mutex_guard = basic_mutex_guard<T, std::shared_ptr<mutex<T>>>;

/// Mutual exclusion between tasks, first come first served.
///
///     weir::mutex<int> counter(0);
///     auto guard = co_await counter.lock();
///     *guard += co_await something();
///
/// An unlock hands the lock to the oldest waiter, so that nobody can barge in. There is no
/// poisoning: after an exception the next one sees the data as it was left. A task that locks twice
/// waits for itself. It is constant-initialised where its data are.
/// Lifetime       Must outlive its guards and waiters; lock_owned shares the ownership.
/// Thread safety  Any thread.
template <class T>
class mutex {
    static constexpr bool has_data = !std::is_void_v<T>;
    using stored = std::conditional_t<has_data, T, detail::unit>;

public:
    using guard = mutex_guard<T>;
    using owned_guard = owned_mutex_guard<T>;

    constexpr mutex() requires std::is_default_constructible_v<stored>
        : value_() {}
    /// Constructs the data from the arguments.
    template <class... Args>
        requires(sizeof...(Args) != 0 && std::is_constructible_v<stored, Args...>)
    constexpr explicit mutex(Args&&... args) : value_(std::forward<Args>(args)...) {}
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    /// Yields a guard.
    /// Suspends       Until everybody who asked earlier has unlocked.
    /// Cancel safety  Loses the place in the queue; a lock that was granted meanwhile passes on.
    [[nodiscard("co_await it")]] auto lock() noexcept {
        return lock_operation<mutex*, guard>(this);
    }
    /// As lock; the guard keeps the mutex alive.
    [[nodiscard("co_await it")]] static auto lock_owned(std::shared_ptr<mutex> m) noexcept {
        return lock_operation<std::shared_ptr<mutex>, owned_guard>(std::move(m));
    }
    /// A guard if the mutex is free and nobody waits.
    [[nodiscard]] std::optional<guard> try_lock() noexcept {
        if (!raw_.try_lock()) return std::nullopt;
        return guard(this);
    }
    [[nodiscard]] static std::optional<owned_guard> try_lock_owned(
        std::shared_ptr<mutex> m) noexcept {
        if (!m->raw_.try_lock()) return std::nullopt;
        return owned_guard(std::move(m));
    }
    /// As lock, blocking the thread.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    [[nodiscard]] guard blocking_lock() {
        return detail::block_thread_on(
            lock(), "mutex::blocking_lock on a thread that runs tasks: co_await lock()");
    }
    [[nodiscard]] static owned_guard blocking_lock_owned(std::shared_ptr<mutex> m) {
        return detail::block_thread_on(
            lock_owned(std::move(m)),
            "mutex::blocking_lock_owned on a thread that runs tasks: co_await lock_owned()");
    }
    /// The data, for a caller who has the mutex to itself.
    [[nodiscard]] std::add_lvalue_reference_t<T> get_mut() noexcept
        requires has_data
    {
        return value_;
    }
    /// Moves the data out, for a caller who has the mutex to itself.
    [[nodiscard]] stored into_inner() &&
        requires has_data
    {
        return std::move(value_);
    }

private:
    friend guard;
    friend owned_guard;

    template <class Keep, class Guard>
    class lock_operation : public detail::awaitable_base {
    public:
        explicit lock_operation(Keep m) noexcept : mutex_(std::move(m)) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::loses_place;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public detail::raw_mutex::waiter {
        public:
            awaiter(lock_operation& op, detail::owner& o) noexcept
                : waiter(op.mutex_->raw_, o), mutex_(&op.mutex_) {}
            Guard await_resume() noexcept {
                take_grant();
                return Guard(*mutex_);
            }

        private:
            Keep* mutex_;
        };

        Keep mutex_;
    };

    detail::raw_mutex raw_;
    [[no_unique_address]] stored value_;
};

WEIR_ABI_END }  // namespace weir
