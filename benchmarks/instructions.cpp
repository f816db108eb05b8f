// The hot paths, each a thousand times between two marks: instructions.sh counts the instructions in
// between under valgrind. Prints the name of each path, in their order.

#include <cstdio>
#include <deque>
#include <optional>
#include <vector>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>
#include <weir/time.hpp>
#include <weir/yield.hpp>

using namespace std::chrono_literals;

// valgrind begins a new count whenever this function is entered.
extern "C" [[gnu::noinline]] void weir_mark() {
    asm volatile("" : : : "memory");
}

namespace {

constexpr int rounds = 1000;  // instructions.sh divides by it
using u64 = std::uint64_t;

template <class T>
void keep(const T& value) {
    asm volatile("" : : "r"(&value) : "memory");
}

void announce(const char* name) {
    std::puts(name);
    weir_mark();
}

weir::task<> send_and_recv() {
    auto [tx, rx] = weir::mpsc::channel<u64>(rounds);
    announce("send");
    for (u64 i = 0; i < rounds; ++i) {
        const auto sent = co_await tx.send(i);
        keep(sent);
    }
    weir_mark();
    announce("recv");
    for (u64 i = 0; i < rounds; ++i) {
        const auto value = co_await rx.recv();
        keep(value);
    }
    weir_mark();
}

weir::task<> send_all(weir::mpsc::sender<u64> tx) {
    for (u64 i = 0; i < rounds; ++i) {
        const auto sent = co_await tx.send(i);
        keep(sent);
    }
}

// A message that fills the channel: each end waits for the other one.
weir::task<> hand_over() {
    auto [tx, rx] = weir::mpsc::channel<u64>(1);
    auto producer = weir::spawn(send_all(std::move(tx)));
    announce("send_recv_waiting");
    while (const auto value = co_await rx.recv()) keep(value);
    weir_mark();
    co_await producer;
}

weir::task<> ask_oneself() {
    announce("oneshot");
    for (u64 i = 0; i < rounds; ++i) {
        auto [tx, rx] = weir::oneshot::channel<u64>();
        const auto sent = tx.send(i);
        keep(sent);
        const auto value = co_await rx;
        keep(value);
    }
    weir_mark();
}

weir::task<> lock_and_unlock() {
    std::deque<weir::mutex<u64>> mutexes(rounds);
    std::vector<std::optional<weir::mutex_guard<u64>>> guards(rounds);
    announce("lock");
    for (std::size_t i = 0; i < rounds; ++i) guards[i].emplace(co_await mutexes[i].lock());
    weir_mark();
    announce("unlock");
    for (auto& guard : guards) guard.reset();
    weir_mark();
}

weir::task<> yield_often() {
    for (int i = 0; i < rounds / 10; ++i) co_await weir::yield_now();
}

// Ten tasks take turns.
weir::task<> yield() {
    std::vector<weir::join_handle<void>> tasks;
    for (int i = 0; i < 10; ++i) tasks.push_back(weir::spawn(yield_often()));
    announce("yield");
    for (auto& task : tasks) co_await task;
    weir_mark();
}

weir::task<u64> return_it(u64 value) {
    co_return value;
}

[[gnu::noinline]] weir::task<u64> opaque(u64 value) {
    asm volatile("");  // or the compiler could leave the frame out
    return return_it(value);
}

weir::task<> call() {
    announce("call");
    for (u64 i = 0; i < rounds; ++i) {
        const u64 value = co_await opaque(i);
        keep(value);
    }
    weir_mark();
}

weir::task<> spawn_and_join() {
    announce("spawn_join");
    for (u64 i = 0; i < rounds; ++i) {
        auto handle = weir::spawn(return_it(i));
        const u64 value = co_await handle;
        keep(value);
    }
    weir_mark();
}

// One branch waits, the other one is ready: the first is cancelled.
weir::task<> select_of_two() {
    auto [idle_tx, idle_rx] = weir::mpsc::channel<u64>(1);
    auto [tx, rx] = weir::mpsc::channel<u64>(rounds);
    for (u64 i = 0; i < rounds; ++i) {
        const auto sent = tx.try_send(i);
        keep(sent);
    }
    announce("select_2");
    for (u64 i = 0; i < rounds; ++i) {
        const auto first = co_await weir::select(weir::biased, idle_rx.recv(), rx.recv());
        keep(first);
    }
    weir_mark();
}

// A timer that never fires, with the select and the yield that it takes.
weir::task<> insert_and_cancel_timers() {
    announce("timer_insert_cancel");
    for (u64 i = 0; i < rounds; ++i) {
        const auto first = co_await weir::select(weir::biased, weir::sleep_for(1h), weir::yield_now());
        keep(first);
    }
    weir_mark();
}

weir::task<> all() {
    co_await spawn_and_join();  // fills the pool of frames, and what is made at the first use
    co_await send_and_recv();
    co_await hand_over();
    co_await ask_oneself();
    co_await lock_and_unlock();
    co_await yield();
    co_await call();
    co_await spawn_and_join();
    co_await select_of_two();
    co_await insert_and_cancel_timers();
}

weir::task<> spawned() {
    auto handle = weir::spawn(all());
    co_await handle;
}

}  // namespace

int main() {
    weir::runtime_options options;
    options.rng_seed = 1;
    weir::current_thread_runtime runtime(std::move(options));
    runtime.block_on(spawned());
}
