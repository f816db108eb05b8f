#pragma once
// What try_map of a guard that is an rvalue returns.

#include <optional>
#include <utility>

#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// The mapped guard, or the guard that it could not be made of.
template <class Mapped, class Guard>
expected<Mapped, Guard> mapped_or_back(std::optional<Mapped>&& mapped, Guard& guard) {
    if (!mapped) return expected<Mapped, Guard>(unexpect, std::move(guard));
    return expected<Mapped, Guard>(std::in_place, std::move(*mapped));
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
