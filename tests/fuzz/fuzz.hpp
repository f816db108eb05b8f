#pragma once
// What the fuzz targets share. A target is a function of bytes that throws when something is wrong:
// libFuzzer sees the process end, a unit test sees the exception.

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>

namespace weir_fuzz {

using input = std::span<const std::uint8_t>;

inline void require(bool holds, const char* what) {
    if (!holds) throw std::logic_error(what);
}

// Hands bytes out, and zeros behind their end.
class reader {
public:
    explicit reader(input bytes) noexcept : rest_(bytes) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    std::uint8_t byte() noexcept {
        if (rest_.empty()) return 0;
        const std::uint8_t b = rest_.front();
        rest_ = rest_.subspan(1);
        return b;
    }
    std::uint64_t number(int bytes) noexcept {
        std::uint64_t n = 0;
        for (int i = 0; i < bytes; ++i) n = n << 8 | byte();
        return n;
    }
    [[nodiscard]] std::string text() const { return {rest_.begin(), rest_.end()}; }

private:
    input rest_;
};

}  // namespace weir_fuzz
