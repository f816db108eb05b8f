#pragma once
// Room for what a task leaves behind: a value of any kind, or an exception.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <source_location>
#include <type_traits>
#include <utility>

#include <weir/detail/core/await_mark.hpp>
#include <weir/detail/core/config.hpp>
#include <weir/detail/core/destroy.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

struct unit {};

/// How a result is kept: a reference as a pointer, void as nothing.
template <class T>
struct stored_result {
    using type = T;
};
template <class T>
struct stored_result<T&> {
    using type = std::add_pointer_t<T>;
};
template <class T>
    requires std::is_void_v<T>
struct stored_result<T> {
    using type = unit;
};
template <class T>
using stored_result_t = typename stored_result<std::remove_cv_t<T>>::type;

template <class T>
decltype(auto) unstore(stored_result_t<T>&& v) {
    if constexpr (std::is_void_v<T>)
        return;
    else if constexpr (std::is_reference_v<T>)
        return static_cast<T>(*v);
    else
        return T(std::move(v));
}

/// Empty, a value or an exception. While it is empty, the room tells where the coroutine waits. An
/// over-aligned value finds its place at run time, since coroutine frames are aligned like operator
/// new and no more, and the mark in front takes a word of that.
template <class T>
class result_slot : public await_mark {
    using stored = stored_result_t<T>;

public:
    /// Whether a value is kept as it is and needs no end.
    static constexpr bool is_plain = std::is_trivially_copyable_v<stored> &&
                                     alignof(stored) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;

    result_slot() noexcept = default;
    result_slot(result_slot&& other) noexcept(std::is_nothrow_move_constructible_v<stored>)
        : await_mark() {
        if (other.state_ == state::value)
            emplace(std::move(*other.value()));
        else if (other.state_ == state::exception)
            set_exception(std::move(*other.exception()));
    }
    result_slot& operator=(result_slot&&) = delete;
    ~result_slot() {
        if (state_ == state::value)
            std::destroy_at(value());
        else if (state_ == state::exception)
            std::destroy_at(exception());
    }

    template <class... Args>
    void emplace(Args&&... args) {
        ::new (place()) stored(std::forward<Args>(args)...);
        state_ = state::value;
    }
    void set_exception(std::exception_ptr e) noexcept {
        ::new (static_cast<void*>(storage_)) std::exception_ptr(std::move(e));
        state_ = state::exception;
    }

    /// Destroys a value that nobody wants. What its destructor throws goes nowhere.
    void discard() noexcept {
        if constexpr (!std::is_nothrow_destructible_v<stored>) {
            if (state_ != state::value) return;
            state_ = state::empty;
            destroy_quietly(*value());
        }
    }

    [[nodiscard]] bool has_value() const noexcept { return state_ == state::value; }
    [[nodiscard]] bool has_exception() const noexcept { return state_ == state::exception; }
    [[nodiscard]] stored plain_value() noexcept
        requires is_plain
    {
        return *value();
    }
    [[nodiscard]] std::exception_ptr& stored_exception() noexcept { return *exception(); }

    /// The coroutine has suspended in `a`; the place goes where the result will be.
    template <class Awaiter>
    WEIR_ALWAYS_INLINE void suspend_in(const Awaiter& a, std::source_location at) noexcept {
        ::new (static_cast<void*>(storage_)) std::source_location(at);
        set_suspended(a);
    }

    /// The result, by move; throws the exception.
    T take() {
        if (state_ == state::exception) [[unlikely]]
            std::rethrow_exception(std::move(*exception()));
        return unstore<T>(std::move(*value()));
    }

private:
    static constexpr std::size_t alignment = alignof(await_mark*);
    static constexpr std::size_t slack =
        alignof(stored) > alignment ? alignof(stored) - alignment : 0;
    static constexpr std::size_t size =
        sizeof(stored) + slack > sizeof(std::exception_ptr) ? sizeof(stored) + slack
                                                             : sizeof(std::exception_ptr);

    void* place() noexcept {
        if constexpr (slack == 0) return storage_;
        const auto at = reinterpret_cast<std::uintptr_t>(storage_);
        return storage_ + ((at + alignof(stored) - 1) / alignof(stored) * alignof(stored) - at);
    }
    stored* value() noexcept { return std::launder(static_cast<stored*>(place())); }
    std::exception_ptr* exception() noexcept {
        return std::launder(reinterpret_cast<std::exception_ptr*>(storage_));
    }

    alignas(alignment) std::byte storage_[size];
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
