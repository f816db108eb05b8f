#pragma once
// rwlock<T>: many readers or one writer, across co_await.
//
// Readers and writers wait in one queue, first come first served: a reader that asks after a
// waiting writer waits behind it, although only readers hold the lock. So a task that reads twice
// at the same time can wait for itself, with a writer in between.
//
//     guard                         size   made by
//     rwlock_read_guard<T>          16     read, try_read, blocking_read; a downgrade
//     rwlock_write_guard<T>         16     write, try_write, blocking_write
//     owned_rwlock_read_guard<T>    24     the same with _owned: it keeps the lock alive
//     owned_rwlock_write_guard<T>   24
//     mapped_rwlock_read_guard<U>   16     map and try_map; a downgrade_map
//     mapped_rwlock_write_guard<U>  16
//
// A guard holds a pointer to the data besides the lock, which `map` narrows to a part; an owned one
// is as large as a shared pointer and that pointer, also when it is mapped.

#include <coroutine>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/result_slot.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/sync/mapped_or_back.hpp>
#include <weir/detail/sync/raw_rwlock.hpp>
#include <weir/detail/sync/rwlock_guard.hpp>

namespace weir { WEIR_ABI_BEGIN

template <class T = void>
class rwlock;
template <class T, class Keep>
class rwlock_read_guard;
template <class T, class Keep>
class rwlock_write_guard;

/// A guard of a part, made from one that holds on to its lock as `Keep`.
template <class T, class Keep = detail::raw_rwlock*>
using mapped_rwlock_read_guard = rwlock_read_guard<T, detail::mapped_keep_t<Keep>>;
template <class T, class Keep = detail::raw_rwlock*>
using mapped_rwlock_write_guard = rwlock_write_guard<T, detail::mapped_keep_t<Keep>>;

/// Shared access to what a rwlock owns, or to a part of it; unlocks on destruction.
/// Thread safety  May be moved to, and destroyed on, another thread than locked it.
template <class T, class Keep = rwlock<T>*>
class [[nodiscard("the lock ends with the guard")]] rwlock_read_guard
    : public detail::rwlock_guard<const T, Keep, detail::rwlock_mode::read> {
    using base = detail::rwlock_guard<const T, Keep, detail::rwlock_mode::read>;

public:
    /// A guard of the part that `f(const T&)` returns a reference to; this one is empty then.
    /// Errors  What `f` throws; this guard is unchanged then.
    template <class F>
    [[nodiscard]] auto map(F&& f) {
        auto& part = std::invoke(std::forward<F>(f), **this);
        using mapped = mapped_rwlock_read_guard<std::remove_cvref_t<decltype(part)>, Keep>;
        return mapped(this->release_mapped(), std::addressof(part));
    }
    /// As map, where `f(const T&)` returns a pointer. Where that is null, this guard is unchanged
    /// and the std::optional empty; of an rvalue, the guard comes back as the error of an expected.
    template <class F>
    [[nodiscard]] auto try_map(F&& f) & {
        auto* const part = std::invoke(std::forward<F>(f), **this);
        using mapped = mapped_rwlock_read_guard<detail::pointee_t<decltype(part)>, Keep>;
        if (part == nullptr) return std::optional<mapped>();
        return std::optional<mapped>(mapped(this->release_mapped(), part));
    }
    template <class F>
    [[nodiscard]] auto try_map(F&& f) && {
        return detail::mapped_or_back(try_map(std::forward<F>(f)), *this);
    }

private:
    template <class>
    friend class rwlock;
    template <class, class>
    friend class rwlock_read_guard;
    template <class, class>
    friend class rwlock_write_guard;
    using base::base;
};

/// Exclusive access to what a rwlock owns, or to a part of it; unlocks on destruction.
/// Thread safety  May be moved to, and destroyed on, another thread than locked it.
template <class T, class Keep = rwlock<T>*>
class [[nodiscard("the lock ends with the guard")]] rwlock_write_guard
    : public detail::rwlock_guard<T, Keep, detail::rwlock_mode::write> {
    using base = detail::rwlock_guard<T, Keep, detail::rwlock_mode::write>;

public:
    /// Lets other readers in and keeps reading, with no writer in between. This guard is empty then.
    [[nodiscard]] rwlock_read_guard<T, Keep> downgrade() noexcept {
        auto const value = this->value_;
        return rwlock_read_guard<T, Keep>(release_downgraded(), value);
    }
    /// Downgrades to the part that `f(const T&)` returns a reference to.
    /// Errors  What `f` throws; this guard is unchanged then.
    template <class F>
    [[nodiscard]] auto downgrade_map(F&& f) {
        auto& part = std::invoke(std::forward<F>(f), std::as_const(**this));
        using mapped = mapped_rwlock_read_guard<std::remove_cvref_t<decltype(part)>, Keep>;
        return mapped(detail::rwlock_access::raw(release_downgraded()), std::addressof(part));
    }
    /// As downgrade_map, where `f(const T&)` returns a pointer. Where that is null, this guard is
    /// unchanged, as of try_map.
    template <class F>
    [[nodiscard]] auto try_downgrade_map(F&& f) & {
        auto* const part = std::invoke(std::forward<F>(f), std::as_const(**this));
        using mapped = mapped_rwlock_read_guard<detail::pointee_t<decltype(part)>, Keep>;
        if (part == nullptr) return std::optional<mapped>();
        return std::optional<mapped>(
            mapped(detail::rwlock_access::raw(release_downgraded()), part));
    }
    template <class F>
    [[nodiscard]] auto try_downgrade_map(F&& f) && {
        return detail::mapped_or_back(try_downgrade_map(std::forward<F>(f)), *this);
    }

    /// A guard of the part that `f(T&)` returns a reference to; this one is empty then.
    /// Errors  What `f` throws; this guard is unchanged then.
    template <class F>
    [[nodiscard]] auto map(F&& f) {
        auto& part = std::invoke(std::forward<F>(f), **this);
        using mapped = mapped_rwlock_write_guard<std::remove_reference_t<decltype(part)>, Keep>;
        return mapped(this->release_mapped(), std::addressof(part));
    }
    /// As map, where `f(T&)` returns a pointer. Where that is null, this guard is unchanged and the
    /// std::optional empty; of an rvalue, the guard comes back as the error of an expected.
    template <class F>
    [[nodiscard]] auto try_map(F&& f) & {
        auto* const part = std::invoke(std::forward<F>(f), **this);
        using mapped = mapped_rwlock_write_guard<std::remove_pointer_t<decltype(part)>, Keep>;
        if (part == nullptr) return std::optional<mapped>();
        return std::optional<mapped>(mapped(this->release_mapped(), part));
    }
    template <class F>
    [[nodiscard]] auto try_map(F&& f) && {
        return detail::mapped_or_back(try_map(std::forward<F>(f)), *this);
    }

private:
    template <class>
    friend class rwlock;
    template <class, class>
    friend class rwlock_write_guard;
    using base::base;

    Keep release_downgraded() noexcept {
        detail::rwlock_access::raw(std::to_address(this->lock_))->downgrade();
        return this->release();
    }
};

template <class T>
using owned_rwlock_read_guard = rwlock_read_guard<T, std::shared_ptr<rwlock<T>>>;
template <class T>
using owned_rwlock_write_guard = rwlock_write_guard<T, std::shared_ptr<rwlock<T>>>;

/// First argument of a rwlock that admits at most `count` readers at once; others wait.
/// Errors  Throws std::invalid_argument for 0 and above UINT32_MAX >> 3.
class max_readers {
public:
    constexpr explicit max_readers(std::uint32_t count) : count_(count) {
        if (count == 0 || count > detail::raw_rwlock::unlimited_readers)
            detail::fail<std::invalid_argument>(
                "weir::rwlock: max_readers must be from 1 to UINT32_MAX >> 3");
    }
    [[nodiscard]] constexpr std::uint32_t count() const noexcept { return count_; }

private:
    std::uint32_t count_;
};

/// Shared reading and exclusive writing, first come first served.
///
///     weir::rwlock<config> current(load());
///     { auto c = co_await current.read(); use(*c); }
///     { auto c = co_await current.write(); *c = load(); }
///
/// There is no poisoning: after an exception the next one sees the data as it was left.
/// Lifetime       Must outlive its guards and waiters; the _owned functions share the ownership.
/// Thread safety  Any thread.
template <class T>
class rwlock {
    static constexpr bool has_data = !std::is_void_v<T>;
    using stored = std::conditional_t<has_data, T, detail::unit>;
    using mode = detail::rwlock_mode;
    template <class Guard>
    static constexpr bool makes_data_of = !std::is_same_v<std::remove_cvref_t<Guard>, max_readers>;

public:
    using read_guard = rwlock_read_guard<T>;
    using write_guard = rwlock_write_guard<T>;
    using owned_read_guard = owned_rwlock_read_guard<T>;
    using owned_write_guard = owned_rwlock_write_guard<T>;

