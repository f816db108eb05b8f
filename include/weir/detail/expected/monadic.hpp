#pragma once
// The bodies of and_then, or_else, transform and transform_error, for all value categories at once.

#include <functional>  // std::invoke
#include <type_traits>
#include <utility>

#include <weir/detail/expected/access.hpp>
#include <weir/detail/expected/storage.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::expected_parts {

struct monadic {
    template <class Self, class F>
    static constexpr auto and_then(Self&& self, F&& f) {
        using result =
            std::remove_cvref_t<decltype(call(std::forward<Self>(self), std::forward<F>(f)))>;
        static_assert(is_expected<result>,
                      "and_then takes a callable that returns a weir::expected; for one that "
                      "returns a plain value write transform.");
        if constexpr (is_expected<result>) {
            static_assert(std::is_same_v<typename result::error_type, error_of<Self>>,
                          "The callable of and_then returns an expected with another error type; "
                          "convert it with transform_error first.");
        }
        if (!self.has_value()) return result(unexpect, std::forward<Self>(self).error());
        return call(std::forward<Self>(self), std::forward<F>(f));
    }

    template <class Self, class F>
    static constexpr auto or_else(Self&& self, F&& f) {
        using result = std::remove_cvref_t<
            decltype(std::invoke(std::forward<F>(f), std::forward<Self>(self).error()))>;
        static_assert(is_expected<result>,
                      "or_else takes a callable that returns a weir::expected; for one that "
                      "returns a plain error write transform_error.");
        if constexpr (is_expected<result>) {
            static_assert(std::is_same_v<typename result::value_type, value_of<Self>>,
                          "The callable of or_else returns an expected with another value type; "
                          "convert it with transform first.");
        }
        if (self.has_value()) return keep_value<result>(std::forward<Self>(self));
        return std::invoke(std::forward<F>(f), std::forward<Self>(self).error());
    }

    template <class Self, class F>
    static constexpr auto transform(Self&& self, F&& f) {
        using returned = decltype(call(std::forward<Self>(self), std::forward<F>(f)));
        static_assert(!std::is_reference_v<returned>,
                      "The callable of transform returns a reference, which an expected does not "
                      "hold; return a pointer or a copy.");
        using result = expected<std::remove_cvref_t<returned>, error_of<Self>>;
        if (!self.has_value()) return result(unexpect, std::forward<Self>(self).error());
        if constexpr (std::is_void_v<returned>) {
            call(std::forward<Self>(self), std::forward<F>(f));
            return result();
        } else {
            return result(from_call{}, construct_value_from_call{}, [&]() -> returned {
                return call(std::forward<Self>(self), std::forward<F>(f));
            });
        }
    }

    template <class Self, class F>
    static constexpr auto transform_error(Self&& self, F&& f) {
        using returned =
            decltype(std::invoke(std::forward<F>(f), std::forward<Self>(self).error()));
        static_assert(!std::is_reference_v<returned>,
                      "The callable of transform_error returns a reference, which an expected does "
                      "not hold; return a pointer or a copy.");
        using result = expected<value_of<Self>, std::remove_cvref_t<returned>>;
        if (self.has_value()) return keep_value<result>(std::forward<Self>(self));
        return result(from_call{}, construct_error_from_call{}, [&]() -> returned {
            return std::invoke(std::forward<F>(f), std::forward<Self>(self).error());
        });
    }

private:
    template <class Self>
    using value_of = typename std::remove_cvref_t<Self>::value_type;
    template <class Self>
    using error_of = typename std::remove_cvref_t<Self>::error_type;

    template <class Self, class F>
    static constexpr decltype(auto) call(Self&& self, F&& f) {
        if constexpr (std::is_void_v<value_of<Self>>)
            return std::invoke(std::forward<F>(f));
        else
            return std::invoke(std::forward<F>(f), *std::forward<Self>(self));
    }

    template <class Result, class Self>
    static constexpr Result keep_value(Self&& self) {
        if constexpr (std::is_void_v<value_of<Self>>)
            return Result();
        else
            return Result(std::in_place, *std::forward<Self>(self));
    }
};

}  // namespace detail::expected_parts
WEIR_ABI_END }  // namespace weir
