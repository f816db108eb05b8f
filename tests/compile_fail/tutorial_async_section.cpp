// expect: a lock cannot be held across co_await
// What step 3 of the tutorial must not become: a lock that is held across a wait.
#include <weir/synchronized.hpp>
#include <weir/task.hpp>
#include <weir/yield.hpp>

void increment_and_do_stuff(weir::synchronized<int>& counter) {
    counter.with([](int& value) -> weir::task<void> {
        ++value;
        co_await weir::yield_now();
    });
}