    constexpr rwlock() requires std::is_default_constructible_v<stored>
        : value_() {}
    /// Constructs the data from the arguments.
    template <class First, class... Args>
        requires(makes_data_of<First> && std::is_constructible_v<stored, First, Args...>)
    constexpr explicit rwlock(First&& first, Args&&... args)
        : value_(std::forward<First>(first), std::forward<Args>(args)...) {}
    template <class... Args>
        requires std::is_constructible_v<stored, Args...>
    constexpr explicit rwlock(max_readers limit, Args&&... args)
        : raw_(limit.count()), value_(std::forward<Args>(args)...) {}
    rwlock(const rwlock&) = delete;
    rwlock& operator=(const rwlock&) = delete;

    /// Yields a read guard.
    /// Suspends       Until every writer that asked earlier has unlocked.
    /// Cancel safety  Loses the place in the queue; a lock that was granted meanwhile passes on.
    [[nodiscard("co_await it")]] auto read() noexcept {
        return operation<rwlock*, read_guard, mode::read>(this);
    }
    /// Yields a write guard.
    /// Suspends       Until everybody who asked earlier has unlocked.
    /// Cancel safety  As read; readers behind a cancelled writer are let in.
    [[nodiscard("co_await it")]] auto write() noexcept {
        return operation<rwlock*, write_guard, mode::write>(this);
    }
    /// As read and write; the guard keeps the rwlock alive.
    [[nodiscard("co_await it")]] static auto read_owned(std::shared_ptr<rwlock> l) noexcept {
        return operation<std::shared_ptr<rwlock>, owned_read_guard, mode::read>(std::move(l));
    }
    [[nodiscard("co_await it")]] static auto write_owned(std::shared_ptr<rwlock> l) noexcept {
        return operation<std::shared_ptr<rwlock>, owned_write_guard, mode::write>(std::move(l));
    }

