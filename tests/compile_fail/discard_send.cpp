// expect: co_await it: nothing is sent otherwise
#pragma GCC diagnostic error "-Wunused-result"  // g++
#pragma GCC diagnostic error "-Wunused-value"   // clang
#include <weir/mpsc.hpp>

void forgets(weir::mpsc::sender<int>& tx) { tx.send(1); }
