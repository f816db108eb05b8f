#pragma once
// The run queue of one worker: a ring of 256 that its worker fills and others steal half of.
//
// State    tail_   one past the newest entry; written by the worker
//          head_   two indices in one word: `real`, the oldest entry, and `steal`, the oldest slot
//                  that a thief may still be copying from; equal while nobody steals
// Push     the worker, while fewer than 256 slots are in use from `steal` on: store the slot,
//          publish by tail_. A full ring sends half of itself to the injection queue.
// Pop      the worker: moves `real` by compare-and-swap, since a thief may be moving it too.
// Steal    a thief moves `real` past half of the entries in one step, copies them into its own
//          ring, then moves `steal` up. Only one thief at a time: who finds the indices unequal
//          goes elsewhere.
// Ordering tail_'s release names the thief's and the worker's acquire; a move of head_ releases the
//          copies that were made, to the push that reuses the slots.
//
// The scheme is that of Go's and Tokio's schedulers, after Blumofe and Leiserson, 1999.

#include <array>
#include <cstdint>

#include <weir/detail/core/owner.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// A chain of owners, linked by `next_owner`.
struct owner_chain {
    owner* first = nullptr;
    owner* last = nullptr;
    std::uint32_t length = 0;

    void append(owner& o) noexcept {
        o.next_owner = nullptr;
        (last ? last->next_owner : first) = &o;
        last = &o;
        ++length;
    }
};

template <std::uint32_t Capacity>
class basic_work_queue {
public:
    static constexpr std::uint32_t capacity = Capacity;
    using chain = owner_chain;

    // -- the worker ------------------------------------------------------------------------------

    /// Appends `o`. Where there is no room, it goes into `overflow`, with half of the ring.
    void push(owner& o, chain& overflow) noexcept {
        const std::uint32_t tail = tail_.load(sync::memory_order_relaxed);
        std::uint64_t head = head_.load(sync::memory_order_acquire);  // from steal
        if (tail - steal_of(head) < capacity) [[likely]] {
            slot(tail) = &o;
            tail_.store(tail + 1, sync::memory_order_release);  // to pop and steal
            return;
        }
        constexpr std::uint32_t half = capacity / 2;
        const std::uint32_t real = real_of(head);
        if (steal_of(head) == real &&
            head_.compare_exchange_strong(head, pack(real + half, real + half),
                                          sync::memory_order_acq_rel, sync::memory_order_relaxed)) {
            for (std::uint32_t i = 0; i < half; ++i)
                overflow.append(*slot(real + i));
        }
        overflow.append(o);  // alone where a thief is about to make room
    }

    /// The oldest entry, or null.
    [[nodiscard]] owner* pop() noexcept {
        std::uint64_t head = head_.load(sync::memory_order_acquire);  // from another steal
        const std::uint32_t tail = tail_.load(sync::memory_order_relaxed);
        for (;;) {
            const std::uint32_t real = real_of(head);
            if (real == tail) return nullptr;
            const std::uint32_t steal = steal_of(head) == real ? real + 1 : steal_of(head);
            if (head_.compare_exchange_weak(head, pack(steal, real + 1), sync::memory_order_acq_rel,
                                            sync::memory_order_acquire))
                return slot(real);
        }
    }

    // -- anybody ---------------------------------------------------------------------------------

    [[nodiscard]] std::uint32_t size() const noexcept {
        const std::uint64_t head = head_.load(sync::memory_order_acquire);
        return tail_.load(sync::memory_order_acquire) - real_of(head);
    }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    /// The index behind the newest entry, and whether all entries before an index have left.
    [[nodiscard]] std::uint32_t end() const noexcept { return tail_.load(sync::memory_order_relaxed); }
    [[nodiscard]] bool has_passed(std::uint32_t index) const noexcept {
        const std::uint32_t real = real_of(head_.load(sync::memory_order_relaxed));
        return static_cast<std::int32_t>(real - index) >= 0;
    }

    /// Moves half of the entries, rounded up, into the caller's empty queue; returns how many.
    std::uint32_t steal_into(basic_work_queue& mine) noexcept {
        std::uint64_t head = head_.load(sync::memory_order_acquire);  // from the last steal
        std::uint32_t first = 0;
        std::uint32_t count = 0;
        do {
            first = real_of(head);
            if (steal_of(head) != first) return 0;  // somebody else steals
            const std::uint32_t there = tail_.load(sync::memory_order_acquire) - first;  // from push
            count = there - there / 2;
            if (count == 0 || count > capacity) return 0;
        } while (!head_.compare_exchange_weak(head, pack(first, first + count),
                                              sync::memory_order_acq_rel,
                                              sync::memory_order_acquire));
        const std::uint32_t at = mine.tail_.load(sync::memory_order_relaxed);
        for (std::uint32_t i = 0; i < count; ++i)
            mine.slot(at + i) = slot(first + i);
        head = head_.load(sync::memory_order_acquire);
        while (!head_.compare_exchange_weak(head, pack(real_of(head), real_of(head)),
                                            sync::memory_order_acq_rel,  // to push
                                            sync::memory_order_acquire)) {
        }
        mine.tail_.store(at + count, sync::memory_order_release);  // to pop and steal
        return count;
    }

private:
    static std::uint32_t steal_of(std::uint64_t head) noexcept {
        return static_cast<std::uint32_t>(head >> 32);
    }
    static std::uint32_t real_of(std::uint64_t head) noexcept {
        return static_cast<std::uint32_t>(head);
    }
    static std::uint64_t pack(std::uint32_t steal, std::uint32_t real) noexcept {
        return static_cast<std::uint64_t>(steal) << 32 | real;
    }
    owner*& slot(std::uint32_t i) noexcept { return slots_[i % capacity]; }

    alignas(cache_line) sync::atomic<std::uint64_t> head_{0};
    alignas(cache_line) sync::atomic<std::uint32_t> tail_{0};
    alignas(cache_line) std::array<owner*, capacity> slots_{};
};

using work_queue = basic_work_queue<256>;

}  // namespace detail
WEIR_ABI_END }  // namespace weir
