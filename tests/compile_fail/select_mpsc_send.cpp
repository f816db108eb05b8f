// expect: reserve
#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

weir::task<> races(weir::mpsc::sender<int>& tx) {
    auto v = co_await weir::select(tx.send(1), weir::yield_now());
}
