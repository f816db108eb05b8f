// Channels under contention: nothing is lost, nothing comes twice, each sender's values keep their
// order, and nobody waits for ever. Threads against threads, tasks against tasks, and both.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;
namespace mpsc = weir::mpsc;
namespace mpmc = weir::mpmc;

namespace {

constexpr int senders = 3;

// What one receiver got: values are sender * 1'000'000 + number.
class record {
public:
    void add(const counted& c) {
        const auto s = static_cast<std::size_t>(c.value / 1'000'000);
        in_order_ = in_order_ && c.value > last_[s];
        last_[s] = c.value;
        ++count_;
        sum_ += c.value % 1'000'000;
    }
    int count() const { return count_; }
    long sum() const { return sum_; }
    bool in_order() const { return in_order_; }

private:
    std::vector<int> last_ = std::vector<int>(senders, -1);
    int count_ = 0;
    long sum_ = 0;
    bool in_order_ = true;
};

struct totals {
    std::atomic<int> received{0};
    std::atomic<long> sum{0};
    std::atomic<bool> in_order{true};

    void add(const record& r) {
        received += r.count();
        sum += r.sum();
        if (!r.in_order()) in_order = false;
    }
    void check(int each) const {
        CHECK(received == senders * each);
        CHECK(sum == senders * (static_cast<long>(each) * (each - 1) / 2));
        CHECK(in_order);
    }
};

// Sends in every way there is, in turn.
template <class Sender>
weir::task<> send_in_every_way(Sender tx, ledger& l, int from, int each) {
    for (int i = from; i < from + each; ++i) {
        counted c(l, i);
        if (i % 4 == 0) {
            auto sent = co_await tx.send(std::move(c));
            if (!sent) co_return;
        } else if (i % 4 == 1) {
            auto sent = co_await tx.send_for(std::move(c), 1h);
            if (!sent) co_return;
        } else if (i % 4 == 2) {
            auto owned = co_await std::move(tx).reserve_owned();
            if (!owned) co_return;
            tx = owned->send(std::move(c));
        } else {
            // Reservations that may lose their races, so that what they are granted passes on. Not
            // for ever: two of them could pass one slot to and fro.
            for (int lost = 0; lost < 3; ++lost) {
                auto r = co_await weir::select(tx.reserve(), weir::yield_now());
                if (r.index() == 0) break;
            }
            auto permit = co_await tx.reserve();
            if (!permit) co_return;
            permit->send(std::move(c));
        }
    }
}

// Receives in every way, some of them cancelled over and over.
template <class Receiver>
weir::task<record> receive_in_every_way(Receiver rx) {
    record got;
    std::vector<counted> some;
    for (int i = 0;; ++i) {
        if (i % 5 == 0) {
            auto one = co_await rx.recv();
            if (!one) break;
            got.add(*one);
        } else if (i % 5 != 1) {
            auto r = co_await weir::select(rx.recv(), weir::yield_now());
            if (r.index() == 1) continue;
            auto& one = std::get<0>(r);
            if (!one) break;
            got.add(*one);
        } else {
            const std::size_t n = co_await rx.recv_many(some, 5);
            if (n == 0) break;
            for (const counted& c : some) got.add(c);
            some.clear();
        }
    }
    co_return got;
}

template <class Sender>
std::vector<std::thread> sending_threads(Sender tx, ledger& l, int each) {
    std::vector<std::thread> all;
    for (int s = 0; s < senders; ++s)
        all.emplace_back([t = tx, &l, from = s * 1'000'000, each]() mutable {
            for (int i = from; i < from + each; ++i) CHECK(t.blocking_send(counted(l, i)).has_value());
        });
    return all;
}

}  // namespace

