// expect: for one that returns a plain value write transform
#include <weir/expected.hpp>

auto half(weir::expected<int, weir::closed> e) {
    return e.and_then([](int n) { return n / 2; });
}
