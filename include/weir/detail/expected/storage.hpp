#pragma once
// What an expected is made of: one slot that holds either the value or the error, and the special
// members, which are trivial wherever those of both alternatives are.
//
// State       has_value_ true: `value_` is alive; false: `error_` is alive. Never neither.
// Strong guarantee  changing the alternative is the one place where an exception could leave
//             nothing alive: `replace` and `swap_with` construct first, or keep what was there and
//             put it back. They need one alternative with a move that cannot throw.
// void        is stored as `no_value`, an empty type, so that there is one body for all.

#include <memory>  // std::construct_at, destroy_at
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>
#include <weir/detail/expected/access.hpp>

// g++ does not see, under a sanitizer, that has_value_ says which alternative is alive, and warns
// that the other one may be uninitialised.
#if WEIR_GCC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace weir { WEIR_ABI_BEGIN namespace detail::expected_parts {

/// The value of an expected<void, E>.
struct no_value {
    friend constexpr bool operator==(no_value, no_value) noexcept { return true; }
};

struct construct_value {
    explicit construct_value() = default;
};
struct construct_error {
    explicit construct_error() = default;
};
/// Leads the constructors that take a callable, so that its result is made in place.
struct from_call {
    explicit from_call() = default;
};
struct construct_value_from_call {
    explicit construct_value_from_call() = default;
};
struct construct_error_from_call {
    explicit construct_error_from_call() = default;
};
struct construct_from_other {
    explicit construct_from_other() = default;
};

/// Destroys `old` and constructs `fresh` in the same storage; if that throws, `old` is as before.
template <class Fresh, class Old, class... Args>
constexpr void replace(Fresh& fresh, Old& old,
                       Args&&... args) noexcept(std::is_nothrow_constructible_v<Fresh, Args...>) {
    if constexpr (std::is_nothrow_constructible_v<Fresh, Args...>) {
        std::destroy_at(std::addressof(old));
        std::construct_at(std::addressof(fresh), std::forward<Args>(args)...);
    } else if constexpr (std::is_nothrow_move_constructible_v<Fresh>) {
        Fresh made(std::forward<Args>(args)...);
        std::destroy_at(std::addressof(old));
        std::construct_at(std::addressof(fresh), std::move(made));
    } else {
        Old kept(std::move(old));
        std::destroy_at(std::addressof(old));
        WEIR_TRY {
            std::construct_at(std::addressof(fresh), std::forward<Args>(args)...);
        } WEIR_CATCH_ALL {
            std::construct_at(std::addressof(old), std::move(kept));
            WEIR_RETHROW;
        }
    }
}

/// What is kept for the T of an expected<T, E>.
template <class T>
using stored_t = std::conditional_t<std::is_void_v<T>, no_value, T>;

template <class T, class E>
class expected_storage {
    static_assert(result_type<T>,
                  "weir::expected<T, E>: T must be void or an object type, and neither an array, "
                  "an unexpected, in_place_t nor unexpect_t; for a reference use a pointer.");
    static_assert(error_type<E>,
                  "weir::expected<T, E>: E must be an object type without const or volatile, "
                  "neither an array nor an unexpected; for a reference use a pointer.");

    static constexpr bool one_move_cannot_throw =
        std::is_nothrow_move_constructible_v<T> || std::is_nothrow_move_constructible_v<E>;
    static constexpr bool copies =
        std::is_copy_constructible_v<T> && std::is_copy_constructible_v<E>;
    static constexpr bool copies_trivially =
        std::is_trivially_copy_constructible_v<T> && std::is_trivially_copy_constructible_v<E>;
    static constexpr bool moves =
        std::is_move_constructible_v<T> && std::is_move_constructible_v<E>;
    static constexpr bool moves_trivially =
        std::is_trivially_move_constructible_v<T> && std::is_trivially_move_constructible_v<E>;
    static constexpr bool destroys_trivially =
        std::is_trivially_destructible_v<T> && std::is_trivially_destructible_v<E>;
    static constexpr bool copy_assigns = copies && std::is_copy_assignable_v<T> &&
                                         std::is_copy_assignable_v<E> && one_move_cannot_throw;
    static constexpr bool copy_assigns_trivially =
        copies_trivially && destroys_trivially && std::is_trivially_copy_assignable_v<T> &&
        std::is_trivially_copy_assignable_v<E>;
    static constexpr bool move_assigns = moves && std::is_move_assignable_v<T> &&
                                         std::is_move_assignable_v<E> && one_move_cannot_throw;
    static constexpr bool move_assigns_trivially =
        moves_trivially && destroys_trivially && std::is_trivially_move_assignable_v<T> &&
        std::is_trivially_move_assignable_v<E>;

public:
    static constexpr bool swaps = moves && std::is_swappable_v<T> && std::is_swappable_v<E> &&
                                  one_move_cannot_throw;

    template <class... Args>
    constexpr explicit expected_storage(construct_value, Args&&... args) noexcept(
        std::is_nothrow_constructible_v<T, Args...>)
        : value_(std::forward<Args>(args)...), has_value_(true) {}

    template <class... Args>
    constexpr explicit expected_storage(construct_error, Args&&... args) noexcept(
        std::is_nothrow_constructible_v<E, Args...>)
        : error_(std::forward<Args>(args)...), has_value_(false) {}

    template <class Make>
    constexpr expected_storage(construct_value_from_call, Make&& make)
        : value_(std::forward<Make>(make)()), has_value_(true) {}

    template <class Make>
    constexpr expected_storage(construct_error_from_call, Make&& make)
        : error_(std::forward<Make>(make)()), has_value_(false) {}

