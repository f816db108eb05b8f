// A libFuzzer program of its own; see resp.hpp.

#include <cstddef>
#include <cstdint>

#include "resp.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir_fuzz::resp({data, size});
    return 0;
}
