// Stops with tasks that wait: what gdb.sh looks at.

#include <chrono>
#include <cstddef>
#include <string_view>
#include <utility>

#include <weir/inspect.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

namespace {

weir::task<int> innermost(weir::mpsc::receiver<int>& rx) {
    const auto v = co_await rx.recv();  // LINE innermost
    co_return v.value_or(0);
}
weir::task<int> middle(weir::mpsc::receiver<int>& rx) {
    const int n = co_await innermost(rx);  // LINE middle
    co_return n + 1;
}
weir::task<> outermost(weir::mpsc::receiver<int> rx) {
    const int n = co_await middle(rx);  // LINE outermost
    if (n != 1) throw n;
}
weir::task<> locks(weir::mutex<int>& m) {
    auto guard = co_await m.lock();  // LINE locks
}
weir::task<> has_not_long(weir::mutex<int>& m) {
    const auto r = co_await weir::timeout(std::chrono::hours(1), m.lock());  // LINE has_not_long
    if (r) throw 1;
}
weir::task<> yields() { co_await weir::yield_now(); }

std::size_t waiting(const weir::runtime_dump& d) {
    std::size_t n = 0;
    for (const weir::task_info& t : d.tasks) n += t.state == weir::task_state::waiting;
    return n;
}

// gdb's breakpoint; the caller's frame has the runtime.
[[gnu::noinline]] void stop_here() { asm volatile(""); }

template <class Runtime>
void show() {
    auto [tx, rx] = weir::mpsc::channel<int>(1);
    weir::mutex<int> m(0);
    auto held = m.try_lock();
    Runtime rt;
    rt.spawn(outermost(std::move(rx))).detach();
    rt.spawn(locks(m)).detach();
    rt.spawn(has_not_long(m)).detach();
    do {
        rt.block_on(yields());
    } while (waiting(rt.dump()) != 3);
    stop_here();
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::string_view(argv[1]) == "multi")
        show<weir::multi_thread_runtime>();
    else
        show<weir::current_thread_runtime>();
}
