// A rate limiter: a bucket of permits, and a task that fills it up at a steady rate.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <utility>

#include <weir/runtime.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

namespace {

using namespace std::chrono_literals;

/// Lets `burst` calls through at once, and then one for each period. For any number of tasks, in
/// the order in which they ask.
class rate_limiter {
public:
    rate_limiter(std::size_t burst, std::chrono::milliseconds period)
        : bucket_(std::make_shared<weir::semaphore>(burst)),
          filler_(weir::spawn(fill(bucket_, burst, period))) {}
    rate_limiter(const rate_limiter&) = delete;
    rate_limiter& operator=(const rate_limiter&) = delete;
    ~rate_limiter() { filler_.abort(); }

    weir::task<void> acquire() {
        auto permit = co_await bucket_->acquire();
        permit.value().forget();  // used up: only the filler makes new ones
    }

private:
    static weir::task<void> fill(std::shared_ptr<weir::semaphore> bucket, std::size_t burst,
                                 std::chrono::milliseconds period) {
        while (true) {
            co_await weir::sleep_for(period);
            if (bucket->available_permits() < burst) bucket->add_permits(1);
        }
    }

    std::shared_ptr<weir::semaphore> bucket_;
    weir::join_handle<void> filler_;
};

weir::task<int> async_main() {
    rate_limiter limiter(3, 100ms);
    const auto begin = weir::clock::now();
    std::chrono::milliseconds last(0);
    for (int call = 1; call <= 8; ++call) {
        co_await limiter.acquire();
        last = std::chrono::floor<std::chrono::milliseconds>(weir::clock::now() - begin);
        std::cout << "call " << call << " after " << last.count() << " ms\n";
    }
    co_return last == 500ms ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() {
    // A clock that jumps to the next deadline when nothing else is to do: the program takes no
    // time, and its output is the same every time.
    weir::runtime_options options;
    options.start_paused = true;
    weir::current_thread_runtime runtime(options);
    return runtime.block_on(async_main());
}
