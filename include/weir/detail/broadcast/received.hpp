#pragma once
// What a receive of a broadcast channel found: one byte, and the value or a count.

#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::broadcast {

enum class outcome : std::uint8_t { empty, closed, lagged, value };

/// Its copies are never trivial, even where T's are: g++ then builds it where it is wanted, member
/// by member. A std::variant in its place is moved as one block right after its parts were written,
/// which stalls the processor for twice the time of the whole receive.
template <class T>
class received {
public:
    received() noexcept : missed_(0) {}
    received(const received& other) : missed_(0) { assign(other); }
    received(received&& other) noexcept(std::is_nothrow_move_constructible_v<T>) : missed_(0) {
        assign(std::move(other));
    }
    received& operator=(const received& other) {
        if (this != &other) {
            reset();
            assign(other);
        }
        return *this;
    }
    received& operator=(received&& other) noexcept(std::is_nothrow_move_constructible_v<T>) {
        if (this != &other) {
            reset();
            assign(std::move(other));
        }
        return *this;
    }
    ~received() { reset(); }

    // Each of these at most once.
    void set_value(const T& v) {
        ::new (static_cast<void*>(std::addressof(value_))) T(v);
        kind_ = outcome::value;
    }
    void set_lagged(std::uint64_t missed) noexcept {
        missed_ = missed;
        kind_ = outcome::lagged;
    }
    void set_closed() noexcept { kind_ = outcome::closed; }

    [[nodiscard]] outcome kind() const noexcept { return kind_; }
    [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }
    [[nodiscard]] T& value() noexcept { return value_; }
    [[nodiscard]] const T& value() const noexcept { return value_; }

private:
    void reset() noexcept {
        if (std::exchange(kind_, outcome::empty) == outcome::value)
            std::destroy_at(std::addressof(value_));
    }
    template <class Other>
    void assign(Other&& other) {
        if (other.kind_ == outcome::value)
            ::new (static_cast<void*>(std::addressof(value_))) T(std::forward<Other>(other).value_);
        else
            missed_ = other.missed_;
        kind_ = other.kind_;
    }

    union {
        std::uint64_t missed_;
        T value_;
    };
    outcome kind_ = outcome::empty;
};

}  // namespace detail::broadcast
WEIR_ABI_END }  // namespace weir
