// expect: (deleted function|deleted constructor|call to deleted|implicitly-deleted)
#include <weir/spawn.hpp>

void copies(weir::join_handle<int>& h) { auto copy = h; }
