// A shutdown in good order: tell everybody, let them finish, give up on those who do not.

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <utility>

#include <weir/cancellation_token.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task_tracker.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

namespace {

using namespace std::chrono_literals;

// Works in steps that must not be torn, and looks between them whether it is time to go. The token
// does not interrupt anything: this is where the task itself decides.
weir::task<void> work(weir::cancellation_token stop, int number, std::chrono::milliseconds step) {
    while (!stop.is_cancelled()) co_await weir::sleep_for(step);
    std::cout << "worker " << number << " has finished its step\n";
}

// Stands for SIGTERM.
weir::task<void> after_a_while() { co_await weir::sleep_for(95ms); }

weir::task<int> async_main() {
    const weir::cancellation_token stop;
    weir::task_tracker workers;
    workers.spawn(work(stop, 1, 10ms)).detach();
    workers.spawn(work(stop, 2, 40ms)).detach();
    auto stuck = workers.spawn(work(stop, 3, 24h));

    co_await after_a_while();
    std::cout << "stopping " << workers.size() << " workers\n";
    stop.cancel();
    workers.close();  // wait() is over when the last one has ended
    const auto in_time = co_await weir::timeout(1s, workers.wait());

    const std::size_t left = workers.size();
    std::cout << (in_time ? "all have ended" : "the grace is over") << ", " << left << " left\n";
    stuck.abort();
    static_cast<void>(co_await stuck.result());
    co_await workers.wait();
    std::cout << "now all have ended\n";
    co_return !in_time && left == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
    weir::runtime_options options;
    options.start_paused = true;  // the clock jumps: see rate_limiter.cpp
    weir::current_thread_runtime runtime(options);
    return runtime.block_on(async_main());
}
