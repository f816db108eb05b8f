// The examples of the headers of channels. Compiled, never run.

#include <string>
#include <utility>

#include <weir/broadcast.hpp>
#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/watch.hpp>

namespace header_examples {

void use(int);
void use(const std::string&);

weir::task<> mpsc() {
    auto [tx, rx] = weir::mpsc::channel<int>(32);
    (co_await tx.send(1)).value();
    while (std::optional<int> const v = co_await rx.recv()) use(*v);
}

struct job {};
weir::task<> worker(weir::mpmc::receiver<job>);

void mpmc() {
    auto [tx, rx] = weir::mpmc::channel<job>(64);
    for (int i = 0; i < 4; ++i) weir::spawn(worker(rx)).detach();   // each with its own receiver
}

weir::task<> oneshot() {
    auto [tx, rx] = weir::oneshot::channel<int>();
    tx.send(42).value();
    std::optional<int> const v = co_await rx;
    use(*v);
}

void count_missed(std::uint64_t);

weir::task<> broadcast_receiver(weir::broadcast::receiver<std::string> rx) {
    for (;;) {
        auto const r = co_await rx.recv();
        if (r.is_closed()) break;
        if (r.is_lagged()) count_missed(r.lagged());
        else use(*r);
    }
}

void broadcast() {
    auto [tx, rx] = weir::broadcast::channel<std::string>(16);
    auto other = tx.subscribe();
    tx.send("to both").value();
}

class config {
public:
    config() = default;
    explicit config(std::string level);
    bool is_complete() const;

private:
    std::string level_;
};
void apply(const config&);

weir::task<> watch() {
    auto [tx, rx] = weir::watch::channel(config{});
    tx.send(config{"debug"});
    auto const latest = co_await rx.wait_for([](const config& c) { return c.is_complete(); });
    if (latest) apply(**latest);            // not: the senders are gone
}

}  // namespace header_examples