    /// A guard if the lock can be had at once, with nobody waiting.
    [[nodiscard]] std::optional<read_guard> try_read() noexcept {
        return try_guard<read_guard>(this, mode::read);
    }
    [[nodiscard]] std::optional<write_guard> try_write() noexcept {
        return try_guard<write_guard>(this, mode::write);
    }
    [[nodiscard]] static std::optional<owned_read_guard> try_read_owned(
        std::shared_ptr<rwlock> l) noexcept {
        return try_guard<owned_read_guard>(std::move(l), mode::read);
    }
    [[nodiscard]] static std::optional<owned_write_guard> try_write_owned(
        std::shared_ptr<rwlock> l) noexcept {
        return try_guard<owned_write_guard>(std::move(l), mode::write);
    }

    /// As read and write, blocking the thread.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    [[nodiscard]] read_guard blocking_read() {
        return detail::block_thread_on(read(), blocked_task);
    }
    [[nodiscard]] write_guard blocking_write() {
        return detail::block_thread_on(write(), blocked_task);
    }
    [[nodiscard]] static owned_read_guard blocking_read_owned(std::shared_ptr<rwlock> l) {
        return detail::block_thread_on(read_owned(std::move(l)), blocked_task);
    }
    [[nodiscard]] static owned_write_guard blocking_write_owned(std::shared_ptr<rwlock> l) {
        return detail::block_thread_on(write_owned(std::move(l)), blocked_task);
    }

    /// The data, for a caller who has the lock to itself.
    [[nodiscard]] std::add_lvalue_reference_t<T> get_mut() noexcept
        requires has_data
    {
        return value_;
    }
    /// Moves the data out, for a caller who has the lock to itself.
    [[nodiscard]] stored into_inner() &&
        requires has_data
    {
        return std::move(value_);
    }

private:
    friend struct detail::rwlock_access;
    static constexpr const char* blocked_task =
        "rwlock::blocking_read or blocking_write on a thread that runs tasks: co_await read() or "
        "write()";

    [[nodiscard]] T* data() noexcept {
        if constexpr (has_data)
            return std::addressof(value_);
        else
            return nullptr;
    }
    template <class Guard, class Keep>
    [[nodiscard]] static std::optional<Guard> try_guard(Keep l, mode m) noexcept {
        if (!l->raw_.try_lock(m)) return std::nullopt;
        auto* const value = l->data();
        return Guard(std::move(l), value);
    }

    template <class Keep, class Guard, detail::rwlock_mode Mode>
    class operation : public detail::awaitable_base {
    public:
        explicit operation(Keep l) noexcept : rwlock_(std::move(l)) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::loses_place;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public detail::raw_rwlock::waiter {
        public:
            awaiter(operation& op, detail::owner& o) noexcept
                : waiter(op.rwlock_->raw_, Mode, o), rwlock_(&op.rwlock_) {}
            Guard await_resume() noexcept {
                take_grant();
                return Guard(*rwlock_, (*rwlock_)->data());
            }

        private:
            Keep* rwlock_;
        };

        Keep rwlock_;
    };

    detail::raw_rwlock raw_;
    [[no_unique_address]] stored value_;
};

WEIR_ABI_END }  // namespace weir
