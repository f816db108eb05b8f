#pragma once
// The run queue of one thread: a growing ring of pointers, without atomics.

#include <cstddef>
#include <memory>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// First in, first out. Room is made by `reserve` when an owner comes to life, so that a wake never
/// allocates: no owner is queued twice.
template <class T>
class ready_ring {
public:
    [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
    [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }
    /// How many there ever were.
    [[nodiscard]] std::size_t pushed() const noexcept { return tail_; }
    [[nodiscard]] std::size_t popped() const noexcept { return head_; }

    void push(T* p) noexcept { slots_[tail_++ & mask_] = p; }
    /// Not of an empty one.
    [[nodiscard]] T& pop() noexcept { return *slots_[head_++ & mask_]; }

    /// Takes out the entry at `index`, counted from the next one to pop; the others keep their order.
    [[nodiscard]] T* pop_at(std::size_t index) noexcept {
        T* const p = slots_[(head_ + index) & mask_];
        for (std::size_t i = index; i > 0; --i)
            slots_[(head_ + i) & mask_] = slots_[(head_ + i - 1) & mask_];
        ++head_;
        return p;
    }

    /// Makes room for `count` entries in all.
    void reserve(std::size_t count) {
        if (count > capacity_) [[unlikely]]
            grow(count);
    }

private:
    WEIR_COLD void grow(std::size_t count) {
        std::size_t wider = capacity_ != 0 ? capacity_ * 2 : 64;
        while (wider < count) wider *= 2;
        auto slots = std::make_unique<T*[]>(wider);
        for (std::size_t i = head_; i != tail_; ++i) slots[i & (wider - 1)] = slots_[i & mask_];
        slots_ = std::move(slots);
        capacity_ = wider;
        mask_ = wider - 1;
    }

    std::unique_ptr<T*[]> slots_;
    std::size_t capacity_ = 0;
    std::size_t mask_ = 0;  // capacity_ - 1
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
