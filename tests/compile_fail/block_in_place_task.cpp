// expect: block_in_place calls a function that blocks, and what this one returns has not run yet
#include <weir/block_in_place.hpp>
#include <weir/task.hpp>

weir::task<int> work();

weir::task<> f() {
    co_await weir::block_in_place(work);
}
