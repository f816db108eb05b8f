// Publish and subscribe: each subscriber gets everything, and a slow one harms only itself.

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include <weir/broadcast.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

namespace {

using receiver = weir::broadcast::receiver<std::string>;

struct heard {
    std::uint64_t messages = 0;
    std::uint64_t missed = 0;
};

// Takes its time before it looks: `nap` turns of everybody else.
weir::task<heard> listen(receiver channel, int nap) {
    heard h;
    while (true) {
        for (int i = 0; i < nap; ++i) co_await weir::yield_now();
        const auto message = co_await channel.recv();
        if (message.is_closed()) co_return h;
        if (message.is_lagged()) {
            h.missed += message.lagged();  // and goes on with the oldest that is left
        } else {
            ++h.messages;
        }
    }
}

// Never waits for the subscribers: it only lets them run.
weir::task<void> publish(weir::broadcast::sender<std::string> channel) {
    for (int i = 1; i <= 100; ++i) {
        static_cast<void>(channel.send("news " + std::to_string(i)));
        co_await weir::yield_now();
    }
}  // the last sender goes: the channel is closed for those who have heard everything

weir::task<int> async_main() {
    auto [publisher, attentive] = weir::broadcast::channel<std::string>(16);
    auto first = weir::spawn(listen(std::move(attentive), 0));
    auto second = weir::spawn(listen(publisher.subscribe(), 10));
    co_await publish(std::move(publisher));
    const heard quick = co_await first;
    const heard slow = co_await second;
    std::cout << "the quick one heard " << quick.messages << ", missed " << quick.missed << '\n'
              << "the slow one heard and missed " << slow.messages + slow.missed
              << " together, and missed some: " << (slow.missed > 0 ? "yes" : "no") << '\n';
    const bool right = quick.messages == 100 && slow.missed > 0 && slow.messages + slow.missed == 100;
    co_return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() { return weir::block_on(async_main()); }
