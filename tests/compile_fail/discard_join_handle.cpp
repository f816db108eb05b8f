// expect: (unused-result|nodiscard)
#pragma GCC diagnostic error "-Wunused-result"  // g++
#pragma GCC diagnostic error "-Wunused-value"   // clang
#include <weir/spawn.hpp>

weir::task<> child() { co_return; }

void forgets() { weir::spawn(child()); }  // detaching is said: .detach()
