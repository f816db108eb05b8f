// expect: (unused-result|unused-value|nodiscard)
#pragma GCC diagnostic error "-Wunused-result"  // g++
#pragma GCC diagnostic error "-Wunused-value"   // clang
#include <weir/oneshot.hpp>

void forgets(weir::oneshot::sender<int>& tx) { tx.send(1); }
