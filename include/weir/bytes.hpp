#pragma once
// Bytes that many tasks and threads share without copying, and a buffer to read into.
//
//     weir::byte_buffer in;
//     std::span<char> room = in.prepare(4096);   // at least as much as asked for
//     in.commit(read(fd, room.data(), room.size()));
//     weir::bytes head = in.split_to(5);         // shares the storage, copies nothing
//     weir::bytes again = head;                  // nor does this
//     weir::bytes ok = weir::bytes::from_static("+OK\r\n");   // not even an allocation
//
// A `bytes` is a pointer, a length and a counted block of storage; what it shows never changes
// while it lives. A `byte_buffer` owns [data(), data() + capacity()) of its block, which nobody
// else sees: what split_to has handed out lies in front of it. When all those handles are gone,
// the buffer moves what it holds back to the start of the block instead of allocating.

#include <algorithm>
#include <cassert>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <functional>  // std::hash
#include <iosfwd>
#include <iterator>  // std::data, std::size
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/detail/bytes/storage_block.hpp>
#include <weir/detail/core/config.hpp>
#include <weir/detail/core/misuse.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A handle of bytes that do not change. Copies and slices share them and cost one count.
/// Errors: a range that reaches past the end throws std::out_of_range; operator[] asserts.
/// Lifetime: the storage lives as long as any handle of any part of it; where a small part would
/// keep a large block alive for long, copy_of(part) lets go of it.
/// Thread safety: different handles may be used and destroyed on different threads at once, also
/// when they share storage; one handle is as safe as an int.
class bytes {
public:
    using value_type = char;
    using size_type = std::size_t;
    using iterator = const char*;
    using const_iterator = const char*;
    static constexpr std::size_t npos = static_cast<std::size_t>(-1);

    constexpr bytes() noexcept = default;

    /// Takes over the storage of a string.
    explicit bytes(std::string text) { keep(std::move(text)); }

    /// Takes over the storage of a vector of char, unsigned char or std::byte.
    template <detail::byte_like B>
    explicit bytes(std::vector<B> data) {
        keep(std::move(data));
    }

    /// Shows storage that lives until the end of the program, such as a literal; never allocates.
    [[nodiscard]] static constexpr bytes from_static(std::string_view text) noexcept {
        return bytes(nullptr, text.data(), text.size());
    }

    /// Copies, with one allocation.
    [[nodiscard]] static bytes copy_of(std::string_view text);

    /// Copies any contiguous range of char, unsigned char or std::byte, with one allocation.
    template <detail::byte_range R>
        requires(!std::convertible_to<const R&, std::string_view>)
    [[nodiscard]] static bytes copy_of(const R& range) {
        return copy_of(
            std::string_view(reinterpret_cast<const char*>(std::data(range)), std::size(range)));
    }

    bytes(const bytes& other) noexcept
        : block_(other.block_), data_(other.data_), size_(other.size_) {
        if (block_) block_->add_owner();
    }
    constexpr bytes(bytes&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)),
          data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    constexpr ~bytes() {
        if (block_) block_->drop_owner();
    }
    bytes& operator=(const bytes& other) noexcept {
        bytes(other).swap(*this);
        return *this;
    }
    bytes& operator=(bytes&& other) noexcept {
        bytes(std::move(other)).swap(*this);
        return *this;
    }
    void swap(bytes& other) noexcept {
        std::swap(block_, other.block_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }
    friend void swap(bytes& a, bytes& b) noexcept { a.swap(b); }

    constexpr const char* data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }
    [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
    constexpr const char* begin() const noexcept { return data_; }
    constexpr const char* end() const noexcept { return data_ + size_; }
    constexpr char operator[](std::size_t i) const noexcept {
        assert(i < size_ && "weir::bytes: index past the end");
        return data_[i];
    }
    constexpr std::string_view view() const noexcept { return {data_, size_}; }
    constexpr operator std::string_view() const noexcept { return view(); }
    std::string to_string() const { return std::string(view()); }

    /// Returns `n` bytes from `first` on, by default all the rest; shares the storage.
    [[nodiscard]] bytes slice(std::size_t first, std::size_t n = npos) const;

    /// Returns the handle of `part`, a view of some of these bytes, as a parser finds it.
    [[nodiscard]] bytes slice_of(std::string_view part) const;

    /// Returns the first `n` bytes and keeps the rest.
    bytes split_to(std::size_t n);

    /// Keeps the first `n` bytes and returns the rest.
    bytes split_off(std::size_t n);

    /// Keeps the first `n` bytes at most.
    void truncate(std::size_t n) noexcept { size_ = std::min(size_, n); }

    /// Drops the first `n` bytes.
    void advance(std::size_t n);

    void clear() noexcept { bytes().swap(*this); }

    /// How many handles share the storage; 0 where there is none to count. A hint when others may
    /// copy or drop theirs meanwhile.
    std::size_t use_count() const noexcept { return block_ ? block_->owners() : 0; }

    friend bool operator==(const bytes& a, const bytes& b) noexcept { return a.view() == b.view(); }
    friend bool operator==(const bytes& a, std::string_view b) noexcept { return a.view() == b; }
    friend std::strong_ordering operator<=>(const bytes& a, const bytes& b) noexcept {
        return a.view() <=> b.view();
    }
    friend std::strong_ordering operator<=>(const bytes& a, std::string_view b) noexcept {
        return a.view() <=> b;
    }
    /// Writes the bytes as they are, as a string_view does.
    template <class Traits>
    friend std::basic_ostream<char, Traits>& operator<<(std::basic_ostream<char, Traits>& out,
                                                        const bytes& b) {
        return out << std::basic_string_view<char, Traits>(b.data_, b.size_);
    }

private:
    friend class byte_buffer;

    /// Takes over one count of `block`.
    constexpr bytes(detail::storage_block* block, const char* data, std::size_t size) noexcept
        : block_(block), data_(data), size_(size) {}

    template <class Container>
    void keep(Container&& container) {
        if (container.empty()) return;
        auto* const block = detail::storage_block::keep(std::move(container));
        data_ = reinterpret_cast<const char*>(block->container().data());
        size_ = block->container().size();
        block_ = block;
    }

    detail::storage_block* block_ = nullptr;
    const char* data_ = nullptr;
    std::size_t size_ = 0;
};

