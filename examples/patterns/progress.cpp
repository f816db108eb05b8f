// The progress of long work: a watch holds the latest value, and who looks late misses nothing
// that still matters.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <utility>

#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/watch.hpp>

namespace {

using namespace std::chrono_literals;

constexpr int steps = 1000;

// Reports each step, and never waits for anybody to look.
weir::task<void> work(weir::watch::sender<int> progress) {
    for (int done = 1; done <= steps; ++done) {
        co_await weir::sleep_for(1ms);
        progress.send(done);
    }
}  // the sender goes: changed() says so, after the last value was seen

weir::task<int> async_main() {
    auto [report, progress] = weir::watch::channel(0);
    auto worker = weir::spawn(work(std::move(report)));
    int shown = 0;
    int last = 0;
    while (co_await progress.changed()) {
        last = *progress.borrow_and_update();
        std::cout << last * 100 / steps << " %\n";
        ++shown;
        co_await weir::sleep_for(250ms);  // a person does not read faster
    }
    co_await worker;
    std::cout << "done: " << last << " steps, " << shown << " lines\n";
    co_return last == steps ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
    weir::runtime_options options;
    options.start_paused = true;  // the clock jumps: see rate_limiter.cpp
    weir::current_thread_runtime runtime(options);
    return runtime.block_on(async_main());
}
