#pragma once
// What the ends of a broadcast channel share; see broadcast.hpp for how it is used.
//
// State
//   ring            slots, in one allocation with this object; the value of position p is in slot
//                   p % slots. Retained are the last `capacity_` positions before `tail_`.
//   subscriptions   every receiver's cursor, the next position it wants; a receiver alone moves its
//                   own, and reads the ring without the lock (slot.hpp)
//   `lock_`         guards everything else: sends, subscriptions, waits, and what a receiver finds
//                   that has nothing at its cursor
// Invariants  cursor <= tail_. A value is published for as many receivers as there are at that
//   moment, and each of them gives its share up: by receiving, by going, or when it is evicted.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>

#include <weir/detail/broadcast/received.hpp>
#include <weir/detail/broadcast/slot.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/sync/handle_counts.hpp>
#include <weir/detail/sync/ordered_waiters.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::broadcast {

/// A receiver's place. `next`, `prev` and the list: under the channel's lock.
struct place {
    place* prev = nullptr;
    place* next = nullptr;
    sync::atomic<std::uint64_t> cursor{0};  // its receiver writes it
    std::uint32_t index = 0;                // cursor % slots; its receiver's alone
};

template <class T>
class ring_state {
public:
    using slot = slot_for<T>;
    static constexpr std::size_t max_capacity = std::numeric_limits<std::uint32_t>::max() >> 3;

    [[nodiscard]] static ring_state* create(std::size_t capacity) {
        if (capacity == 0)
            fail<std::invalid_argument>(
                "weir::broadcast: a capacity of 0 can hold nothing; use 1 to keep the last value, "
                "or weir::watch");
        if (capacity > max_capacity)
            fail<std::invalid_argument>("weir::broadcast: the capacity is above 2^29 - 1");
        void* const block = ::operator new(ring_offset() + (capacity + slot::spare) * sizeof(slot),
                                           std::align_val_t(alignment));
        return ::new (block) ring_state(static_cast<std::uint32_t>(capacity));
    }

    // -- senders ---------------------------------------------------------------------------------

    handle_counts counts{0};

    void drop_sender() noexcept {
        if (!counts.drop_strong()) return;
        {
            scoped_lock guard(lock_);
            closed_ = true;
        }
        while (wake_receivers(std::numeric_limits<std::uint64_t>::max())) {
        }
        drop_reference();
    }
    void drop_weak() noexcept {
        if (counts.drop_weak()) destroy();
    }
    void drop_reference() noexcept {
        if (counts.drop_reference()) destroy();
    }

    /// Moves `value` in and returns for how many receivers; 0, with `value` untouched, for none.
    [[nodiscard]] std::size_t send(T& value) {
        sync::spin_wait until_free;
        for (;;) {
            const sent s = try_send(value);
            if (!s.blocked) {
                if (s.more_to_wake) [[unlikely]]
                    while (wake_receivers(s.tail)) {
                    }
                return s.receivers;
            }
            until_free.once();  // for the end of a copy of a value that has been evicted
        }
    }

    /// Values that somebody has not seen yet.
    [[nodiscard]] std::size_t size() const noexcept {
        scoped_lock guard(lock_);
        std::uint64_t slowest = tail_;
        for (const place* p = places_; p != nullptr; p = p->next)
            slowest = std::min(slowest, p->cursor.load(sync::memory_order_relaxed));
        return static_cast<std::size_t>(std::min<std::uint64_t>(tail_ - slowest, capacity_));
    }
    [[nodiscard]] std::size_t receiver_count() const noexcept {
        scoped_lock guard(lock_);
        return receivers_;
    }
    /// Registers who waits for the last receiver to go. False: there is none.
    [[nodiscard]] bool add_close_waiter(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (receivers_ == 0) return false;
        n.state = wait_node::phase::waiting;
        close_waiters_.push_back(n);
        return true;
    }
    void remove_close_waiter(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (n.state == wait_node::phase::waiting)
            close_waiters_.erase(n);
        else if (n.state != wait_node::phase::idle)
            n.who->retract(n);
        n.state = wait_node::phase::idle;
    }

    // -- receivers -------------------------------------------------------------------------------

    /// Puts a new receiver's place behind the last value.
    void subscribe(place& p) noexcept {
        counts.add_reference();
        scoped_lock guard(lock_);
        p.cursor.store(tail_, sync::memory_order_relaxed);
        p.index = tail_index_;
        link(p);
        ++receivers_;
    }
    /// Puts `to` where `from` is.
    void move_place(place& from, place& to) noexcept {
        scoped_lock guard(lock_);
        unlink(from);
        to.cursor.store(from.cursor.load(sync::memory_order_relaxed), sync::memory_order_relaxed);
        to.index = from.index;
        link(to);
    }
    void unsubscribe(place& p) noexcept {
        std::uint64_t end = 0;
        {
            wake_list wakes;
            scoped_lock guard(lock_);
            unlink(p);
            if (--receivers_ == 0)
                while (!close_waiters_.empty()) wakes.wake(close_waiters_.pop_front());
            end = tail_;
            if constexpr (slot::counts_shares) skip_to_retained(p);
        }
        if constexpr (slot::counts_shares)
            while (p.cursor.load(sync::memory_order_relaxed) != end)
                if (!read(p, [](const T&) {})) advance(p);  // evicted meanwhile
        drop_reference();
    }

