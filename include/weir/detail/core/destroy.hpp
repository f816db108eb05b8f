#pragma once
// The end of a value that nobody waits for any more.

#include <memory>  // std::destroy_at
#include <type_traits>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// What the destructor throws, if it may, goes nowhere, so that the values after this one are
/// destroyed too.
template <class T>
void destroy_quietly(T& value) noexcept {
    if constexpr (std::is_nothrow_destructible_v<T>) {
        std::destroy_at(std::addressof(value));
    } else {
        WEIR_TRY {
            std::destroy_at(std::addressof(value));
        }
        WEIR_CATCH_ALL {}
    }
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
