// A libFuzzer program of its own; see timer_wheel.hpp.

#include <cstddef>
#include <cstdint>

#include "timer_wheel.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir_fuzz::timer_wheel({data, size});
    return 0;
}
