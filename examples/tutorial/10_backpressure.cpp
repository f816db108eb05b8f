// 10. Backpressure: a full channel makes its senders wait.
//
// The capacity is how far a fast producer may run ahead of a slow consumer. A channel of 32 stores
// 32 messages; the 33rd send waits until one of them is received. Which capacity is right depends
// on the application; that there is one keeps it from running out of memory.

#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

constexpr std::size_t capacity = 32;

weir::task<void> produce(weir::mpsc::sender<int> tx, int messages) {
    for (int i = 1; i <= messages; ++i) {
        (co_await tx.send(i)).value();
    }
}

weir::task<int> async_main() {
    auto [tx, rx] = weir::mpsc::channel<int>(capacity);
    auto producer = weir::spawn(produce(std::move(tx), 33));

    // Gives way to the producer, which runs until it has to wait.
    co_await weir::yield_now();
    const bool waits = rx.size() == capacity && !producer.is_finished();
    std::cout << "stored: " << rx.size() << ", the 33rd send "
              << (producer.is_finished() ? "is done" : "waits") << '\n';

    auto first = co_await rx.recv();
    std::cout << "received " << *first << '\n';
    co_await weir::yield_now();
    const bool went_on = rx.size() == capacity && producer.is_finished();
    std::cout << "stored: " << rx.size() << ", the 33rd send "
              << (producer.is_finished() ? "is done" : "waits") << '\n';

    int last = 0;
    while (auto next = co_await rx.recv()) last = *next;
    std::cout << "the last one was " << last << '\n';
    const bool ok = waits && *first == 1 && went_on && last == 33;
    co_return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
