#pragma once
// The values of an unbounded channel: linked blocks of 32 slots.
//
// As ring.hpp; slots are not filled again, so none is kept. A block that has been cleared as a whole
// goes to a few spare ones, or back to the allocator when there are enough of those: what a burst
// has taken is returned. Blocks are allocated and freed outside of the channel's lock.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/detail/core/destroy.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// All but `clear` and `make_block` is called under the channel's lock.
template <class T>
class block_queue {
    struct block;

public:
    using size_type = std::size_t;
    static constexpr bool bounded = false;
    static constexpr std::uint32_t block_values = 32;
    static constexpr std::size_t max_spare_blocks = 2;

    struct slot {
        alignas(T) std::byte bytes[sizeof(T)];
    };
    static constexpr std::size_t slots_for(std::size_t) noexcept { return 0; }

    block_queue(slot*, std::size_t) noexcept {}

    /// Some blocks, freed on destruction.
    class blocks {
    public:
        blocks() = default;
        explicit blocks(block* b) noexcept { push(b); }
        blocks(blocks&& other) noexcept
            : top_(std::exchange(other.top_, nullptr)), size_(std::exchange(other.size_, 0)) {}
        blocks& operator=(blocks&& other) noexcept {
            std::swap(top_, other.top_);
            std::swap(size_, other.size_);
            return *this;
        }
        ~blocks() {
            while (block* const b = pop()) delete b;
        }
        explicit operator bool() const noexcept { return top_ != nullptr; }
        [[nodiscard]] std::size_t size() const noexcept { return size_; }
        void push(block* b) noexcept {
            b->next = std::exchange(top_, b);
            ++size_;
        }
        /// Null if there is none.
        [[nodiscard]] block* pop() noexcept {
            block* const b = top_;
            if (b == nullptr) return nullptr;
            top_ = b->next;
            --size_;
            return b;
        }

    private:
        block* top_ = nullptr;
        std::size_t size_ = 0;
    };

    [[nodiscard]] static blocks make_block() { return blocks(new block); }
    /// Makes sure that a value can be pushed, if need be by taking over the block that was brought.
    [[nodiscard]] bool prepare_push(blocks& brought) noexcept {
        if (tail_ != nullptr && last_ != block_values) return true;
        block* const b = spare_ ? spare_.pop() : brought.pop();
        if (b == nullptr) return false;
        b->next = nullptr;
        b->unfinished.store(block_values, sync::memory_order_relaxed);
        (tail_ == nullptr ? head_ : tail_->next) = b;
        tail_ = b;
        last_ = 0;
        return true;
    }
    void push(T& value) {
        ::new (static_cast<void*>(tail_->slots + last_)) T(std::move(value));
        ++last_;
    }
    [[nodiscard]] T& front() noexcept { return head_->at(first_); }

    /// Slots that have been popped, oldest first, and hold what the moves have left.
    struct departure {
        block* first;
        std::uint32_t index;
        size_type count = 0;
    };
    [[nodiscard]] departure begin_departure() const noexcept { return departure{head_, first_}; }
    void pop_front(departure& d) noexcept {
        ++d.count;
        if (++first_ != block_values) return;
        first_ = 0;
        if (head_ == tail_) tail_ = nullptr;
        head_ = tail_ == nullptr ? nullptr : head_->next;
    }
    [[nodiscard]] static bool keeps_slots(const departure&) noexcept { return false; }

    /// Returns the blocks that nobody uses any more.
    [[nodiscard]] blocks clear(const departure& d) noexcept {
        blocks cleared;
        block* b = d.first;
        std::uint32_t i = d.index;
        for (size_type left = d.count; left != 0; i = 0) {
            const auto here =
                static_cast<std::uint32_t>(std::min<size_type>(left, block_values - i));
            left -= here;
            block* const next = left != 0 ? b->next : nullptr;
            for (std::uint32_t k = i; k != i + here; ++k) destroy_quietly(b->at(k));
            if (finish(*b, i, here)) cleared.push(b);
            b = next;
        }
        return cleared;
    }
    /// Keeps some blocks as spare ones and returns the rest, to be freed outside of the lock.
    [[nodiscard]] blocks give_back(blocks cleared) noexcept {
        while (cleared && spare_.size() < max_spare_blocks) spare_.push(cleared.pop());
        return cleared;
    }

    /// Destroys all of the `count` values; the channel is not used any more.
    void destroy_all(size_type count) noexcept {
        departure d = begin_departure();
        while (count-- != 0) pop_front(d);
        {
            const blocks cleared = clear(d);
        }
        delete std::exchange(head_, nullptr);  // what clear has left: a block that is not full
        tail_ = nullptr;
        const blocks spare = std::move(spare_);
    }

private:
    struct block {
        block() noexcept {}  // leaves the slots as they are
        T& at(std::uint32_t i) noexcept { return *std::launder(reinterpret_cast<T*>(slots + i)); }

        block* next = nullptr;
        sync::atomic<std::uint32_t> unfinished{0};  // slots that have not been cleared
        slot slots[block_values];
    };

    // Whether the slots from `i` on were the last of the block. Receivers clear theirs in any order,
    // unless there is nothing to destroy: then that happens under the lock, in order.
    static bool finish(block& b, std::uint32_t i, std::uint32_t count) noexcept {
        if constexpr (std::is_trivially_destructible_v<T>)
            return i + count == block_values;
        else
            return b.unfinished.fetch_sub(count, sync::memory_order_acq_rel) == count;
    }

    block* head_ = nullptr;
    block* tail_ = nullptr;
    std::uint32_t first_ = 0;  // the oldest value, in head_
    std::uint32_t last_ = 0;   // behind the newest value, in tail_
    blocks spare_;
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