    template <class Other>
    constexpr expected_storage(construct_from_other, Other&& other)
        : has_value_(other.has_value()) {
        if (!has_value_)
            std::construct_at(std::addressof(error_), std::forward<Other>(other).error());
        else if constexpr (std::is_same_v<T, no_value>)
            std::construct_at(std::addressof(value_));
        else
            std::construct_at(std::addressof(value_), *std::forward<Other>(other));
    }

    expected_storage(const expected_storage&) = delete;
    expected_storage(const expected_storage&) requires(copies&& copies_trivially) = default;
    constexpr expected_storage(const expected_storage& other) noexcept(
        std::is_nothrow_copy_constructible_v<T>&& std::is_nothrow_copy_constructible_v<E>)
        requires(copies && !copies_trivially)
        : has_value_(other.has_value_) {
        construct_from(other.value_, other.error_);
    }

    expected_storage(expected_storage&&) requires(moves&& moves_trivially) = default;
    constexpr expected_storage(expected_storage&& other) noexcept(
        std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_constructible_v<E>)
        requires(moves && !moves_trivially)
        : has_value_(other.has_value_) {
        construct_from(std::move(other.value_), std::move(other.error_));
    }

    ~expected_storage() requires(destroys_trivially) = default;
    constexpr ~expected_storage() requires(!destroys_trivially) {
        if (has_value_)
            std::destroy_at(std::addressof(value_));
        else
            std::destroy_at(std::addressof(error_));
    }

    expected_storage& operator=(const expected_storage&) = delete;
    expected_storage& operator=(const expected_storage&)
        requires(copy_assigns&& copy_assigns_trivially) = default;
    constexpr expected_storage& operator=(const expected_storage& other) noexcept(
        std::is_nothrow_copy_constructible_v<T>&& std::is_nothrow_copy_assignable_v<T>&&
            std::is_nothrow_copy_constructible_v<E>&& std::is_nothrow_copy_assignable_v<E>)
        requires(copy_assigns && !copy_assigns_trivially)
    {
        if (other.has_value_)
            assign_value(other.value_);
        else
            assign_error(other.error_);
        return *this;
    }

    expected_storage& operator=(expected_storage&&)
        requires(move_assigns&& move_assigns_trivially) = default;
    constexpr expected_storage& operator=(expected_storage&& other) noexcept(
        std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_assignable_v<T>&&
            std::is_nothrow_move_constructible_v<E>&& std::is_nothrow_move_assignable_v<E>)
        requires(move_assigns && !move_assigns_trivially)
    {
        if (other.has_value_)
            assign_value(std::move(other.value_));
        else
            assign_error(std::move(other.error_));
        return *this;
    }

protected:
    template <class U>
    constexpr void assign_value(U&& value) {
        if (has_value_) {
            value_ = std::forward<U>(value);
        } else {
            expected_parts::replace(value_, error_, std::forward<U>(value));
            has_value_ = true;
        }
    }

    template <class G>
    constexpr void assign_error(G&& error) {
        if (!has_value_) {
            error_ = std::forward<G>(error);
        } else {
            expected_parts::replace(error_, value_, std::forward<G>(error));
            has_value_ = false;
        }
    }

    /// Makes a new value in place of what is held; nothing here may throw.
    template <class... Args>
    constexpr void emplace_value(Args&&... args) noexcept {
        if (has_value_)
            std::destroy_at(std::addressof(value_));
        else
            std::destroy_at(std::addressof(error_));
        std::construct_at(std::addressof(value_), std::forward<Args>(args)...);
        has_value_ = true;
    }

    constexpr void swap_with(expected_storage& other) {
        using std::swap;
        if (has_value_ && other.has_value_) {
            if constexpr (!std::is_same_v<T, no_value>) swap(value_, other.value_);
        } else if (!has_value_ && !other.has_value_) {
            swap(error_, other.error_);
        } else if (has_value_) {
            exchange_alternatives(other);
        } else {
            other.exchange_alternatives(*this);
        }
    }

    union {
        T value_;
        E error_;
    };
    bool has_value_;

private:
    template <class V, class G>
    constexpr void construct_from(V&& value, G&& error) {
        if (has_value_)
            std::construct_at(std::addressof(value_), std::forward<V>(value));
        else
            std::construct_at(std::addressof(error_), std::forward<G>(error));
    }

    /// Swaps this, which holds a value, with `other`, which holds an error. What is kept aside is
    /// the alternative that can be put back without throwing.
    constexpr void exchange_alternatives(expected_storage& other) {
        if constexpr (std::is_nothrow_move_constructible_v<E>) {
            E kept(std::move(other.error_));
            std::destroy_at(std::addressof(other.error_));
            WEIR_TRY {
                std::construct_at(std::addressof(other.value_), std::move(value_));
                std::destroy_at(std::addressof(value_));
                std::construct_at(std::addressof(error_), std::move(kept));
            } WEIR_CATCH_ALL {
                std::construct_at(std::addressof(other.error_), std::move(kept));
                WEIR_RETHROW;
            }
        } else {
            T kept(std::move(value_));
            std::destroy_at(std::addressof(value_));
            WEIR_TRY {
                std::construct_at(std::addressof(error_), std::move(other.error_));
                std::destroy_at(std::addressof(other.error_));
                std::construct_at(std::addressof(other.value_), std::move(kept));
            } WEIR_CATCH_ALL {
                std::construct_at(std::addressof(value_), std::move(kept));
                WEIR_RETHROW;
            }
        }
        has_value_ = false;
        other.has_value_ = true;
    }
};

}  // namespace detail::expected_parts
WEIR_ABI_END }  // namespace weir

#if WEIR_GCC
#pragma GCC diagnostic pop
#endif
