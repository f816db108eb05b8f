// expect: yield an object or nothing: return a pointer
#include <weir/join_set.hpp>

weir::join_set<int&> set;
