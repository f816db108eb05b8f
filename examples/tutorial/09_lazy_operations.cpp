// 9. Nothing runs until it is awaited, so nothing queues up unseen.
//
// An unbounded queue fills the memory some day. Eager futures and callbacks make one without being
// asked: each call starts an operation, whether or not the last one is done. A weir::task is lazy.
// Concurrency starts only where it is written down: spawn, join, select, and a channel between.

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include <weir/join.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

struct load {
    int started = 0;
    int running = 0;
    int most_running = 0;
};

weir::task<void> async_op(load& seen) {
    ++seen.started;
    seen.most_running = std::max(seen.most_running, ++seen.running);
    co_await weir::yield_now();
    --seen.running;
}

weir::task<int> async_main() {
    // Called and not awaited: the body does not run at all. (Without the name, the compiler warns
    // that the task is not used.)
    load called;
    for (int i = 0; i < 1000; ++i) {
        [[maybe_unused]] auto never_awaited = async_op(called);
    }
    std::cout << "called 1000 times:    " << called.started << " started\n";

    // Awaited: each round waits for the operation before it starts the next.
    load awaited;
    for (int i = 0; i < 1000; ++i) co_await async_op(awaited);
    std::cout << "awaited 1000 times:   " << awaited.started << " started, at most "
              << awaited.most_running << " at once\n";

    // Three at once, because the program says so.
    load joined;
    co_await weir::join(async_op(joined), async_op(joined), async_op(joined));
    std::cout << "three joined:         " << joined.started << " started, at most "
              << joined.most_running << " at once\n";

    const bool ok = called.started == 0 && awaited.started == 1000 && awaited.most_running == 1 &&
                    joined.most_running == 3;
    co_return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
