// expect: destroying a join_handle detaches the task: say so with .detach\(\)
#pragma GCC diagnostic error "-Wunused-result"  // g++
#pragma GCC diagnostic error "-Wunused-value"   // clang
#include <weir/spawn.hpp>

weir::task<> child() { co_return; }

void forgets() { weir::spawn(child()); }  // detaching is said: .detach()
