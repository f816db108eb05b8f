// 6. Message passing: many senders, one receiver.
//
// A task that owns what others need, and a channel to ask it: nothing is shared any more. The
// sender copies, one for each task that sends. The receiver does not copy: there is one.

#include <cstdlib>
#include <iostream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/mpsc.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

static_assert(std::is_copy_constructible_v<weir::mpsc::sender<std::string>>);
static_assert(!std::is_copy_constructible_v<weir::mpsc::receiver<std::string>>);

weir::task<void> say(weir::mpsc::sender<std::string> tx, std::string text) {
    // Waits while the channel is full. The result is an error where the receiver is gone;
    // value() turns that into an exception, as nothing here could go on without it.
    (co_await tx.send(std::move(text))).value();
}

weir::task<int> async_main() {
    // Room for 32 messages. tx transmits, rx receives, and either may move to another task.
    auto [tx, rx] = weir::mpsc::channel<std::string>(32);
    auto tx2 = tx;

    // Both senders move into their tasks. One kept here would keep the channel open, and the loop
    // below would wait for ever.
    auto first = weir::spawn(say(std::move(tx), "sending from first handle"));
    auto second = weir::spawn(say(std::move(tx2), "sending from second handle"));

    std::vector<std::string> got;
    while (auto message = co_await rx.recv()) {
        std::cout << "GOT = " << *message << '\n';
        got.push_back(std::move(*message));
    }
    // recv() gives nothing only when every sender is gone and every message was received.
    std::cout << "the channel is closed: both senders are gone\n";

    co_await first;
    co_await second;
    const std::vector<std::string> sent{"sending from first handle", "sending from second handle"};
    co_return got == sent ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
