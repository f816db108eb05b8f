#pragma once
// Log lines: what happened, when, one line each on stderr.

#include <cstdint>
#include <string_view>

namespace redis {

enum class log_level : std::uint8_t { off, error, warning, info, debug };

/// What a part of the program writes to. A copy is the same log.
class logger {
public:
    logger() = default;  // nothing is wanted
    explicit logger(log_level most) noexcept : most_(most) {}

    /// Formats as printf does and writes the line with one call, so that lines of several threads
    /// do not mix. Costs a comparison where the level is not wanted.
    [[gnu::format(printf, 3, 4)]] void operator()(log_level level, const char* format, ...) const;
    bool wants(log_level level) const noexcept { return level <= most_; }

private:
    log_level most_ = log_level::off;
};

}  // namespace redis
