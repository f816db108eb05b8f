#pragma once
// Where a server is.

#include <charconv>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace redis {

struct address {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;

    std::string to_string() const { return host + ':' + std::to_string(port); }
    friend auto operator<=>(const address&, const address&) = default;
};

/// Reads "host:port"; an IPv6 address stands in front of the last colon.
inline std::optional<address> parse_address(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    address a{std::string(text.substr(0, colon)), 0};
    const std::string_view port = text.substr(colon + 1);
    const char* const end = port.data() + port.size();
    const auto [stopped, error] = std::from_chars(port.data(), end, a.port);
    if (error != std::errc{} || stopped != end || a.port == 0) return std::nullopt;
    return a;
}

}  // namespace redis
