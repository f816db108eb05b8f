// expect: (deleted function|deleted constructor|call to deleted|implicitly-deleted)
#include <weir/oneshot.hpp>

void copies(weir::oneshot::sender<int>& tx) { auto copy = tx; }
