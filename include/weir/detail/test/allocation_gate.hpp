#pragma once
// Lets the k-th allocation of a thread fail.
//
// The gate is asked by the operator new of operator_new.hpp, which one source file of a test program
// opts in to. What stands for the outside world, such as the simulated network, steps around it.

#include <cstddef>
#include <cstdint>
#include <utility>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class allocation_gate {
public:
    /// Called for each allocation. False: it is to fail.
    [[nodiscard]] static bool admits() noexcept {
        state& s = state_;
        ++s.seen;
        if (!s.armed) return true;
        if (s.until_failure != 0) return --s.until_failure, true;
        s.failed = true;
        s.armed = s.all_later;
        return false;
    }
    static void count_block(std::ptrdiff_t change) noexcept { state_.live += change; }

    /// From now on the allocation number `k`, counted from 0, fails; or that one and all later ones.
    static void arm(std::uint64_t k, bool all_later) noexcept {
        state_.until_failure = k;
        state_.all_later = all_later;
        state_.failed = false;
        state_.armed = true;
    }
    static void disarm() noexcept { state_.armed = false; }
    [[nodiscard]] static bool has_failed() noexcept { return state_.failed; }
    [[nodiscard]] static std::uint64_t seen() noexcept { return state_.seen; }
    /// Blocks that this thread has taken from operator new and not given back.
    [[nodiscard]] static std::ptrdiff_t live() noexcept { return state_.live; }

    /// Within its life nothing fails and nothing counts.
    class suspended {
    public:
        suspended() noexcept : armed_(std::exchange(state_.armed, false)) {}
        suspended(const suspended&) = delete;
        suspended& operator=(const suspended&) = delete;
        ~suspended() { state_.armed = armed_; }

    private:
        bool armed_;
    };

private:
    struct state {
        std::uint64_t until_failure;
        std::uint64_t seen;
        std::ptrdiff_t live;
        bool armed;
        bool all_later;
        bool failed;
    };
    static inline constinit thread_local state state_{0, 0, 0, false, false, false};
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
