#pragma once
// A number that is written under a lock and may be looked at without it, as a hint.

#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Reads and writes like a T, with relaxed loads and stores. Only the holder of the lock writes, so
/// that a change needs no read-modify-write; who reads without the lock must look again under it
/// before relying on what it saw.
template <class T>
class observed {
public:
    constexpr explicit observed(T value) noexcept : value_(value) {}
    operator T() const noexcept { return value_.load(sync::memory_order_relaxed); }
    observed(const observed&) = delete;
    observed& operator=(const observed& other) noexcept { return *this = T(other); }
    observed& operator=(T value) noexcept {
        value_.store(value, sync::memory_order_relaxed);
        return *this;
    }

private:
    sync::atomic<T> value_;
};

/// What one thread at a time writes for itself, and others may glance at: a T as good as without.
/// Nobody glances in a model, where each access would have to be tried in every order.
#if defined(WEIR_MODEL)
template <class T>
using published = T;
#else
template <class T>
using published = observed<T>;
#endif

}  // namespace detail
WEIR_ABI_END }  // namespace weir
