// 3. A blocking lock and a co_await: keep them apart.
//
// This is the mistake:
//
//     weir::task<void> increment_and_do_stuff(std::mutex& m, int& value) {
//         std::lock_guard<std::mutex> lock(m);
//         ++value;
//         co_await do_something();     // suspends with the mutex locked
//     }
//
// While the task is suspended, the next task of the same thread locks the mutex, blocks the
// thread, and the first one can never come back to unlock it. A task may also come back on another
// thread, which must not unlock it. Below are three ways to write it, from good to best.

#include <cstdlib>
#include <iostream>
#include <mutex>

#include <weir/join.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/synchronized.hpp>
#include <weir/task.hpp>

weir::task<void> do_something() { co_await weir::yield_now(); }

// Good: a block ends the guard before the wait. `guard.unlock()` before the wait is as right.
weir::task<void> with_a_block(std::mutex& m, int& value) {
    {
        std::lock_guard<std::mutex> guard(m);
        ++value;
    }
    co_await do_something();
}

// Better: only plain members lock. No guard ever appears in a coroutine.
class can_increment {
public:
    void increment() {
        std::lock_guard<std::mutex> guard(mutex_);
        ++value_;
    }

    int value() const {
        std::lock_guard<std::mutex> guard(mutex_);
        return value_;
    }

private:
    mutable std::mutex mutex_;
    int value_ = 0;
};

weir::task<void> with_a_member(can_increment& counter) {
    counter.increment();
    co_await do_something();
}

// Best: `synchronized` has no guard. Its only access is a callable, and one that could wait does
// not compile: see tests/compile_fail/tutorial_async_section.cpp.
weir::task<void> with_a_callable(weir::synchronized<int>& counter) {
    counter.with([](int& value) { ++value; });
    co_await do_something();
}

weir::task<int> async_main() {
    std::mutex m;
    int first = 0;
    can_increment second;
    weir::synchronized<int> third;

    // `join` runs its branches as parts of this task, so they may refer to its locals. Each is
    // suspended in do_something() while the other two take their locks.
    for (int round = 0; round < 100; ++round) {
        co_await weir::join(with_a_block(m, first), with_a_block(m, first));
        co_await weir::join(with_a_member(second), with_a_member(second));
        co_await weir::join(with_a_callable(third), with_a_callable(third));
    }

    const int last = third.with([](int& value) { return value; });
    std::cout << "a block:      " << first << '\n';
    std::cout << "a member:     " << second.value() << '\n';
    std::cout << "synchronized: " << last << '\n';
    co_return first == 200 && second.value() == 200 && last == 200 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
