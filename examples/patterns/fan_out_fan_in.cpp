// Fan-out, fan-in: one task for each piece of the work, all results in one place.

#include <cstdlib>
#include <iostream>
#include <numeric>
#include <utility>
#include <vector>

#include <weir/join_set.hpp>
#include <weir/runtime.hpp>
#include <weir/yield.hpp>

namespace {

struct part {
    int first;
    long sum;
};

// Each task owns what it works on, so that tasks may run in parallel.
weir::task<part> sum_up(int first, std::vector<int> numbers) {
    co_await weir::yield_now();  // stands for what such a task waits for
    co_return part{first, std::accumulate(numbers.begin(), numbers.end(), 0L)};
}

weir::task<int> async_main() {
    weir::join_set<part> parts;
    for (int first = 0; first < 1000; first += 100) {
        std::vector<int> numbers(100);
        std::iota(numbers.begin(), numbers.end(), first + 1);
        parts.spawn(sum_up(first, std::move(numbers)));
    }
    std::cout << parts.size() << " tasks\n";

    // In the order in which they end, which is not the one in which they were started.
    long sum = 0;
    int ended = 0;
    while (auto next = co_await parts.join_next()) {
        sum += next->value().sum;  // value() throws what the task has thrown
        ++ended;
    }
    std::cout << ended << " results, in all " << sum << '\n';
    co_return sum == 500'500 ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace

int main() { return weir::run(async_main()); }  // on all cores