static_assert(sizeof(bytes) <= 32);

/// A growable buffer: written at the end, consumed at the front, cut into shared `bytes`.
/// Errors: a count past the end throws std::out_of_range; too large a size std::length_error.
/// Lifetime: prepare, reserve, append and consume invalidate what data() and view() returned.
/// Thread safety: as a std::string; what split_to returned is independent of it.
class byte_buffer {
public:
    byte_buffer() noexcept = default;

    /// Starts with room for `capacity` bytes.
    explicit byte_buffer(std::size_t capacity) { reserve(capacity); }

    byte_buffer(byte_buffer&& other) noexcept
        : block_(std::exchange(other.block_, nullptr)),
          data_(std::exchange(other.data_, nullptr)),
          size_(std::exchange(other.size_, 0)) {}
    byte_buffer& operator=(byte_buffer&& other) noexcept {
        byte_buffer(std::move(other)).swap(*this);
        return *this;
    }
    ~byte_buffer() {
        if (block_) block_->drop_owner();
    }
    void swap(byte_buffer& other) noexcept {
        std::swap(block_, other.block_);
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
    }
    friend void swap(byte_buffer& a, byte_buffer& b) noexcept { a.swap(b); }

    char* data() noexcept { return data_; }
    const char* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    std::string_view view() const noexcept { return {data_, size_}; }
    operator std::string_view() const noexcept { return view(); }

    /// How many bytes fit from data() on without a new block: those held and those to come.
    std::size_t capacity() const noexcept {
        return block_ ? static_cast<std::size_t>(block_->data() + block_->capacity() - data_) : 0;
    }

    /// Makes room for `n` more bytes than there are. Reclaims the front of the storage where this
    /// is its only owner and what there is to move is less than what that gains.
    void reserve(std::size_t n) {
        if (capacity() - size_ < n) make_room(n);
    }

    /// Returns all the room behind the last byte, at least `n`, to be written and then committed.
    [[nodiscard]] std::span<char> prepare(std::size_t n) {
        reserve(n);
        return {data_ + size_, capacity() - size_};
    }

    /// Adds the first `n` bytes of what prepare returned.
    void commit(std::size_t n);

    /// Adds a copy of `text`, which is not a part of this buffer.
    void append(std::string_view text);

    /// Drops the first `n` bytes; O(1).
    void consume(std::size_t n);

    /// Returns the first `n` bytes and keeps the rest; shares the storage, copies nothing.
    bytes split_to(std::size_t n);

    /// Returns all bytes and leaves an empty buffer without storage; copies nothing.
    bytes freeze() && noexcept {
        const std::size_t n = std::exchange(size_, 0);
        return bytes(std::exchange(block_, nullptr), std::exchange(data_, nullptr), n);
    }

    /// Drops all bytes and keeps the storage.
    void clear() noexcept { consume_all(); }

private:
    void make_room(std::size_t n);
    void consume_all() noexcept;

