#pragma once
// The values of a bounded channel with several receivers: linked slots.
//
// As ring.hpp, but receivers clear their slots in any order, so slots are chained by their index:
// one chain of values, oldest first, and one of slots that can be filled again.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>
#include <weir/detail/core/destroy.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// All but `clear` is called under the channel's lock.
template <class T>
class slot_pool {
public:
    using size_type = std::uint32_t;
    static constexpr bool bounded = true;

    struct slot {
        alignas(T) std::byte bytes[sizeof(T)];
        size_type next;
    };
    static constexpr std::size_t slots_for(std::size_t capacity) noexcept { return capacity; }

    slot_pool(slot* slots, std::size_t) noexcept : slots_(slots) {}

    void push(T& value) {
        const size_type i = free_ != none ? free_ : untouched_;
        ::new (static_cast<void*>(slots_[i].bytes)) T(std::move(value));
        if (free_ != none)
            free_ = slots_[i].next;
        else
            ++untouched_;
        (head_ == none ? head_ : slots_[tail_].next) = i;
        slots_[i].next = none;
        tail_ = i;
    }
    [[nodiscard]] T& front() noexcept { return at(head_); }

    /// Slots that have been popped, oldest first, and hold what the moves have left.
    struct departure {
        size_type first;
        size_type count = 0;
        explicit operator bool() const noexcept { return count != 0; }
    };
    [[nodiscard]] departure begin_departure() const noexcept { return departure{head_}; }
    void pop_front(departure& d) noexcept {
        head_ = slots_[head_].next;
        ++d.count;
    }
    [[nodiscard]] static bool keeps_slots(const departure&) noexcept { return true; }

    departure clear(const departure& d) noexcept {
        if constexpr (!std::is_trivially_destructible_v<T>) {
            size_type i = d.first;
            for (size_type n = d.count; n != 0; --n, i = slots_[i].next) destroy_quietly(at(i));
        }
        return d;
    }
    departure give_back(const departure& d) noexcept {
        size_type i = d.first;
        for (size_type n = d.count; n != 0; --n)
            i = std::exchange(slots_[i].next, std::exchange(free_, i));
        return departure{none};
    }

    /// Destroys all of the `count` values; the channel is not used any more.
    void destroy_all(size_type count) noexcept { clear(departure{head_, count}); }

private:
    static constexpr size_type none = UINT32_MAX;

    T& at(size_type i) noexcept { return *std::launder(reinterpret_cast<T*>(slots_[i].bytes)); }

    slot* slots_;
    size_type head_ = none;
    size_type tail_ = none;  // meaningful while there is a head
    size_type free_ = none;
    size_type untouched_ = 0;  // the slots from here on have never been filled
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
