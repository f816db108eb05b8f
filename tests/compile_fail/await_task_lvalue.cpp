// expect: awaited once, as an rvalue
#include <weir/task.hpp>

weir::task<int> child() { co_return 1; }

weir::task<int> parent() {
    auto t = child();
    co_return co_await t;  // a task is awaited once, as an rvalue: co_await std::move(t)
}
