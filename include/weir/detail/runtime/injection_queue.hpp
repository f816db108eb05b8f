#pragma once
// The queue through which owners reach the workers from anywhere else.

#include <cstddef>
#include <utility>

#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/runtime/work_queue.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// First in, first out, linked through the owners themselves. A worker that finds nothing in here
/// and a thread that then pushes take the same lock, which is what keeps a wake-up from getting
/// lost between them (parking.hpp).
class injection_queue {
public:
    /// From a worker.
    void push(work_queue::chain c) noexcept {
        if (c.first == nullptr) return;
        scoped_lock guard(lock_);
        append(c);
    }
    /// From anywhere else. `then` runs before the lock is given back: whoever takes the owner out in
    /// order to end the runtime knows that this thread has left it.
    template <class Then>
    void push(owner& o, Then then) noexcept {
        work_queue::chain one;
        one.append(o);
        scoped_lock guard(lock_);
        append(one);
        then();
    }

    /// Up to `limit` of the oldest entries.
    [[nodiscard]] work_queue::chain pop(std::size_t limit) noexcept {
        work_queue::chain taken;
        scoped_lock guard(lock_);
        while (first_ != nullptr && taken.length < limit) {
            owner* const o = std::exchange(first_, first_->next_owner);
            taken.append(*o);
        }
        if (first_ == nullptr) last_ = nullptr;
        size_.store(size_.load(sync::memory_order_relaxed) - taken.length,
                    sync::memory_order_relaxed);
        return taken;
    }

    /// Exact with regard to pushes that have returned, on the thread that reads it after its own
    /// registration as idle; a hint otherwise.
    [[nodiscard]] bool empty_locked() const noexcept {
        scoped_lock guard(lock_);
        return first_ == nullptr;
    }
    [[nodiscard]] std::size_t size_hint() const noexcept {
        return size_.load(sync::memory_order_relaxed);
    }

private:
    void append(const work_queue::chain& c) noexcept {
        (last_ ? last_->next_owner : first_) = c.first;
        last_ = c.last;
        size_.store(size_.load(sync::memory_order_relaxed) + c.length, sync::memory_order_relaxed);
    }

    mutable small_lock lock_;
    owner* first_ = nullptr;
    owner* last_ = nullptr;
    sync::atomic<std::size_t> size_{0};
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
