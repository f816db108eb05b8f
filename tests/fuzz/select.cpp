// A libFuzzer program of its own; see select.hpp.

#include <cstddef>
#include <cstdint>

#include "select.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    weir_fuzz::select({data, size});
    return 0;
}
