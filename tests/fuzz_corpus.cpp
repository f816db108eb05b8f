// Replays what the fuzzers have found worth keeping (tests/fuzz/corpus), with every compiler.

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz/resp.hpp"
#include "fuzz/select.hpp"
#include "fuzz/timer_wheel.hpp"

namespace {

void replay(const char* target, void (*run)(weir_fuzz::input)) {
    const auto folder = std::filesystem::path(__FILE__).parent_path() / "fuzz" / "corpus" / target;
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        CAPTURE(entry.path().string());
        std::ifstream file(entry.path(), std::ios::binary);
        const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
        const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
        CHECK_NOTHROW(run(input));
        ++files;
    }
    CHECK(files >= 10);
}

}  // namespace

TEST_SUITE("fuzz corpus") {
    TEST_CASE("resp") { replay("resp", &weir_fuzz::resp); }
    TEST_CASE("timer_wheel") { replay("timer_wheel", &weir_fuzz::timer_wheel); }
    TEST_CASE("select") { replay("select", &weir_fuzz::select); }
}
