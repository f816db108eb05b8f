#pragma once
// Where a broadcast channel keeps one value while receivers copy it, without the channel's lock.
//
// word_slot     For small values that can be copied as bytes. A receiver copies the words and then
//               looks whether the slot has been overwritten meanwhile: it writes nothing, so that
//               many receivers on many threads do not get into each other's way.
//   sequence_   0: being written | p + 1: holds the value of position p
//   Ordering    The words are stored with release after the 0 and loaded with acquire before the
//               second look: who sees a new word sees the 0 or what came after it.
//
// counted_slot  For all others. `word_` counts, in its upper half, the shares of the receivers that
//               have not seen the value yet, and in its lower half those that are copying it.
//   free        0
//   held        shares > 0; a receiver that is entitled to a share may begin to copy
//   evicted     shares = 0, copies > 0: overwritten, or seen by all; the last copy destroys it
//   dying       somebody destroys the value, then stores 0 with release, for the next publish
//   Who reaches `dying` does so by a compare-exchange, so exactly one does.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/detail/core/destroy.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::broadcast {

template <class T>
class word_slot {
public:
    /// How many more slots than values a ring needs.
    static constexpr std::uint32_t spare = 0;
    static constexpr bool counts_shares = false;

    // -- under the channel's lock ----------------------------------------------------------------

    [[nodiscard]] bool is_free() const noexcept { return true; }
    void publish(std::uint64_t position, std::uint32_t /*shares*/, T& value) noexcept {
        word image[words]{};
        std::memcpy(image, std::addressof(value), sizeof(T));
        sequence_.store(0, sync::memory_order_relaxed);
        for (std::size_t i = 0; i < words; ++i)
            words_[i].store(image[i], sync::memory_order_release);  // to read's loads
        sequence_.store(position + 1, sync::memory_order_release);  // to read
    }
    [[nodiscard]] bool evict() noexcept { return false; }
    void destroy() noexcept {}

    // -- a receiver ------------------------------------------------------------------------------

    /// Whether the value of this position is here, or was and has been overwritten. May be false
    /// while it is being written.
    [[nodiscard]] bool has_reached(std::uint64_t position) const noexcept {
        return sequence_.load(sync::memory_order_relaxed) > position;
    }
    /// Calls `sink(const T&)`. False: the value is not here.
    template <class Before, class Sink>
    [[nodiscard]] bool read(std::uint64_t position, Before&& before, Sink&& sink) {
        if (sequence_.load(sync::memory_order_acquire) != position + 1)  // from publish
            return false;
        word image[words];
        for (std::size_t i = 0; i < words; ++i)
            image[i] = words_[i].load(sync::memory_order_acquire);  // from publish
        if (sequence_.load(sync::memory_order_relaxed) != position + 1) return false;
        alignas(T) std::byte storage[sizeof(T)];
        std::memcpy(storage, image, sizeof(T));
        before();
        sink(std::as_const(*std::launder(reinterpret_cast<T*>(storage))));
        return true;
    }

private:
    using word = std::uint64_t;
    static constexpr std::size_t words = (sizeof(T) + sizeof(word) - 1) / sizeof(word);

    sync::atomic<std::uint64_t> sequence_{0};
    sync::atomic<word> words_[words];
};

template <class T>
class counted_slot {
public:
    // One more, so that a value is put in its place before another one has to leave: if putting it
    // there throws, nothing has happened, and a copy that is under way holds no send up.
    static constexpr std::uint32_t spare = 1;
    static constexpr bool counts_shares = true;

    // -- under the channel's lock ----------------------------------------------------------------

