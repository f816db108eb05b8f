// expect: cannot be made from what the initializer yields
#include <memory>
#include <weir/once_cell.hpp>
#include <weir/task.hpp>

weir::task<> uses(weir::once_cell<std::unique_ptr<int>>& cell) {
    co_await cell.get_or_init([] { return 5; });
}
