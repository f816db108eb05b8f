#include "slots.hpp"

#include "request.hpp"

namespace redis {

namespace {

constexpr std::array<std::uint16_t, 256> make_crc_table() {
    std::array<std::uint16_t, 256> table{};
    for (std::size_t byte = 0; byte < table.size(); ++byte) {
        auto crc = static_cast<std::uint16_t>(byte << 8);
        for (int bit = 0; bit < 8; ++bit) {
            const bool high = (crc & 0x8000) != 0;
            crc = static_cast<std::uint16_t>(crc << 1);
            if (high) crc ^= 0x1021;
        }
        table[byte] = crc;
    }
    return table;
}

constexpr auto crc_table = make_crc_table();

std::uint16_t crc16(std::string_view text) noexcept {
    std::uint16_t crc = 0;
    for (const char c : text) {
        const auto index = static_cast<std::uint8_t>(crc >> 8 ^ static_cast<std::uint8_t>(c));
        crc = static_cast<std::uint16_t>(crc << 8 ^ crc_table[index]);
    }
    return crc;
}

// Takes the first word off `text`.
std::string_view take_word(std::string_view& text) {
    const std::size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    return word;
}

bool is_slot(std::int64_t n) { return n >= 0 && n < static_cast<std::int64_t>(slot_count); }

}  // namespace

std::uint16_t slot_of(std::string_view key) noexcept {
    const std::size_t open = key.find('{');
    if (open != std::string_view::npos) {
        const std::size_t close = key.find('}', open + 1);
        const bool tagged = close != std::string_view::npos && close != open + 1;
        if (tagged) key = key.substr(open + 1, close - open - 1);
    }
    return crc16(key) % slot_count;
}

std::optional<redirection> parse_redirection(std::string_view error) {
    const std::string_view word = take_word(error);
    if (word != "MOVED" && word != "ASK") return std::nullopt;
    const auto slot = parse_integer(take_word(error));
    const auto to = parse_address(error);
    if (!slot || !is_slot(*slot) || !to) return std::nullopt;
    const auto what = word == "ASK" ? redirection::kind::ask : redirection::kind::moved;
    return redirection{what, static_cast<std::uint16_t>(*slot), *to};
}

std::vector<slot_range> parse_slots(const reply& r) {
    std::vector<slot_range> ranges;
    for (const reply& range : r.elements()) {
        const auto& e = range.elements();
        if (e.size() < 3 || e[2].elements().size() < 2) continue;
        const std::int64_t first = e[0].integer();
        const std::int64_t last = e[1].integer();
        const std::int64_t port = e[2].elements()[1].integer();
        if (!is_slot(first) || !is_slot(last) || port <= 0 || port > 65535) continue;
        ranges.push_back({static_cast<std::uint16_t>(first), static_cast<std::uint16_t>(last),
                          {std::string(e[2].elements()[0].view()),
                           static_cast<std::uint16_t>(port)}});
    }
    return ranges;
}

}  // namespace redis
