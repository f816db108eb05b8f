#pragma once
// The counted storage behind bytes and byte_buffer: one allocation holds the count and the data.

#include <concepts>
#include <cstddef>
#include <iterator>  // std::data, std::size
#include <limits>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class B>
concept byte_like =
    std::same_as<B, char> || std::same_as<B, unsigned char> || std::same_as<B, std::byte>;

template <class R>
concept byte_range = requires(const R& range) {
    requires byte_like<std::remove_cvref_t<decltype(*std::data(range))>>;
    { std::size(range) } -> std::convertible_to<std::size_t>;
};

/// Counts its owners and frees itself after the last. Either the data follow the block in the same
/// allocation (`make`), or the block keeps alive the container that has them (`keep`).
class storage_block {
public:
    storage_block(const storage_block&) = delete;
    storage_block& operator=(const storage_block&) = delete;

    /// Makes a block with room for `capacity` bytes of its own; one owner.
    static storage_block* make(std::size_t capacity) {
        if (capacity > std::numeric_limits<std::size_t>::max() / 2 - sizeof(storage_block))
            fail<std::length_error>("weir::bytes: more bytes than there can be memory");
        void* const place = ::operator new(sizeof(storage_block) + capacity);
        return ::new (place) storage_block(capacity, [](storage_block* block) noexcept {
            block->~storage_block();
            ::operator delete(static_cast<void*>(block));
        });
    }

    /// Moves `container` into a block, at `*data()`; one owner.
    template <class Container>
    static auto* keep(Container container);

    void add_owner() noexcept { owners_.fetch_add(1, sync::memory_order_relaxed); }

    void drop_owner() noexcept {
        // One read instead of a read-modify-write for the last owner: nobody else can add one.
        if (sole_owner() || owners_.fetch_sub(1, sync::memory_order_acq_rel) == 1) free_(this);
    }

    /// Whether the caller, who owns it, is alone. What former owners did happened before.
    bool sole_owner() const noexcept {
        return owners_.load(sync::memory_order_acquire) == 1;  // from drop_owner
    }
    std::size_t owners() const noexcept { return owners_.load(sync::memory_order_relaxed); }

    char* data() noexcept { return reinterpret_cast<char*>(this + 1); }
    std::size_t capacity() const noexcept { return capacity_; }

protected:
    using free_function = void (*)(storage_block*) noexcept;
    storage_block(std::size_t capacity, free_function free) noexcept
        : capacity_(capacity), free_(free) {}
    ~storage_block() = default;

private:
    sync::atomic<std::size_t> owners_{1};
    std::size_t capacity_;
    free_function free_;
};

template <class Container>
class container_block : public storage_block {
public:
    explicit container_block(Container&& container)
        : storage_block(0, [](storage_block* block) noexcept {
              delete static_cast<container_block*>(block);
          }),
          container_(std::move(container)) {}

    const Container& container() const noexcept { return container_; }

private:
    friend class storage_block;
    Container container_;
};

template <class Container>
auto* storage_block::keep(Container container) {
    return new container_block<Container>(std::move(container));
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
