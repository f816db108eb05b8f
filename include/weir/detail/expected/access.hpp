#pragma once
// The error side of expected: unexpected, the exception of a failed value(), what converts.

#include <cstdio>   // the text of a failed value() where nothing can be thrown
#include <cstdlib>  // std::abort
#include <exception>
#include <initializer_list>
#include <memory>  // std::addressof
#include <system_error>
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN

template <class T, class E>
class expected;
template <class E>
class unexpected;

/// Says that the arguments that follow make the error: `expected<int, int>(unexpect, 3)`.
struct unexpect_t {
    explicit unexpect_t() = default;
};
inline constexpr unexpect_t unexpect{};

namespace detail::expected_parts {

template <class X>
inline constexpr bool is_expected = false;
template <class T, class E>
inline constexpr bool is_expected<expected<T, E>> = true;

template <class X>
inline constexpr bool is_unexpected = false;
template <class E>
inline constexpr bool is_unexpected<unexpected<E>> = true;

template <class E>
concept error_type = std::is_object_v<E> && !std::is_array_v<E> &&
                     std::is_same_v<E, std::remove_cv_t<E>> && !is_unexpected<E>;

template <class T>
concept result_type =
    std::is_void_v<T> ||
    (std::is_object_v<T> && !std::is_array_v<T> && !is_unexpected<std::remove_cv_t<T>> &&
     !std::is_same_v<std::remove_cv_t<T>, std::in_place_t> &&
     !std::is_same_v<std::remove_cv_t<T>, unexpect_t>);

template <class T, class Other>
inline constexpr bool converts_from_any_cvref =
    std::is_constructible_v<T, Other&> || std::is_convertible_v<Other&, T> ||
    std::is_constructible_v<T, Other> || std::is_convertible_v<Other, T> ||
    std::is_constructible_v<T, const Other&> || std::is_convertible_v<const Other&, T> ||
    std::is_constructible_v<T, const Other> || std::is_convertible_v<const Other, T>;

/// An expected<U, G> is converted alternative by alternative only where neither T nor E would
/// rather take it whole.
template <class T, class E, class Other>
inline constexpr bool takes_whole =
    (!std::is_same_v<std::remove_cv_t<T>, bool> && converts_from_any_cvref<T, Other>) ||
    std::is_constructible_v<unexpected<E>, Other&> ||
    std::is_constructible_v<unexpected<E>, Other> ||
    std::is_constructible_v<unexpected<E>, const Other&> ||
    std::is_constructible_v<unexpected<E>, const Other>;

}  // namespace detail::expected_parts

/// Carries an error into an expected: `return weir::unexpected(closed{});`.
template <class E>
class unexpected {
    static_assert(detail::expected_parts::error_type<E>,
                  "weir::unexpected<E>: E must be an object type without const or volatile, "
                  "neither an array nor an unexpected; for a reference use a pointer.");

public:
    constexpr unexpected(const unexpected&) = default;
    constexpr unexpected(unexpected&&) = default;

    template <class G = E>
        requires(!std::is_same_v<std::remove_cvref_t<G>, unexpected> &&
                 !std::is_same_v<std::remove_cvref_t<G>, std::in_place_t> &&
                 std::is_constructible_v<E, G>)
    constexpr explicit unexpected(G&& error) noexcept(std::is_nothrow_constructible_v<E, G>)
        : error_(std::forward<G>(error)) {}

    template <class... Args>
        requires std::is_constructible_v<E, Args...>
    constexpr explicit unexpected(std::in_place_t, Args&&... args) noexcept(
        std::is_nothrow_constructible_v<E, Args...>)
        : error_(std::forward<Args>(args)...) {}

    template <class U, class... Args>
        requires std::is_constructible_v<E, std::initializer_list<U>&, Args...>
    constexpr explicit unexpected(std::in_place_t, std::initializer_list<U> list, Args&&... args)
        : error_(list, std::forward<Args>(args)...) {}

    constexpr unexpected& operator=(const unexpected&) = default;
    constexpr unexpected& operator=(unexpected&&) = default;

    constexpr const E& error() const& noexcept { return error_; }
    constexpr E& error() & noexcept { return error_; }
    constexpr const E&& error() const&& noexcept { return std::move(error_); }
    constexpr E&& error() && noexcept { return std::move(error_); }

    constexpr void swap(unexpected& other) noexcept(std::is_nothrow_swappable_v<E>)
        requires std::is_swappable_v<E>
    {
        using std::swap;
        swap(error_, other.error_);
    }
    friend constexpr void swap(unexpected& a, unexpected& b) noexcept(noexcept(a.swap(b)))
        requires std::is_swappable_v<E>
    {
        a.swap(b);
    }

    template <class G>
    friend constexpr bool operator==(const unexpected& a, const unexpected<G>& b) {
        return a.error_ == b.error();
    }

private:
    E error_;
};

template <class E>
unexpected(E) -> unexpected<E>;

/// What value() throws when there is an error: carries that error.
template <class E>
class bad_expected_access;

/// The base of all of them, for a handler that does not care which error it was.
template <>
class bad_expected_access<void> : public std::exception {
public:
    const char* what() const noexcept override {
        return "weir: value() of an expected that holds an error; test has_value() first, or "
               "handle error()";
    }

protected:
    bad_expected_access() noexcept = default;
    bad_expected_access(const bad_expected_access&) = default;
    bad_expected_access(bad_expected_access&&) = default;
    bad_expected_access& operator=(const bad_expected_access&) = default;
    bad_expected_access& operator=(bad_expected_access&&) = default;
    ~bad_expected_access() override = default;
};

template <class E>
class bad_expected_access : public bad_expected_access<void> {
public:
    explicit bad_expected_access(E error) : error_(std::move(error)) {}

    const E& error() const& noexcept { return error_; }
    E& error() & noexcept { return error_; }
    const E&& error() const&& noexcept { return std::move(error_); }
    E&& error() && noexcept { return std::move(error_); }

private:
    E error_;
};

namespace detail::expected_parts {

/// An error_code already has an exception of its own that every handler of I/O errors knows.
template <class G>
[[noreturn]] WEIR_COLD void throw_bad_access([[maybe_unused]] G&& error) {
#if WEIR_EXCEPTIONS
    using error_t = std::remove_cvref_t<G>;
    if constexpr (std::is_same_v<error_t, std::error_code>)
        throw std::system_error(error);
    else
        throw bad_expected_access<error_t>(std::forward<G>(error));
#else
    std::fputs("weir: value() of an expected that holds an error\n", stderr);
    std::abort();
#endif
}

}  // namespace detail::expected_parts
WEIR_ABI_END }  // namespace weir
