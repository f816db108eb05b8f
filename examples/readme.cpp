#include <chrono>
#include <iostream>
#include <weir/weir.hpp>

using namespace std::chrono_literals;
using question = std::pair<int, weir::oneshot::sender<int>>;

// A task of its own answers the questions. It ends when every sender is gone.
weir::task<void> answer_all(weir::mpsc::receiver<question> rx) {
    while (auto q = co_await rx.recv()) {
        auto& [number, reply] = *q;
        (void)reply.send(number * number);  // an error: nobody waits for it any more
    }
}

weir::task<void> async_main() {
    auto [tx, rx] = weir::mpsc::channel<question>(32);  // room for 32: the 33rd send waits
    weir::spawn(answer_all(std::move(rx))).detach();
    for (int n = 1; n <= 3; ++n) {
        auto [reply, answer] = weir::oneshot::channel<int>();
        (co_await tx.send(question(n, std::move(reply)))).value();
        auto square = co_await weir::timeout(1s, answer);  // expected<optional<int>, elapsed>
        std::cout << n << " squared is " << square.value().value() << '\n';
    }
}

int main() { weir::block_on(async_main()); }
