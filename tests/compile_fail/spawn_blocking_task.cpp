// expect: spawn_blocking runs a function that blocks its thread, and never awaits
#include <weir/spawn.hpp>

weir::task<int> work();

void f() {
    weir::spawn_blocking(work).detach();
}
