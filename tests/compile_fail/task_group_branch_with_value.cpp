// expect: a branch of a task_group yields nothing
#include <weir/task.hpp>
#include <weir/task_group.hpp>

weir::task<int> number();

weir::task<> owner() {
    weir::task_group group;
    co_await group.spawn(number());
}
