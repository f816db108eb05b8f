#include "glob.hpp"

#include <cstddef>
#include <utility>

namespace redis {

namespace {

// Matches `c` with the class that starts at pattern[i], a '[', and moves i behind its end.
bool matches_class(std::string_view pattern, std::size_t& i, char c) noexcept {
    ++i;
    const bool negated = i < pattern.size() && pattern[i] == '^';
    if (negated) ++i;
    bool found = false;
    // A class that nobody closes ends with the pattern.
    for (; i < pattern.size() && pattern[i] != ']'; ++i) {
        if (pattern[i] == '\\' && i + 1 < pattern.size()) {
            found = found || pattern[++i] == c;
        } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
            char first = pattern[i];
            char last = pattern[i += 2];
            if (first > last) std::swap(first, last);
            found = found || (first <= c && c <= last);
        } else {
            found = found || pattern[i] == c;
        }
    }
    if (i < pattern.size()) ++i;
    return found != negated;
}

// Matches `c` with what stands at pattern[i], which is no star, and moves i behind it.
bool matches_one(std::string_view pattern, std::size_t& i, char c) noexcept {
    if (i == pattern.size()) return false;
    if (pattern[i] == '[') return matches_class(pattern, i, c);
    if (pattern[i] == '?') return ++i, true;
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    return pattern[i++] == c;
}

}  // namespace

bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
    constexpr auto none = std::string_view::npos;
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t behind_star = none;  // where the pattern goes on behind the last star
    std::size_t star_end = 0;        // what that star matches ends here
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            behind_star = ++p;
            star_end = t;
        } else if (matches_one(pattern, p, text[t])) {
            ++t;
        } else if (behind_star != none) {
            // An earlier star need not grow: what it could gain, this one gains as well.
            p = behind_star;
            t = ++star_end;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

}  // namespace redis
