// expect: co_await it: only what it yields can be tested
#include <weir/task.hpp>

weir::task<bool> is_ready();

weir::task<int> forgets() {
    if (is_ready()) co_return 1;
    co_return 0;
}