    detail::storage_block* block_ = nullptr;
    char* data_ = nullptr;
    std::size_t size_ = 0;
};

inline bytes bytes::copy_of(std::string_view text) {
    if (text.empty()) return bytes();
    detail::storage_block* const block = detail::storage_block::make(text.size());
    std::memcpy(block->data(), text.data(), text.size());
    return bytes(block, block->data(), text.size());
}

inline bytes bytes::slice(std::size_t first, std::size_t n) const {
    if (first > size_ || (n != npos && n > size_ - first)) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::bytes::slice: the range reaches past the end; compare it with size() first");
    if (n == npos) n = size_ - first;
    if (n == 0) return bytes();
    bytes part(*this);
    part.data_ += first;
    part.size_ = n;
    return part;
}

inline bytes bytes::slice_of(std::string_view part) const {
    if (part.empty()) return bytes();
    const std::less_equal<const char*> before;
    if (!before(data_, part.data()) || !before(part.data() + part.size(), end())) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::bytes::slice_of: the view is not a part of these bytes; use copy_of");
    return slice(static_cast<std::size_t>(part.data() - data_), part.size());
}

inline bytes bytes::split_to(std::size_t n) {
    if (n > size_) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::bytes::split_to: more than there is; compare it with size() first");
    if (n == size_) return std::move(*this);
    bytes head = slice(0, n);
    data_ += n;
    size_ -= n;
    return head;
}

inline bytes bytes::split_off(std::size_t n) {
    if (n > size_) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::bytes::split_off: more than there is; compare it with size() first");
    if (n == 0) return std::move(*this);
    bytes tail = slice(n);
    size_ = n;
    return tail;
}

inline void bytes::advance(std::size_t n) {
    if (n > size_) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::bytes::advance: more than there is; compare it with size() first");
    data_ += n;
    size_ -= n;
}

inline void byte_buffer::commit(std::size_t n) {
    if (n > capacity() - size_) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::byte_buffer::commit: more than prepare() gave room for");
    size_ += n;
}

inline void byte_buffer::append(std::string_view text) {
    if (text.empty()) return;
    reserve(text.size());
    std::memcpy(data_ + size_, text.data(), text.size());
    size_ += text.size();
}

inline void byte_buffer::consume(std::size_t n) {
    if (n > size_) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::byte_buffer::consume: more than there is; compare it with size() first");
    if (n == size_) return consume_all();
    data_ += n;
    size_ -= n;
}

inline void byte_buffer::consume_all() noexcept {
    if (block_ && block_->sole_owner())
        data_ = block_->data();
    else
        data_ += size_;
    size_ = 0;
}

inline bytes byte_buffer::split_to(std::size_t n) {
    if (n > size_) [[unlikely]]
        detail::fail<std::out_of_range>(
            "weir::byte_buffer::split_to: more than there is; compare it with size() first");
    if (n == 0) return bytes();
    if (n == capacity()) return std::move(*this).freeze();  // nothing is left to own
    block_->add_owner();
    bytes head(block_, data_, n);
    data_ += n;
    size_ -= n;
    return head;
}

inline void byte_buffer::make_room(std::size_t n) {
    const std::size_t held = block_ ? block_->capacity() : 0;
    const bool alone = block_ && block_->sole_owner();
    const std::size_t passed = alone ? static_cast<std::size_t>(data_ - block_->data()) : 0;
    // Moving at least as many bytes out of the way as are moved keeps the cost per byte constant.
    if (alone && passed >= size_ && n <= held - size_) {
        if (size_ > 0) std::memcpy(block_->data(), data_, size_);
        data_ = block_->data();
        return;
    }
    if (n > bytes::npos - size_) [[unlikely]]
        detail::fail<std::length_error>("weir::byte_buffer: more bytes than there can be memory");
    // Shared storage is replaced by as much of it, so that a reader that hands out what it has read
    // keeps its block size; storage of its own that has become too small is doubled.
    const std::size_t needed = size_ + n;
    const bool grows = alone || needed > held;
    const std::size_t wanted = grows && held <= bytes::npos / 4 ? held * 2 : held;
    detail::storage_block* const fresh =
        detail::storage_block::make(std::max({needed, wanted, std::size_t{64}}));
    if (size_ > 0) std::memcpy(fresh->data(), data_, size_);
    if (block_) block_->drop_owner();
    block_ = fresh;
    data_ = fresh->data();
}

WEIR_ABI_END }  // namespace weir

/// Equal to the hash of a string_view of the same bytes.
template <>
struct std::hash<weir::bytes> {
    std::size_t operator()(const weir::bytes& b) const noexcept {
        return std::hash<std::string_view>{}(b.view());
    }
};
