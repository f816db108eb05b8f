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
    observed& operator=(T value) noexcept {
        value_.store(value, sync::memory_order_relaxed);
        return *this;
    }

private:
    sync::atomic<T> value_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
