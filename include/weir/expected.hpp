#pragma once
// A result or the reason why there is none: weir::expected<T, E>, as C++23's std::expected.
//
//     weir::expected<int, std::errc> parse(std::string_view text) {
//         int n = 0;
//         const auto r = std::from_chars(text.data(), text.data() + text.size(), n);
//         if (r.ec != std::errc{}) return weir::unexpected(r.ec);
//         return n;
//     }
//
//     if (auto n = parse("42")) use(*n);
//     int n = parse("4x").value_or(0);
//     auto half = parse("42").transform([](int v) { return v / 2; });
//
// Constructors, members, noexcept and triviality are those of the standard. It is always this type,
// never an alias of std::expected, so that C++20 and C++23 translation units of a program agree.
// What it has beyond: value() on a std::error_code throws std::system_error, value() of an rvalue
// takes an error that can only be moved, and assignment is trivial where both alternatives' is.
// Without exceptions (-fno-exceptions) a failed value() ends the program.

#include <cassert>
#include <initializer_list>
#include <memory>  // std::addressof
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>
#include <weir/detail/expected/access.hpp>  // unexpected, unexpect, bad_expected_access
#include <weir/detail/expected/monadic.hpp>
#include <weir/detail/expected/storage.hpp>

namespace weir { WEIR_ABI_BEGIN

/// The error of an operation whose other side has gone.
struct closed {
    friend constexpr bool operator==(closed, closed) noexcept { return true; }
};

/// The error of an operation that ran out of time.
struct elapsed {
    friend constexpr bool operator==(elapsed, elapsed) noexcept { return true; }
};

/// Holds either a T or an E; T may be void, neither may be a reference.
/// Errors: value() throws bad_expected_access<E>, or std::system_error for a std::error_code;
/// operator*, operator-> and error() of the alternative that is not there are undefined (asserted).
/// Thread safety: as of a T and an E.
template <class T, class E>
class [[nodiscard("it holds a result or the reason why there is none: look which")]] expected
    : private detail::expected_parts::expected_storage<detail::expected_parts::stored_t<T>, E> {
    using stored = detail::expected_parts::stored_t<T>;
    using storage = detail::expected_parts::expected_storage<stored, E>;
    using storage::error_;
    using storage::has_value_;
    using storage::value_;
    friend struct detail::expected_parts::monadic;

    static constexpr bool is_void = std::is_void_v<T>;
    using reference = std::conditional_t<is_void, void, std::add_lvalue_reference_t<T>>;
    using const_reference = std::conditional_t<is_void, void, std::add_lvalue_reference_t<const T>>;
    using rvalue = std::conditional_t<is_void, void, std::add_rvalue_reference_t<T>>;
    using const_rvalue = std::conditional_t<is_void, void, std::add_rvalue_reference_t<const T>>;

    /// Whether expected<U, G>, passed as From, converts alternative by alternative.
    template <class U, class G, class FromValue, class FromError>
    static constexpr bool converts = [] {
        if constexpr (is_void != std::is_void_v<U> || !std::is_constructible_v<E, FromError>)
            return false;
        else if constexpr (is_void)
            return !detail::expected_parts::takes_whole<bool, E, expected<U, G>>;
        else if constexpr (!std::is_constructible_v<T, FromValue>)
            return false;
        else
            return !detail::expected_parts::takes_whole<T, E, expected<U, G>>;
    }();
    template <class FromValue, class FromError>
    static constexpr bool converts_silently =
        (is_void || std::is_convertible_v<FromValue, T>)&&std::is_convertible_v<FromError, E>;

    template <class From>
    static constexpr bool takes_value = is_void || std::is_constructible_v<T, From>;

    template <class U>
    static constexpr bool is_plain_value =
        !std::is_same_v<std::remove_cvref_t<U>, expected> &&
        !detail::expected_parts::is_unexpected<std::remove_cvref_t<U>>;

public:
    using value_type = T;
    using error_type = E;
    using unexpected_type = unexpected<E>;
    template <class U>
    using rebind = expected<U, E>;

    constexpr expected() noexcept(std::is_nothrow_default_constructible_v<stored>)
        requires std::is_default_constructible_v<stored>
        : storage(detail::expected_parts::construct_value{}) {}

    constexpr expected(const expected&) = default;
    constexpr expected(expected&&) = default;

    template <class U, class G>
        requires(converts<U, G, std::add_lvalue_reference_t<const U>, const G&>)
    constexpr explicit(!converts_silently<std::add_lvalue_reference_t<const U>, const G&>)
        expected(const expected<U, G>& other)
        : storage(detail::expected_parts::construct_from_other{}, other) {}

    template <class U, class G>
        requires(converts<U, G, U, G>)
    constexpr explicit(!converts_silently<U, G>) expected(expected<U, G>&& other)
        : storage(detail::expected_parts::construct_from_other{}, std::move(other)) {}

    template <class U = std::remove_cv_t<T>>
        requires(!is_void && is_plain_value<U> &&
                 !std::is_same_v<std::remove_cvref_t<U>, std::in_place_t> &&
                 !std::is_same_v<std::remove_cvref_t<U>, unexpect_t> &&
                 std::is_constructible_v<T, U> &&
                 !(std::is_same_v<std::remove_cv_t<T>, bool> &&
                   detail::expected_parts::is_expected<std::remove_cvref_t<U>>))
    constexpr explicit(!std::is_convertible_v<U, T>)
        expected(U&& value) noexcept(std::is_nothrow_constructible_v<T, U>)
        : storage(detail::expected_parts::construct_value{}, std::forward<U>(value)) {}

    template <class G>
        requires std::is_constructible_v<E, const G&>
    constexpr explicit(!std::is_convertible_v<const G&, E>)
        expected(const unexpected<G>& error) noexcept(std::is_nothrow_constructible_v<E, const G&>)
        : storage(detail::expected_parts::construct_error{}, error.error()) {}

    template <class G>
        requires std::is_constructible_v<E, G>
    constexpr explicit(!std::is_convertible_v<G, E>)
        expected(unexpected<G>&& error) noexcept(std::is_nothrow_constructible_v<E, G>)
        : storage(detail::expected_parts::construct_error{}, std::move(error).error()) {}

    /// Makes the value from `args`, in place.
    template <class... Args>
        requires std::is_constructible_v<stored, Args...>
    constexpr explicit expected(std::in_place_t, Args&&... args) noexcept(
        std::is_nothrow_constructible_v<stored, Args...>)
        : storage(detail::expected_parts::construct_value{}, std::forward<Args>(args)...) {}

    template <class U, class... Args>
        requires std::is_constructible_v<stored, std::initializer_list<U>&, Args...>
    constexpr explicit expected(std::in_place_t, std::initializer_list<U> list, Args&&... args)
        : storage(detail::expected_parts::construct_value{}, list, std::forward<Args>(args)...) {}

    /// Makes the error from `args`, in place.
    template <class... Args>
        requires std::is_constructible_v<E, Args...>
    constexpr explicit expected(unexpect_t, Args&&... args) noexcept(
        std::is_nothrow_constructible_v<E, Args...>)
        : storage(detail::expected_parts::construct_error{}, std::forward<Args>(args)...) {}

    template <class U, class... Args>
        requires std::is_constructible_v<E, std::initializer_list<U>&, Args...>
    constexpr explicit expected(unexpect_t, std::initializer_list<U> list, Args&&... args)
        : storage(detail::expected_parts::construct_error{}, list, std::forward<Args>(args)...) {}

    /// Assigns with the strong guarantee where the alternative changes.
    constexpr expected& operator=(const expected&) = default;
    constexpr expected& operator=(expected&&) = default;

    template <class U = std::remove_cv_t<T>>
        requires(!is_void && is_plain_value<U> && std::is_constructible_v<T, U> &&
                 std::is_assignable_v<std::add_lvalue_reference_t<T>, U> &&
                 (std::is_nothrow_constructible_v<T, U> ||
                  std::is_nothrow_move_constructible_v<T> ||
                  std::is_nothrow_move_constructible_v<E>))
    constexpr expected& operator=(U&& value) {
        this->assign_value(std::forward<U>(value));
        return *this;
    }

    template <class G>
        requires(std::is_constructible_v<E, const G&> && std::is_assignable_v<E&, const G&> &&
                 (std::is_nothrow_constructible_v<E, const G&> ||
                  std::is_nothrow_move_constructible_v<stored> ||
                  std::is_nothrow_move_constructible_v<E>))
    constexpr expected& operator=(const unexpected<G>& error) {
        this->assign_error(error.error());
        return *this;
    }

    template <class G>
        requires(std::is_constructible_v<E, G> && std::is_assignable_v<E&, G> &&
                 (std::is_nothrow_constructible_v<E, G> ||
                  std::is_nothrow_move_constructible_v<stored> ||
                  std::is_nothrow_move_constructible_v<E>))
    constexpr expected& operator=(unexpected<G>&& error) {
        this->assign_error(std::move(error).error());
        return *this;
    }

    /// Replaces what is held by a new value; only for arguments that cannot make it throw.
    template <class... Args>
        requires std::is_nothrow_constructible_v<stored, Args...>
    constexpr reference emplace(Args&&... args) noexcept {
        this->emplace_value(std::forward<Args>(args)...);
        if constexpr (!is_void) return value_;
    }

    template <class U, class... Args>
        requires std::is_nothrow_constructible_v<stored, std::initializer_list<U>&, Args...>
    constexpr reference emplace(std::initializer_list<U> list, Args&&... args) noexcept {
        this->emplace_value(list, std::forward<Args>(args)...);
        return value_;
    }

    constexpr void swap(expected& other) noexcept(
        std::is_nothrow_move_constructible_v<stored>&& std::is_nothrow_swappable_v<stored>&&
            std::is_nothrow_move_constructible_v<E>&& std::is_nothrow_swappable_v<E>)
        requires(storage::swaps)
    {
        this->swap_with(other);
    }
    friend constexpr void swap(expected& a, expected& b) noexcept(noexcept(a.swap(b)))
        requires(storage::swaps)
    {
        a.swap(b);
    }

    [[nodiscard]] constexpr bool has_value() const noexcept { return has_value_; }
    constexpr explicit operator bool() const noexcept { return has_value_; }

    constexpr const T* operator->() const noexcept requires(!is_void) {
        assert(has_value_ && "weir::expected: -> without a value; test it first");
        return std::addressof(value_);
    }
    constexpr T* operator->() noexcept requires(!is_void) {
        assert(has_value_ && "weir::expected: -> without a value; test it first");
        return std::addressof(value_);
    }

    constexpr const_reference operator*() const& noexcept { return get<const_reference>(*this); }
    constexpr reference operator*() & noexcept { return get<reference>(*this); }
    constexpr const_rvalue operator*() const&& noexcept { return get<const_rvalue>(*this); }
    constexpr rvalue operator*() && noexcept { return get<rvalue>(*this); }

    /// Returns the value.
    /// Errors: where there is an error instead, throws bad_expected_access<E> with it, or
    /// std::system_error where E is std::error_code. Of an rvalue, the error is moved.
    constexpr const_reference value() const& {
        if (!has_value_) [[unlikely]]
            throw_copy();
        return get<const_reference>(*this);
    }
    constexpr reference value() & {
        if (!has_value_) [[unlikely]]
            throw_copy();
        return get<reference>(*this);
    }
    constexpr const_rvalue value() const&& {
        if (!has_value_) [[unlikely]]
            throw_copy();
        return get<const_rvalue>(*this);
    }
    constexpr rvalue value() && {
        if (!has_value_) [[unlikely]]
            detail::expected_parts::throw_bad_access(std::move(error_));
        return get<rvalue>(*this);
    }

    constexpr const E& error() const& noexcept { return checked_error(*this); }
    constexpr E& error() & noexcept { return checked_error(*this); }
    constexpr const E&& error() const&& noexcept { return std::move(checked_error(*this)); }
    constexpr E&& error() && noexcept { return std::move(checked_error(*this)); }

    /// Returns the value, or `fallback` where there is an error.
    template <class U = std::remove_cv_t<T>>
        requires(!is_void)
    [[nodiscard]] constexpr std::remove_cv_t<T> value_or(U&& fallback) const& {
        static_assert(std::is_copy_constructible_v<T> && std::is_convertible_v<U, T>);
        return has_value_ ? value_ : static_cast<T>(std::forward<U>(fallback));
    }
    template <class U = std::remove_cv_t<T>>
        requires(!is_void)
    [[nodiscard]] constexpr std::remove_cv_t<T> value_or(U&& fallback) && {
        static_assert(std::is_move_constructible_v<T> && std::is_convertible_v<U, T>);
        return has_value_ ? std::move(value_) : static_cast<T>(std::forward<U>(fallback));
    }

    /// Returns the error, or `fallback` where there is a value.
    template <class G = E>
    [[nodiscard]] constexpr E error_or(G&& fallback) const& {
        static_assert(std::is_copy_constructible_v<E> && std::is_convertible_v<G, E>);
        return has_value_ ? static_cast<E>(std::forward<G>(fallback)) : error_;
    }
    template <class G = E>
    [[nodiscard]] constexpr E error_or(G&& fallback) && {
        static_assert(std::is_move_constructible_v<E> && std::is_convertible_v<G, E>);
        return has_value_ ? static_cast<E>(std::forward<G>(fallback)) : std::move(error_);
    }

    /// Goes on with `f(value)`, which returns an expected with the same error type; an error stays.
    template <class F>
    constexpr auto and_then(F&& f) & requires std::is_constructible_v<E, E&> {
        return chain::and_then(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto and_then(F&& f) const& requires std::is_constructible_v<E, const E&> {
        return chain::and_then(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto and_then(F&& f) && requires std::is_constructible_v<E, E> {
        return chain::and_then(std::move(*this), std::forward<F>(f));
    }
    template <class F>
    constexpr auto and_then(F&& f) const&& requires std::is_constructible_v<E, const E> {
        return chain::and_then(std::move(*this), std::forward<F>(f));
    }

    /// Replaces an error by `f(error)`, an expected with the same value type; a value stays.
    template <class F>
    constexpr auto or_else(F&& f) & requires takes_value<reference> {
        return chain::or_else(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto or_else(F&& f) const& requires takes_value<const_reference> {
        return chain::or_else(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto or_else(F&& f) && requires takes_value<rvalue> {
        return chain::or_else(std::move(*this), std::forward<F>(f));
    }
    template <class F>
    constexpr auto or_else(F&& f) const&& requires takes_value<const_rvalue> {
        return chain::or_else(std::move(*this), std::forward<F>(f));
    }

    /// Replaces the value by what `f(value)` returns; an error stays.
    template <class F>
    constexpr auto transform(F&& f) & requires std::is_constructible_v<E, E&> {
        return chain::transform(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto transform(F&& f) const& requires std::is_constructible_v<E, const E&> {
        return chain::transform(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto transform(F&& f) && requires std::is_constructible_v<E, E> {
        return chain::transform(std::move(*this), std::forward<F>(f));
    }
    template <class F>
    constexpr auto transform(F&& f) const&& requires std::is_constructible_v<E, const E> {
        return chain::transform(std::move(*this), std::forward<F>(f));
    }

    /// Replaces the error by what `f(error)` returns; a value stays.
    template <class F>
    constexpr auto transform_error(F&& f) & requires takes_value<reference> {
        return chain::transform_error(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto transform_error(F&& f) const& requires takes_value<const_reference> {
        return chain::transform_error(*this, std::forward<F>(f));
    }
    template <class F>
    constexpr auto transform_error(F&& f) && requires takes_value<rvalue> {
        return chain::transform_error(std::move(*this), std::forward<F>(f));
    }
    template <class F>
    constexpr auto transform_error(F&& f) const&& requires takes_value<const_rvalue> {
        return chain::transform_error(std::move(*this), std::forward<F>(f));
    }

    /// Two expecteds are equal where both hold equal values, or both equal errors.
    template <class U, class G>
        requires(is_void == std::is_void_v<U>)
    friend constexpr bool operator==(const expected& a, const expected<U, G>& b) {
        if (a.has_value() != b.has_value()) return false;
        if (!a.has_value()) return a.error() == b.error();
        if constexpr (is_void)
            return true;
        else
            return *a == *b;
    }
    template <class U>
        requires(!is_void && is_plain_value<U> && !detail::expected_parts::is_expected<U>)
    friend constexpr bool operator==(const expected& a, const U& value) {
        return a.has_value() && static_cast<bool>(*a == value);
    }
    template <class G>
    friend constexpr bool operator==(const expected& a, const unexpected<G>& b) {
        return !a.has_value() && static_cast<bool>(a.error() == b.error());
    }

private:
    using chain = detail::expected_parts::monadic;

    template <class Tag, class Make>
    constexpr expected(detail::expected_parts::from_call, Tag tag, Make&& make)
        : storage(tag, std::forward<Make>(make)) {}

    template <class Reference, class Self>
    static constexpr Reference get(Self& self) noexcept {
        assert(self.has_value_ && "weir::expected: * without a value; test it first");
        if constexpr (!is_void) return static_cast<Reference>(self.value_);
    }
    template <class Self>
    static constexpr auto& checked_error(Self& self) noexcept {
        assert(!self.has_value_ && "weir::expected: error() without an error; test it first");
        return self.error_;
    }

    [[noreturn]] void throw_copy() const {
        static_assert(std::is_copy_constructible_v<E>,
                      "value() of an lvalue copies the error into the exception, and this error "
                      "can only be moved: write std::move(result).value().");
        detail::expected_parts::throw_bad_access(error_);
    }
};

WEIR_ABI_END }  // namespace weir