    /// Whether something is at the cursor. May miss what is being sent right now, and the end.
    [[nodiscard]] bool has_next(const place& p) const noexcept {
        return slot_at(p.index).has_reached(p.cursor.load(sync::memory_order_relaxed));
    }
    /// Goes on by one value, also when copying it throws. Or tells `r` why not; where values were
    /// missed, goes on to the oldest that is kept.
    void take(place& p, received<T>& r) {
        while (!read(p, [&r](const T& v) { r.set_value(v); })) [[unlikely]] {
            scoped_lock guard(lock_);
            if (p.cursor.load(sync::memory_order_relaxed) == tail_) {
                if (closed_) r.set_closed();
                return;
            }
            if (const std::uint64_t missed = skip_to_retained(p)) return r.set_lagged(missed);
        }
    }
    /// Registers a receiver that has nothing at its cursor. False: there is something, or the end.
    [[nodiscard]] bool add_waiter(const place& p, ordered_waiter& w) noexcept {
        scoped_lock guard(lock_);
        if (closed_ || p.cursor.load(sync::memory_order_relaxed) != tail_) return false;
        waiters_.add(w, tail_);
        return true;
    }
    void remove_waiter(ordered_waiter& w) noexcept {
        scoped_lock guard(lock_);
        waiters_.remove(w);
    }
    /// How far the receiver is behind, with what it has missed.
    [[nodiscard]] std::size_t behind(const place& p) const noexcept {
        scoped_lock guard(lock_);
        return static_cast<std::size_t>(tail_ - p.cursor.load(sync::memory_order_relaxed));
    }
    [[nodiscard]] bool is_closed() const noexcept {
        scoped_lock guard(lock_);
        return closed_;
    }

private:
    struct sent {
        std::size_t receivers;
        std::uint64_t tail;
        bool blocked;  // by a copy of what was there before
        bool more_to_wake;
    };

    explicit ring_state(std::uint32_t capacity) noexcept
        : capacity_(capacity), slots_(capacity + slot::spare) {
        for (std::uint32_t i = 0; i < slots_; ++i) ::new (static_cast<void*>(ring() + i)) slot;
    }
    ~ring_state() { std::destroy_n(ring(), slots_); }

    static constexpr std::size_t alignment = std::max(cache_line, alignof(slot));
    static constexpr std::size_t ring_offset() noexcept {
        return (sizeof(ring_state) + alignof(slot) - 1) / alignof(slot) * alignof(slot);
    }
    void destroy() noexcept {
        this->~ring_state();
        ::operator delete(this, std::align_val_t(alignment));
    }
    slot* ring() const noexcept {
        auto* const self = const_cast<ring_state*>(this);
        return reinterpret_cast<slot*>(reinterpret_cast<std::byte*>(self) + ring_offset());
    }
    slot& slot_at(std::uint32_t i) const noexcept { return *std::launder(ring() + i); }

    /// One step of a receiver, by itself.
    template <class Sink>
    [[nodiscard]] bool read(place& p, Sink&& sink) {
        return slot_at(p.index).read(p.cursor.load(sync::memory_order_relaxed),
                                     [&] { advance(p); }, sink);
    }
    void advance(place& p) noexcept {
        p.cursor.store(p.cursor.load(sync::memory_order_relaxed) + 1, sync::memory_order_relaxed);
        if (++p.index == slots_) p.index = 0;
    }

    [[nodiscard]] sent try_send(T& value) {
        wake_list wakes;
        slot* evicted = nullptr;
        sent result{};
        {
            scoped_lock guard(lock_);
            if (receivers_ == 0) return result;
            slot& s = slot_at(tail_index_);
            result.blocked = !s.is_free();
            if (result.blocked) return result;
            s.publish(tail_, receivers_, value);
            result.receivers = receivers_;
            result.tail = ++tail_;
            if (++tail_index_ == slots_) tail_index_ = 0;
            if constexpr (slot::counts_shares) {
                // The slot that the next send wants holds the oldest position, unless all have seen
                // it, or the ring is not full yet.
                slot& oldest = slot_at(tail_index_);
                if (oldest.evict()) evicted = &oldest;
            }
            result.more_to_wake = waiters_.wake_batch(tail_, wakes);
        }
        if (evicted != nullptr) evicted->destroy();
        return result;
    }
    /// Wakes a batch of those who have seen less than `count`. True: there are more.
    [[nodiscard]] bool wake_receivers(std::uint64_t count) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        return waiters_.wake_batch(count, wakes);
    }

    // All of these are called with the lock held.

    /// Moves the cursor of a receiver that is too far behind; returns by how much.
    std::uint64_t skip_to_retained(place& p) noexcept {
        const std::uint64_t cursor = p.cursor.load(sync::memory_order_relaxed);
        const std::uint64_t oldest = tail_ - std::min<std::uint64_t>(tail_, capacity_);
        if (cursor >= oldest) return 0;
        p.cursor.store(oldest, sync::memory_order_relaxed);
        p.index = static_cast<std::uint32_t>(oldest % slots_);
        return oldest - cursor;
    }
    void link(place& p) noexcept {
        p.prev = nullptr;
        p.next = places_;
        if (places_ != nullptr) places_->prev = &p;
        places_ = &p;
    }
    void unlink(place& p) noexcept {
        (p.prev ? p.prev->next : places_) = p.next;
        if (p.next != nullptr) p.next->prev = p.prev;
    }

    const std::uint32_t capacity_;
    const std::uint32_t slots_;

    // What sends write, apart from what receivers read.
    alignas(cache_line) mutable small_lock lock_;
    bool closed_ = false;
    std::uint32_t tail_index_ = 0;
    std::uint64_t tail_ = 0;
    std::uint32_t receivers_ = 0;
    place* places_ = nullptr;
    ordered_waiters waiters_;
    wait_list close_waiters_;
};

}  // namespace detail::broadcast
WEIR_ABI_END }  // namespace weir
