// expect: reserve
#include <chrono>

#include <weir/mpsc.hpp>
#include <weir/task.hpp>
#include <weir/timeout.hpp>

weir::task<> races(weir::mpsc::sender<int>& tx) {
    auto r = co_await weir::timeout(std::chrono::seconds(1), tx.send(1));
}
