// mpsc: a stream of numbers from one or several producers to one consumer, and a ping-pong.

#include <weir/mpsc.hpp>

#include "harness.hpp"

namespace bench {
namespace {

// Bounded and unbounded ends alike: `send` of an unbounded one does not wait.
weir::task<> produce(weir::mpsc::sender<u64> tx, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        const auto sent = co_await tx.send(i);
        check(sent.has_value(), "mpsc: the consumer is gone");
    }
}

weir::task<> produce(weir::mpsc::unbounded_sender<u64> tx, u64 count) {
    for (u64 i = 0; i < count; ++i) {
        check(tx.send(i).has_value(), "mpsc: the consumer is gone");
    }
    co_return;
}

template <class Receiver>
weir::task<u64> consume(Receiver rx) {
    u64 sum = 0;
    while (const auto value = co_await rx.recv()) sum += *value;
    co_return sum;
}

// The time runs from before the first spawn until the consumer saw the end.
template <class Sender, class Receiver>
weir::task<sample> stream(std::pair<Sender, Receiver> channel, u64 producers, u64 count) {
    const u64 each = count / producers + 1;
    auto& [tx, rx] = channel;
    const stopwatch watch;
    for (u64 p = 0; p < producers; ++p) weir::spawn(produce(tx, each)).detach();
    { const auto last = std::move(tx); }
    auto consumer = weir::spawn(consume(std::move(rx)));
    const u64 sum = co_await consumer;
    const auto time = watch.elapsed();
    check(sum == sum_to(each) * producers, "mpsc: sum");
    co_return sample{each * producers, time};
}

template <class Kind>
void bounded(Kind kind, std::string_view name, std::size_t capacity, u64 producers) {
    measure_on(kind, name, "", [=](u64 count) {
        return stream(weir::mpsc::channel<u64>(capacity), producers, count);
    });
}

template <class Kind>
void unbounded(Kind kind, std::string_view name, u64 producers) {
    measure_on(kind, name, "", [=](u64 count) {
        return stream(weir::mpsc::unbounded_channel<u64>(), producers, count);
    });
}

weir::task<> answer(weir::mpsc::receiver<u64> ping, weir::mpsc::sender<u64> pong) {
    while (const auto value = co_await ping.recv()) {
        const auto sent = co_await pong.send(*value + 1);
        check(sent.has_value(), "pingpong: the caller is gone");
    }
}

weir::task<u64> call(weir::mpsc::sender<u64> ping, weir::mpsc::receiver<u64> pong, u64 count) {
    u64 sum = 0;
    for (u64 i = 0; i < count; ++i) {
        const auto sent = co_await ping.send(i);
        check(sent.has_value(), "pingpong: nobody answers");
        const auto value = co_await pong.recv();
        check(value.has_value(), "pingpong: no answer");
        sum += *value;
    }
    co_return sum;
}

// Two tasks, two channels of capacity 1.
weir::task<sample> pingpong(u64 count) {
    auto [ping_tx, ping_rx] = weir::mpsc::channel<u64>(1);
    auto [pong_tx, pong_rx] = weir::mpsc::channel<u64>(1);
    const stopwatch watch;
    weir::spawn(answer(std::move(ping_rx), std::move(pong_tx))).detach();
    auto caller = weir::spawn(call(std::move(ping_tx), std::move(pong_rx), count));
    const u64 sum = co_await caller;
    const auto time = watch.elapsed();
    check(sum == sum_to(count) + count, "pingpong: sum");
    co_return sample{count, time};
}

}  // namespace

std::vector<workload> mpsc_workloads() {
    return {
        {"mpsc_st_cap32_1p", [](std::string_view name) { bounded(current_thread{}, name, 32, 1); }},
        {"mpsc_st_cap1_1p",  //
         [](std::string_view name) { bounded(current_thread{}, name, 1, 1); }},
        {"mpsc_st_cap32_4p", [](std::string_view name) { bounded(current_thread{}, name, 32, 4); }},
        {"mpsc_mt2_cap32_1p", [](std::string_view name) { bounded(two_workers{}, name, 32, 1); }},
        {"mpsc_mt2_cap1024_1p",
         [](std::string_view name) { bounded(two_workers{}, name, 1024, 1); }},
        {"mpsc_mt2_cap32_8p", [](std::string_view name) { bounded(two_workers{}, name, 32, 8); }},
        {"mpsc_mt2_cap1024_8p",
         [](std::string_view name) { bounded(two_workers{}, name, 1024, 8); }},
        {"mpsc_unb_mt2_8p", [](std::string_view name) { unbounded(two_workers{}, name, 8); }},
        {"pingpong_mt2",
         [](std::string_view name) { measure_on(two_workers{}, name, "", pingpong); }},
    };
}

}  // namespace bench
