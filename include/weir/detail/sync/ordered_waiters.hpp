#pragma once
// Waits for a count to go on: values sent, or versions of one value.
//
// A wait begins, under the primitive's lock, only while the count is where the waiter has seen it.
// So the list is in the order of those counts, and who has to be woken stands at its front: a
// primitive may give its lock back in the middle of waking many, and no wait that began meanwhile
// is woken for what it has seen.

#include <cstdint>

#include <weir/detail/core/awaitable.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class ordered_waiter : public leaf_awaiter {
protected:
    ordered_waiter(owner& o, wait_kind k) noexcept : leaf_awaiter(o, k) {}
    ~ordered_waiter() = default;

private:
    friend class ordered_waiters;
    std::uint64_t seen_ = 0;
};

/// Everything here is called under the primitive's lock.
class ordered_waiters {
public:
    static constexpr unsigned batch = 32;

    /// `seen` is the count as it is now.
    void add(ordered_waiter& w, std::uint64_t seen) noexcept {
        w.seen_ = seen;
        w.state = wait_node::phase::waiting;
        list_.push_back(w);
    }

    /// Ends a wait that may or may not have been woken.
    void remove(ordered_waiter& w) noexcept {
        if (w.state == wait_node::phase::waiting)
            list_.erase(w);
        else if (w.state != wait_node::phase::idle)
            w.who->retract(w);
        w.state = wait_node::phase::idle;
    }

    /// Wakes up to a batch of those who have seen less than `count`. True: there are more.
    [[nodiscard]] bool wake_batch(std::uint64_t count, wake_list& wakes) noexcept {
        for (unsigned i = 0; i < batch; ++i) {
            if (!has_seen_less(count)) return false;
            wakes.wake(list_.pop_front());
        }
        return has_seen_less(count);
    }

private:
    [[nodiscard]] bool has_seen_less(std::uint64_t count) const noexcept {
        return !list_.empty() && static_cast<ordered_waiter*>(list_.front())->seen_ < count;
    }

    wait_list list_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
