// expect: a lock cannot be held across co_await.*use weir::mutex<T>
#include <weir/synchronized.hpp>
#include <weir/task.hpp>

weir::task<void> do_something();

void use(weir::synchronized<int>& counter) {
    counter.with([](int& v) -> weir::task<void> {
        ++v;
        co_await do_something();
    });
}
