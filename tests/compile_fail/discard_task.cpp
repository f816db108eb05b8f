// expect: (unused-result|nodiscard)
#pragma GCC diagnostic error "-Wunused-result"  // g++
#pragma GCC diagnostic error "-Wunused-value"   // clang
#include <weir/task.hpp>

weir::task<> child() { co_return; }

void forgets() { child(); }
