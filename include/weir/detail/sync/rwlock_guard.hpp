#pragma once
// What the guards of a rwlock have in common.

#include <memory>
#include <type_traits>
#include <utility>

#include <weir/detail/sync/raw_rwlock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class P>
using pointee_t = std::remove_cv_t<std::remove_pointer_t<P>>;

/// Reaches the queue inside a rwlock; befriended by it. A guard of a part forgets the type of the
/// whole, and keeps a pointer to the queue alone.
struct rwlock_access {
    template <class L>
    static raw_rwlock* raw(L* l) noexcept {
        if constexpr (std::is_same_v<L, raw_rwlock>)
            return l;
        else
            return &l->raw_;
    }
    template <class L>
    static std::shared_ptr<raw_rwlock> raw(std::shared_ptr<L> l) noexcept {
        raw_rwlock* const queue = raw(l.get());
        return {std::move(l), queue};
    }
};

/// How a guard of a part holds on to the lock.
template <class Keep>
using mapped_keep_t = decltype(rwlock_access::raw(std::declval<Keep>()));

/// Holds a rwlock in one mode, and the data or a part of it. `Keep` is how it holds on to the lock.
template <class T, class Keep, rwlock_mode Mode>
class rwlock_guard {
public:
    rwlock_guard(rwlock_guard&& other) noexcept
        : lock_(std::exchange(other.lock_, nullptr)), value_(other.value_) {}
    rwlock_guard& operator=(rwlock_guard&& other) noexcept {
        if (this != &other) {
            unlock();
            lock_ = std::exchange(other.lock_, nullptr);
            value_ = other.value_;
        }
        return *this;
    }

    std::add_lvalue_reference_t<T> operator*() const noexcept
        requires(!std::is_void_v<T>)
    {
        return *value_;
    }
    T* operator->() const noexcept
        requires(!std::is_void_v<T>)
    {
        return value_;
    }

    /// Gives the lock to who waits next, before the guard ends.
    void unlock() noexcept {
        if (auto const l = std::exchange(lock_, nullptr))
            rwlock_access::raw(std::to_address(l))->unlock(Mode);
    }

    /// The rwlock that is locked: a reference, or of an owned guard the shared pointer.
    [[nodiscard]] decltype(auto) rwlock() const noexcept
        requires(!std::is_same_v<Keep, mapped_keep_t<Keep>>)
    {
        if constexpr (std::is_pointer_v<Keep>)
            return (*lock_);
        else
            return (lock_);
    }

protected:
    rwlock_guard(Keep l, T* value) noexcept : lock_(std::move(l)), value_(value) {}
    ~rwlock_guard() { unlock(); }

    /// Leaves the lock held, for another guard to take over.
    [[nodiscard]] Keep release() noexcept { return std::exchange(lock_, nullptr); }
    [[nodiscard]] mapped_keep_t<Keep> release_mapped() noexcept {
        return rwlock_access::raw(release());
    }

    Keep lock_;
    T* value_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
