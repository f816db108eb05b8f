// expect: (deleted function|deleted constructor|call to deleted|implicitly-deleted)
#include <weir/task.hpp>

weir::task<int> child() { co_return 1; }

void copies() {
    auto t = child();
    auto copy = t;
}
