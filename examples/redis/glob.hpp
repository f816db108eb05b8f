#pragma once
// Patterns of KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET.

#include <string_view>

namespace redis {

/// Whether the whole of `text` matches: `*` any text, `?` any byte, `[a-z]` and `[^a-z]` classes,
/// `\` the next byte as it is. At most pattern times text steps, whatever the pattern is: one star
/// is remembered, not one for each level of a recursion that a hostile pattern could drive.
bool matches_glob(std::string_view pattern, std::string_view text) noexcept;

}  // namespace redis
