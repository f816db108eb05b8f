// mpmc: a stream of numbers from several producers to several consumers.

#include <weir/mpmc.hpp>

#include "harness.hpp"

namespace bench {
namespace {

weir::task<> produce(weir::mpmc::sender<u64> tx, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        const auto sent = co_await tx.send(i);
        check(sent.has_value(), "mpmc: the consumers are gone");
    }
}

weir::task<u64> consume(weir::mpmc::receiver<u64> rx) {
    u64 sum = 0;
    while (const auto value = co_await rx.recv()) sum += *value;
    co_return sum;
}

// The time runs from before the first spawn until each consumer saw the end.
weir::task<sample> stream(std::size_t capacity, u64 producers, u64 consumers, u64 count) {
    const u64 each = count / producers + 1;
    auto [tx, rx] = weir::mpmc::channel<u64>(capacity);
    const stopwatch watch;
    for (u64 p = 0; p < producers; ++p) weir::spawn(produce(tx, each)).detach();
    { const auto last = std::move(tx); }
    std::vector<weir::join_handle<u64>> running;
    for (u64 c = 0; c < consumers; ++c) running.push_back(weir::spawn(consume(rx)));
    u64 sum = 0;
    for (auto& consumer : running) sum += co_await consumer;
    const auto time = watch.elapsed();
    check(sum == sum_to(each) * producers, "mpmc: sum");
    co_return sample{each * producers, time};
}

}  // namespace

std::vector<workload> mpmc_workloads() {
    return {
        {"mpmc_mt2_cap128_4p4c",
         [](std::string_view name) {
             measure_on(two_workers{}, name, "",
                        [](u64 count) { return stream(128, 4, 4, count); });
         }},
    };
}

}  // namespace bench
