// 4. The asynchronous mutex: a lock that may be held across a co_await.
//
// weir::mutex owns its data and makes the task wait, not the thread. It costs more than a blocking
// lock and lets only one task in at a time, so look at steps 3 and 7 first; it is the right tool
// where a critical section itself has to wait.

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <weir/mutex.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

struct account {
    int balance = 0;
    int inside = 0;       // tasks in the critical section now
    int most_inside = 0;  // must stay 1
    std::string order;    // who came when
};

weir::task<void> increment_and_do_stuff(std::shared_ptr<weir::mutex<account>> shared, char name) {
    auto guard = co_await shared->lock();
    guard->most_inside = std::max(guard->most_inside, ++guard->inside);
    guard->order += name;
    const int before = guard->balance;

    co_await weir::yield_now();  // the others run, and find the mutex locked

    guard->balance = before + 1;  // no update was lost meanwhile
    --guard->inside;
}  // the guard unlocks here, and the task that has waited longest is next

weir::task<int> async_main() {
    auto shared = std::make_shared<weir::mutex<account>>();

    std::vector<weir::join_handle<void>> handles;
    for (char name = 'a'; name <= 'h'; ++name) {
        handles.push_back(weir::spawn(increment_and_do_stuff(shared, name)));
    }
    for (auto& handle : handles) co_await handle;

    auto guard = co_await shared->lock();
    std::cout << "balance: " << guard->balance << '\n';
    std::cout << "most tasks inside at once: " << guard->most_inside << '\n';
    std::cout << "order: " << guard->order << '\n';
    const bool ok = guard->balance == 8 && guard->most_inside == 1 && guard->order == "abcdefgh";
    co_return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