TEST_SUITE("channel stress") {
    TEST_CASE_TEMPLATE("mpsc between tasks, in every way to send and to receive", R,
                       WEIR_RUNTIMES) {
        for (const std::size_t capacity : {1u, 4u, 33u}) {
            ledger l;
            totals all;
            R rt;
            rt.block_on([](ledger& book, totals& t, std::size_t n) -> weir::task<> {
                auto [tx, rx] = mpsc::channel<counted>(n);
                for (int s = 0; s < senders; ++s)
                    weir::spawn(send_in_every_way(tx, book, s * 1'000'000, 1000)).detach();
                { auto last = std::move(tx); }
                t.add(co_await receive_in_every_way(std::move(rx)));
            }(l, all, capacity));
            all.check(1000);
            CHECK(l.live() == 0);
        }
    }

    TEST_CASE_TEMPLATE("mpmc between tasks, in every way to send and to receive", R,
                       WEIR_RUNTIMES) {
        for (const std::size_t capacity : {1u, 4u, 33u}) {
            ledger l;
            totals all;
            R rt;
            rt.block_on([](ledger& book, totals& t, std::size_t n) -> weir::task<> {
                auto [tx, rx] = mpmc::channel<counted>(n);
                std::vector<weir::join_handle<record>> receivers;
                for (int s = 0; s < senders; ++s)
                    weir::spawn(send_in_every_way(tx, book, s * 1'000'000, 1000)).detach();
                for (int r = 0; r < 3; ++r)
                    receivers.push_back(weir::spawn(receive_in_every_way(rx)));
                { auto last = std::move(tx); }
                for (auto& r : receivers) t.add(co_await r);
            }(l, all, capacity));
            all.check(1000);
            CHECK(l.live() == 0);
        }
    }

    TEST_CASE_TEMPLATE("an unbounded channel between threads and tasks", R, WEIR_RUNTIMES) {
        ledger l;
        totals all;
        R rt;
        auto [tx, rx] = mpmc::unbounded_channel<counted>();
        std::vector<std::thread> threads;
        for (int s = 0; s < senders; ++s)
            threads.emplace_back([t = tx, &l, from = s * 1'000'000]() mutable {
                for (int i = from; i < from + 2000; ++i) CHECK(t.send(counted(l, i)).has_value());
            });
        threads.emplace_back([&all, r = rx]() mutable {
            record got;
            while (auto m = r.blocking_recv()) got.add(*m);
            all.add(got);
        });
        { auto last = std::move(tx); }
        all.add(rt.block_on(receive_in_every_way(std::move(rx))));
        for (auto& t : threads) t.join();
        all.check(2000);
        CHECK(l.live() == 0);
    }

    TEST_CASE("threads alone, one receiver and several") {
        watchdog bounded;
        for (const std::size_t capacity : {1u, 8u}) {
            ledger l;
            totals one;
            totals many;
            auto [tx, rx] = mpsc::channel<counted>(capacity);
            auto threads = sending_threads(std::move(tx), l, 1000);
            record got;
            while (auto m = rx.blocking_recv()) got.add(*m);
            one.add(got);
            auto [tx2, rx2] = mpmc::channel<counted>(capacity);
            for (auto& t : sending_threads(std::move(tx2), l, 1000)) threads.push_back(std::move(t));
            for (int i = 0; i < 2; ++i)
                threads.emplace_back([&many, r = rx2]() mutable {
                    record mine;
                    std::vector<counted> some;
                    while (r.blocking_recv_many(some, 3) != 0) {
                        for (const counted& c : some) mine.add(c);
                        some.clear();
                    }
                    many.add(mine);
                });
            for (auto& t : threads) t.join();
            one.check(1000);
            many.check(1000);
            CHECK(l.live() == 0);
        }
    }

    TEST_CASE_TEMPLATE("deadlines that race with slots give each value back or send it", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto [tx, rx] = mpsc::channel<counted>(1);
            std::atomic<int> sent{0};
            std::vector<weir::join_handle<void>> tasks;
            for (int s = 0; s < 4; ++s)
                tasks.push_back(weir::spawn([](mpsc::sender<counted> t, ledger& b,
                                               std::atomic<int>& ok) -> weir::task<> {
                    for (int i = 0; i < 100; ++i) {
                        auto r = co_await t.send_for(counted(b, i), std::chrono::microseconds(i));
                        if (r) ++ok;
                    }
                }(tx, book, sent)));
            { auto last = std::move(tx); }
            int received = 0;
            while (auto m = co_await rx.recv()) {
                ++received;
                if (received % 8 == 0) co_await weir::sleep_for(50us);
            }
            for (auto& t : tasks) co_await t;
            CHECK(received == sent.load());
        }(l));
        CHECK(l.live() == 0);
    }

    TEST_CASE_TEMPLATE("receivers and senders that are aborted at any moment lose no value", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            for (int round = 0; round < 100; ++round) {
                auto [tx, rx] = mpmc::channel<counted>(2);
                std::vector<weir::join_handle<record>> victims;
                for (int i = 0; i < 3; ++i) victims.push_back(weir::spawn(receive_in_every_way(rx)));
                auto sender = weir::spawn(send_in_every_way(tx, book, 0, 20));
                for (int i = 0; i < round % 7; ++i) co_await weir::yield_now();
                for (auto& v : victims) v.abort();
                sender.abort();
                for (auto& v : victims) static_cast<void>(co_await v.result());
                static_cast<void>(co_await sender.result());
                CHECK(tx.capacity() + rx.size() == 2);
                CHECK(book.live() == static_cast<int>(rx.size()));
                while (tx.capacity() != 0) CHECK(tx.try_send(counted(book, 1)).has_value());
                CHECK(rx.try_recv().has_value());
                CHECK(rx.try_recv().has_value());
                CHECK(book.live() == 0);
            }
        }(l));
    }
}
