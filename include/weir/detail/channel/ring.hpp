#pragma once
// The values of a bounded channel with one receiver: a ring of slots.
//
// A channel takes a value out in two steps: under its lock it moves the value away and pops its
// slot; outside of the lock it clears the slot, which destroys what is left there. A spare slot
// keeps the next push off the one that is being cleared, so that a pop of one value needs the lock
// once. Values popped together keep their slots until `give_back`.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>
#include <weir/detail/core/destroy.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// All but `clear` is called under the channel's lock; `clear` by the one receiver.
template <class T>
class ring {
public:
    using size_type = std::uint32_t;
    static constexpr bool bounded = true;

    struct slot {
        alignas(T) std::byte bytes[sizeof(T)];
    };
    static constexpr std::size_t slots_for(std::size_t capacity) noexcept { return capacity + spare; }

    ring(slot* slots, std::size_t room) noexcept
        : slots_(slots), end_(static_cast<size_type>(slots_for(room))) {}

    void push(T& value) {
        ::new (static_cast<void*>(slots_ + tail_)) T(std::move(value));
        tail_ = after(tail_);
    }
    [[nodiscard]] T& front() noexcept { return at(head_); }

    /// Slots that have been popped, oldest first, and hold what the moves have left.
    struct departure {
        size_type first;
        size_type count = 0;
    };
    [[nodiscard]] departure begin_departure() const noexcept { return departure{head_}; }
    void pop_front(departure& d) noexcept {
        head_ = after(head_);
        ++d.count;
    }
    /// Whether the slots cannot be filled again before `give_back`.
    [[nodiscard]] static bool keeps_slots(const departure& d) noexcept { return d.count > spare; }

    struct leftover {
        explicit operator bool() const noexcept { return false; }
    };
    leftover clear(const departure& d) noexcept {
        if constexpr (!std::is_trivially_destructible_v<T>) {
            size_type i = d.first;
            for (size_type n = d.count; n != 0; --n, i = after(i)) destroy_quietly(at(i));
        }
        return {};
    }
    leftover give_back(leftover) noexcept { return {}; }

    /// Destroys all of the `count` values; the channel is not used any more.
    void destroy_all(size_type count) noexcept { clear(departure{head_, count}); }

private:
    static constexpr size_type spare = std::is_trivially_destructible_v<T> ? 0 : 1;

    T& at(size_type i) noexcept { return *std::launder(reinterpret_cast<T*>(slots_ + i)); }
    size_type after(size_type i) const noexcept { return i + 1 == end_ ? 0 : i + 1; }

    slot* slots_;
    size_type end_;
    size_type head_ = 0;
    size_type tail_ = 0;
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
