#pragma once
// Room for what a task leaves behind: a value of any kind, or an exception.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

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

/// Empty, a value or an exception. An over-aligned value finds its place at run time, since
/// coroutine frames are aligned like operator new and no more.
template <class T>
class result_slot {
    using stored = stored_result_t<T>;

public:
    /// Whether a value is kept as it is and needs no end.
    static constexpr bool is_plain = std::is_trivially_copyable_v<stored> &&
                                     alignof(stored) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;

    result_slot() noexcept = default;
    result_slot(result_slot&& other) noexcept(std::is_nothrow_move_constructible_v<stored>) {
        if (other.kind_ == kind::value)
            emplace(std::move(*other.value()));
        else if (other.kind_ == kind::exception)
            set_exception(std::move(*other.exception()));
    }
    result_slot& operator=(result_slot&&) = delete;
    ~result_slot() {
        if (kind_ == kind::value)
            std::destroy_at(value());
        else if (kind_ == kind::exception)
            std::destroy_at(exception());
    }

    template <class... Args>
    void emplace(Args&&... args) {
        ::new (place()) stored(std::forward<Args>(args)...);
        kind_ = kind::value;
    }
    void set_exception(std::exception_ptr e) noexcept {
        ::new (static_cast<void*>(storage_)) std::exception_ptr(std::move(e));
        kind_ = kind::exception;
    }

    /// Destroys a value that nobody wants. What its destructor throws goes nowhere.
    void discard() noexcept {
        if constexpr (!std::is_nothrow_destructible_v<stored>) {
            if (kind_ != kind::value) return;
            kind_ = kind::empty;
            destroy_quietly(*value());
        }
    }

    [[nodiscard]] bool has_value() const noexcept { return kind_ == kind::value; }
    [[nodiscard]] bool has_exception() const noexcept { return kind_ == kind::exception; }
    [[nodiscard]] stored plain_value() noexcept
        requires is_plain
    {
        return *value();
    }
    [[nodiscard]] std::exception_ptr& stored_exception() noexcept { return *exception(); }

    /// The result, by move; throws the exception.
    T take() {
        if (kind_ == kind::exception) [[unlikely]]
            std::rethrow_exception(std::move(*exception()));
        return unstore<T>(std::move(*value()));
    }

private:
    enum class kind : std::uint8_t { empty, value, exception };
    static constexpr std::size_t frame_alignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
    static constexpr std::size_t slack =
        alignof(stored) > frame_alignment ? alignof(stored) - frame_alignment : 0;
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

    alignas(alignof(stored) > frame_alignment  ? frame_alignment
            : alignof(stored) > alignof(void*) ? alignof(stored)
                                               : alignof(void*)) std::byte storage_[size];
    kind kind_ = kind::empty;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
