// A worker pool: jobs in one bounded queue, a fixed number of workers that take from it.

#include <cstdlib>
#include <iostream>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>

namespace {

constexpr int jobs = 1000;
constexpr int workers = 4;

// Ends when the queue is closed and empty. Each job goes to exactly one worker.
weir::task<int> work(weir::mpmc::receiver<int> queue, weir::mpsc::sender<long> results) {
    int done = 0;
    while (auto job = co_await queue.recv()) {
        const long square = long{*job} * *job;
        (co_await results.send(square)).value();
        ++done;
    }
    co_return done;
}

// The queue holds sixteen jobs: whoever is faster, this or the workers, waits for the others.
weir::task<void> produce(weir::mpmc::sender<int> queue) {
    for (int job = 1; job <= jobs; ++job) (co_await queue.send(job)).value();
}  // the last sender goes: the workers finish what is queued, and end

weir::task<long> sum_up(weir::mpsc::receiver<long> results) {
    long sum = 0;
    while (auto result = co_await results.recv()) sum += *result;
    co_return sum;
}

weir::task<int> async_main() {
    auto [queue, take] = weir::mpmc::channel<int>(16);
    auto [results, collect] = weir::mpsc::channel<long>(16);
    std::vector<weir::join_handle<int>> pool;
    for (int i = 0; i < workers; ++i) pool.push_back(weir::spawn(work(take, results)));
    auto producer = weir::spawn(produce(std::move(queue)));
    auto sum = weir::spawn(sum_up(std::move(collect)));

    // Our own ends would keep both channels open for ever.
    { const auto gone = std::move(take); }
    { const auto gone = std::move(results); }

    co_await producer;
    int done = 0;
    for (auto& worker : pool) done += co_await worker;
    const long total = co_await sum;
    std::cout << workers << " workers, " << done << " jobs done\n"
              << "sum of the squares: " << total << '\n';
    co_return done == jobs && total == 333'833'500 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() { return weir::run(async_main()); }
