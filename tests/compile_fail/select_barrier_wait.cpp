// expect: lossy
#include <weir/barrier.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

weir::task<> races(weir::barrier& b) {
    auto v = co_await weir::select(b.wait(), weir::yield_now());
}
