#pragma once
// What the guards of a rwlock have in common.

#include <type_traits>
#include <utility>

#include <weir/detail/sync/raw_rwlock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class P>
using pointee_t = std::remove_cv_t<std::remove_pointer_t<P>>;

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
        if (auto const l = std::exchange(lock_, nullptr)) l->unlock(Mode);
    }

protected:
    rwlock_guard(Keep l, T* value) noexcept : lock_(std::move(l)), value_(value) {}
    ~rwlock_guard() { unlock(); }

    /// Leaves the lock held, for another guard to take over.
    [[nodiscard]] Keep release() noexcept { return std::exchange(lock_, nullptr); }

    Keep lock_;
    T* value_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
