// The examples of the headers of tasks, their combinations and runtimes. Compiled, never run.

#include <charconv>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <weir/abort_on_drop.hpp>
#include <weir/block_in_place.hpp>
#include <weir/expected.hpp>
#include <weir/interval.hpp>
#include <weir/join.hpp>
#include <weir/join_map.hpp>
#include <weir/join_queue.hpp>
#include <weir/join_set.hpp>
#include <weir/local_set.hpp>
#include <weir/mpsc.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>
#include <weir/task_group.hpp>
#include <weir/task_local.hpp>
#include <weir/task_tracker.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/unconstrained.hpp>
#include <weir/yield.hpp>

using namespace std::chrono_literals;

namespace header_examples {

void use(int);
void use(const std::optional<int>&);
void use(const std::string&, int);
void log(std::string_view);
void log(const std::string&, std::string_view);
weir::task<int> f();
weir::task<int> g();
weir::task<int> work();
weir::task<int> work(int);
weir::task<int> fetch(std::string);

namespace of_task {
weir::task<int> twice(int n) { co_return 2 * n; }
weir::task<int> caller() { co_return 2 + co_await twice(20); }
}  // namespace of_task

weir::task<> spawn() {
    auto h = weir::spawn(work());
    int const n = co_await h;                 // rethrows; throws task_cancelled after an abort
    use(n);
}
weir::task<> spawn_result() {
    auto h = weir::spawn(work());
    auto const r = co_await h.result();       // an expected<int, join_error>
    if (!r) log(r.error().what());
}
void spawn_closure(std::vector<int> big) {
    auto h = weir::spawn([big](std::size_t n) -> weir::task<int> { co_return big.at(n); }, 7);
    std::move(h).detach();
}

struct socket {};
weir::task<> beat(socket&);
weir::task<> serve(socket&);

weir::task<> abort_on_drop(socket& stream) {
    weir::abort_on_drop heartbeat(weir::spawn(beat(stream)));
    co_await serve(stream);             // leaving the scope, by an exception too, aborts the beat
}

weir::task<> join() {
    auto [a, b] = co_await weir::join(f(), g());
    use(a + b);
}

weir::task<> select(weir::mpsc::receiver<int> rx) {
    auto const r = co_await weir::select(rx.recv(), weir::sleep_for(1s));
    if (r.index() == 0) use(std::get<0>(r));
}

weir::task<> timeout(weir::mpsc::receiver<int> rx) {
    auto const v = co_await weir::timeout(100ms, rx.recv());
    if (!v) log("nothing came");
}

weir::task<> time(weir::mpsc::receiver<int> rx) {
    weir::sleep idle(30s);
    co_await weir::select(rx.recv(), idle);    // an lvalue branch keeps its deadline
    idle.reset(weir::clock::now() + 30s);
}

void report();

weir::task<> interval() {
    weir::interval every(1s);
    for (;;) {
        co_await every.tick();
        report();                             // once a second, however long it takes
    }
}

weir::task<> join_set() {
    weir::join_set<int> set;
    for (int i = 0; i < 10; ++i) set.spawn(work(i));
    while (auto ended = co_await set.join_next()) {
        if (*ended) use(**ended); else log(ended->error().what());
    }
}

weir::task<> join_map() {
    weir::join_map<std::string, int> downloads;
    downloads.spawn("logo", fetch("logo.svg"));
    while (auto ended = co_await downloads.join_next()) {
        auto& [name, size] = *ended;
        if (size) use(name, *size); else log(name, size.error().what());
    }
}

struct url {};
struct page {};
weir::task<> fetch(const url&, std::vector<page>&);

weir::task<> join_queue(std::vector<std::string> urls) {
    weir::join_queue<int> sizes;
    for (auto& u : urls) sizes.spawn(fetch(std::move(u)));
    while (auto size = co_await sizes.join_next()) {
        if (*size) use(**size); else log(size->error().what());
    }
}

namespace of_local_set {
struct local_object {};
weir::task<> draw(local_object&);
weir::task<> blink(local_object&);
weir::task<> edit(local_object&);

void local_set(weir::multi_thread_runtime& runtime, local_object& window) {
    weir::local_set set;
    set.block_on(runtime, draw(window));      // which calls weir::spawn_local, where it likes
}
weir::task<> run_until(local_object& cursor) {
    weir::local_set set;
    set.spawn_local(blink(cursor)).detach();
    co_await set.run_until(edit(cursor));     // the others make progress meanwhile
    co_await set;                             // until each of them has ended
}
weir::task<bool> show();
weir::task<> on_a_thread_that_blocks() {
    auto show_there = [rt = weir::runtime_handle::current()] {
        weir::local_set set;
        return set.block_on(rt, show());
    };
    auto showing = weir::spawn_blocking(show_there);
    auto const shown = co_await showing;
    static_cast<void>(shown);
}
}  // namespace of_local_set

namespace of_local_runtime {
weir::task<int> async_main();
int main() {
    weir::local_runtime rt;
    return rt.block_on(async_main());
}
}  // namespace of_local_runtime

weir::task<> task_group(const std::vector<url>& urls) {
    std::vector<page> pages;
    weir::task_group group({.max_concurrency = 8});
    for (const url& u : urls) co_await group.spawn(fetch(u, pages));
    co_await group.join();
}

namespace of_task_tracker {
struct token {};
struct socket {};
weir::task<std::optional<socket>> accept(token&);
weir::task<> serve(socket);

weir::task<> task_tracker(token& stop) {
    weir::task_tracker tracker;
    while (auto connection = co_await accept(stop)) tracker.spawn(serve(*connection)).detach();
    tracker.close();
    co_await tracker.wait();
}
}  // namespace of_task_tracker

namespace of_task_local {
struct request {
    std::string id;
};
weir::task<> handle(request);

inline weir::task_local<std::string> request_id;

weir::task<> serve(request r) { co_await request_id.scope(r.id, handle(r)); }
void log(std::string_view line) { std::cout << request_id.get() << ' ' << line; }
}  // namespace of_task_local

weir::task<> unconstrained(weir::mpsc::receiver<int> rx) {
    std::vector<std::optional<int>> batch;
    for (int i = 0; i < 200; ++i) batch.push_back(co_await weir::unconstrained(rx.recv()));
}

void index(const std::string&);

weir::task<> consume_budget(const std::vector<std::string>& lines) {
    for (const auto& line : lines) {
        index(line);
        co_await weir::this_task::consume_budget();      // yields after 128 of them
    }
}

int hash_of(const std::string&);

weir::task<int> block_in_place(std::string large_file) {
    auto const digest = weir::block_in_place([&] { return hash_of(large_file); });
    co_return digest;
}

weir::task<int> async_main();

int current_thread() {
    weir::current_thread_runtime rt;
    int const n = rt.block_on(async_main());
    return n;
}
int multi_thread() {
    weir::multi_thread_runtime rt;
    int const n = rt.block_on(async_main());
    return n;
}

namespace of_expected {
weir::expected<int, std::errc> parse(std::string_view text) {
    int n = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), n);
    if (r.ec != std::errc{}) return weir::unexpected(r.ec);
    return n;
}

void expected() {
    if (auto n = parse("42")) use(*n);
    int n = parse("4x").value_or(0);
    auto half = parse("42").transform([](int v) { return v / 2; });
    use(n + *half);
}
}  // namespace of_expected

}  // namespace header_examples