    [[nodiscard]] bool is_free() const noexcept {
        return word_.load(sync::memory_order_acquire) == 0;  // from destroy
    }
    void publish(std::uint64_t position, std::uint32_t shares, T& value) {
        ::new (static_cast<void*>(storage_)) T(std::move(value));
        sequence_.store(position + 1, sync::memory_order_relaxed);
        word_.store(std::uint64_t{shares} * share, sync::memory_order_release);  // to begin_copy
    }
    /// Takes the value away from those who have not seen it. True: the caller calls `destroy`,
    /// after it has given the lock back.
    [[nodiscard]] bool evict() noexcept {
        std::uint64_t w = word_.load(sync::memory_order_relaxed);
        std::uint64_t next = 0;
        do {
            if (w < share) return false;
            next = copies(w) == 0 ? dying : copies(w);
        } while (!word_.compare_exchange_weak(w, next, sync::memory_order_acquire,  // from end_copy
                                              sync::memory_order_relaxed));
        return next == dying;
    }
    /// The value's destructor runs when the slot is free again, since it may send.
    void destroy() noexcept {
        T& value = *std::launder(reinterpret_cast<T*>(storage_));
        if constexpr (std::is_trivially_destructible_v<T> ||
                      !std::is_nothrow_move_constructible_v<T> ||
                      !std::is_nothrow_destructible_v<T>) {
            destroy_quietly(value);
            word_.store(0, sync::memory_order_release);  // to is_free
        } else {
            T last(std::move(value));
            std::destroy_at(std::addressof(value));
            word_.store(0, sync::memory_order_release);  // to is_free
        }
    }

    // -- a receiver ------------------------------------------------------------------------------

    [[nodiscard]] bool has_reached(std::uint64_t position) const noexcept {
        return sequence_.load(sync::memory_order_relaxed) > position;
    }
    /// Calls `before()`, then `sink(const T&)`, and gives up the share, also when the sink throws.
    /// False: the value is not here any more.
    template <class Before, class Sink>
    [[nodiscard]] bool read(std::uint64_t position, Before&& before, Sink&& sink) {
        if (!begin_copy()) return false;
        if (sequence_.load(sync::memory_order_relaxed) != position + 1) {
            end_copy(0);  // of a later value, which is not this receiver's to see yet
            return false;
        }
        before();
        const copying until_the_end(*this);
        sink(std::as_const(*std::launder(reinterpret_cast<T*>(storage_))));
        return true;
    }

private:
    static constexpr std::uint64_t share = std::uint64_t{1} << 32;
    static constexpr std::uint64_t dying = share - 1;
    static constexpr std::uint64_t copies(std::uint64_t w) noexcept { return w & (share - 1); }

    class copying {
    public:
        explicit copying(counted_slot& s) noexcept : slot_(&s) {}
        copying(const copying&) = delete;
        copying& operator=(const copying&) = delete;
        ~copying() { slot_->end_copy(share); }

    private:
        counted_slot* slot_;
    };

    [[nodiscard]] bool begin_copy() noexcept {
        std::uint64_t w = word_.load(sync::memory_order_relaxed);
        do {
            if (w < share) return false;
        } while (!word_.compare_exchange_weak(w, w + 1, sync::memory_order_acquire,  // from publish
                                              sync::memory_order_relaxed));
        return true;
    }
    void end_copy(std::uint64_t given_up) noexcept {
        std::uint64_t w = word_.load(sync::memory_order_relaxed);
        std::uint64_t next = 0;
        do {
            next = (w < share ? w : w - given_up) - 1;
            if (next == 0) next = dying;
        } while (!word_.compare_exchange_weak(w, next, sync::memory_order_acq_rel,
                                              sync::memory_order_relaxed));
        if (next == dying) destroy();
    }

    sync::atomic<std::uint64_t> sequence_{0};
    sync::atomic<std::uint64_t> word_{0};
    alignas(T) std::byte storage_[sizeof(T)];
};

template <class T>
using slot_for = std::conditional_t<std::is_trivially_copyable_v<T> && sizeof(T) <= 128,
                                    word_slot<T>, counted_slot<T>>;

}  // namespace detail::broadcast
WEIR_ABI_END }  // namespace weir
