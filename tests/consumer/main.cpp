// The program of every consumer project.

#include <weir/weir.hpp>

#include <cstdio>

weir::task<int> answer() { co_return 42; }

int main() {
    std::printf("weir %s says %d\n", WEIR_VERSION, weir::block_on(answer()));
    return 0;
}
