// expect: (deleted function|deleted constructor|call to deleted|implicitly-deleted)
#include <weir/mpsc.hpp>

void copies(weir::mpsc::receiver<int>& rx) { auto copy = rx; }
