// expect: a weir::task does nothing until it is awaited or spawned
#pragma GCC diagnostic error "-Wunused-result"  // g++
#pragma GCC diagnostic error "-Wunused-value"   // clang
#include <weir/task.hpp>

weir::task<> child() { co_return; }

void forgets() { child(); }
