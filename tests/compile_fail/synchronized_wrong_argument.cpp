// expect: a const object gives a const one
#include <weir/synchronized.hpp>

void use(const weir::synchronized<int>& counter) {
    counter.with([](int& v) { ++v; });
}
