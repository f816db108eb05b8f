// expect: add: #include <weir/time.hpp>
#include <chrono>

#include <weir/task.hpp>

weir::task<> pauses() { co_await weir::sleep_for(std::chrono::seconds(1)); }
