#pragma once
// Who keeps a channel open, and who keeps its memory.

#include <cstddef>

#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Counts of the strong senders, of the weak ones, and of everything that needs the memory. The
/// strong senders hold one reference together; each weak one and each receiver holds one.
class handle_counts {
public:
    explicit handle_counts(std::size_t receivers) noexcept : references_(1 + receivers) {}

    void add_strong() noexcept { strong_.fetch_add(1, sync::memory_order_relaxed); }
    /// A strong sender from a weak one: not after the last one has gone.
    [[nodiscard]] bool try_add_strong() noexcept {
        std::size_t n = strong_.load(sync::memory_order_relaxed);
        while (n != 0)
            if (strong_.compare_exchange_weak(n, n + 1, sync::memory_order_relaxed)) return true;
        return false;
    }
    /// True: that was the last one, and its caller holds their common reference.
    [[nodiscard]] bool drop_strong() noexcept {
        return strong_.fetch_sub(1, sync::memory_order_acq_rel) == 1;
    }
    void add_weak() noexcept {
        weak_.fetch_add(1, sync::memory_order_relaxed);
        add_reference();
    }
    /// As drop_reference.
    [[nodiscard]] bool drop_weak() noexcept {
        weak_.fetch_sub(1, sync::memory_order_relaxed);
        return drop_reference();
    }
    void add_reference() noexcept { references_.fetch_add(1, sync::memory_order_relaxed); }
    /// True: nothing needs the memory any more.
    [[nodiscard]] bool drop_reference() noexcept {
        return references_.fetch_sub(1, sync::memory_order_acq_rel) == 1;
    }
    [[nodiscard]] std::size_t strong() const noexcept {
        return strong_.load(sync::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t weak() const noexcept {
        return weak_.load(sync::memory_order_relaxed);
    }

private:
    sync::atomic<std::size_t> strong_{1};
    sync::atomic<std::size_t> weak_{0};
    sync::atomic<std::size_t> references_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
