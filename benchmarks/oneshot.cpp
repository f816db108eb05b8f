// oneshot: the answer to one question, ready at once and waited for.

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>

#include "harness.hpp"

namespace bench {
namespace {

weir::task<sample> ready_rounds(u64 count) {
    const stopwatch watch;
    u64 sum = 0;
    for (u64 i = 0; i < count; ++i) {
        auto [tx, rx] = weir::oneshot::channel<u64>();
        check(tx.send(black_box(i)).has_value(), "oneshot: the receiver is gone");
        const auto value = co_await rx;
        check(value.has_value(), "oneshot: the sender is gone");
        sum += *value;
    }
    const auto time = watch.elapsed();
    check(sum == sum_to(count), "oneshot_ready: sum");
    co_return sample{count, time};
}

using reply_sender = weir::oneshot::sender<u64>;

weir::task<> answer_all(weir::mpsc::receiver<reply_sender> questions) {
    u64 next = 0;
    while (auto reply = co_await questions.recv()) {
        check(reply->send(next).has_value(), "oneshot_wait: nobody waits for the answer");
        ++next;
    }
}

// The sender travels to a long-lived second task through a bounded channel of capacity 1.
weir::task<sample> waiting_rounds(u64 count) {
    auto [questions_tx, questions_rx] = weir::mpsc::channel<reply_sender>(1);
    const stopwatch watch;
    auto helper = weir::spawn(answer_all(std::move(questions_rx)));
    u64 sum = 0;
    for (u64 i = 0; i < count; ++i) {
        auto [tx, rx] = weir::oneshot::channel<u64>();
        const auto sent = co_await questions_tx.send(std::move(tx));
        check(sent.has_value(), "oneshot_wait: the helper is gone");
        const auto value = co_await rx;
        check(value.has_value(), "oneshot_wait: no answer");
        sum += *value;
    }
    const auto time = watch.elapsed();
    { const auto last = std::move(questions_tx); }
    co_await helper;
    check(sum == sum_to(count), "oneshot_wait: sum");
    co_return sample{count, time};
}

}  // namespace

std::vector<workload> oneshot_workloads() {
    return {
        {"oneshot_ready_st",
         [](std::string_view name) { measure_on(current_thread{}, name, "", ready_rounds); }},
        {"oneshot_wait_st",
         [](std::string_view name) { measure_on(current_thread{}, name, "", waiting_rounds); }},
    };
}

}  // namespace bench
