#pragma once
// The g++ 12 shield: which arguments an operation takes, and `take`.
//
// g++ 12 bit-copies an aggregate temporary of a full-expression that contains co_await, and
// destroys both copies: `co_await tx.send(command{key, std::move(reply)})` is a silent double free
// there. An operation cannot see whether it stands in such an expression, so on that compiler it
// refuses every rvalue aggregate whose destructor does something.

#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class T>
class taken {
public:
    explicit taken(T& value) noexcept : value_(&value) {}
    T&& get() const noexcept { return static_cast<T&&>(*value_); }

private:
    T* value_;
};

template <class U>
inline constexpr bool is_taken = false;
template <class T>
inline constexpr bool is_taken<taken<T>> = true;

template <class U>
inline constexpr bool survives_await_expression =
    !WEIR_AGGREGATE_TEMPORARIES_BREAK || std::is_lvalue_reference_v<U> ||
    !std::is_aggregate_v<std::remove_cvref_t<U>> ||
    std::is_trivially_destructible_v<std::remove_cvref_t<U>>;

/// A lambda that captures is the class that can neither be assigned nor be made from nothing. One
/// that is a temporary of a co_await expression is destroyed twice as well.
template <class F>
inline constexpr bool survives_as_callable =
    !WEIR_AGGREGATE_TEMPORARIES_BREAK || std::is_lvalue_reference_v<F> ||
    std::is_trivially_destructible_v<F> || std::is_move_assignable_v<F>;

/// Makes the `T` that an operation was given as `U&&`.
template <class T, class U>
T as_value(U&& u) {
    static_assert(survives_await_expression<U>,
                  "g++ 12 destroys an aggregate temporary of a co_await expression twice: name the "
                  "value and pass weir::take(named), or give its type a constructor");
    if constexpr (is_taken<std::remove_cvref_t<U>>)
        return T(u.get());
    else
        return T(std::forward<U>(u));
}

template <class U>
struct value_argument {
    using type = U;
};
template <class T>
struct value_argument<taken<T>> {
    using type = T;
};

/// What an operation on values of type T accepts: anything that converts to T, or take(x).
template <class U, class T>
concept value_for = std::is_convertible_v<typename value_argument<std::remove_cvref_t<U>>::type&&, T> ||
                    std::is_convertible_v<U, T>;

}  // namespace detail

/// Moves a named value into an operation: `co_await tx.send(weir::take(command))`. The same as
/// std::move, but also accepted on compilers that break aggregate temporaries (g++ 12).
template <class T>
[[nodiscard]] detail::taken<T> take(T& value) noexcept {
    return detail::taken<T>(value);
}

WEIR_ABI_END }  // namespace weir
