// Every suspension of every channel operation, cancelled: nothing lost, nothing doubled, everything
// destroyed once, and who waits next is served.

#include <atomic>
#include <cstddef>
#include <doctest/doctest.h>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <weir/broadcast.hpp>
#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/watch.hpp>

#include "common/probes.hpp"
#include "common/sweep.hpp"

using namespace weir_test;

namespace {

// What has arrived, from several threads.
class collection {
public:
    void add(int value) {
        std::lock_guard guard(mutex_);
        values_.push_back(value);
    }
    std::vector<int> sorted() const {
        const std::multiset<int> ordered(values_.begin(), values_.end());
        return {ordered.begin(), ordered.end()};
    }
    const std::vector<int>& in_order() const { return values_; }

private:
    std::mutex mutex_;
    std::vector<int> values_;
};

std::vector<int> from_to(int first, int end) {
    std::vector<int> values;
    for (int i = first; i < end; ++i) values.push_back(i);
    return values;
}

// -- a receiver is cancelled: what it has not returned stays for the next one --------------------

struct mpsc_recv : scenario {
    weir::task<> victim() {
        while (auto v = co_await ends.second.recv()) got.add(v->value);
    }
    weir::task<> beside() {
        for (int i = 0; i < 6; ++i) {
            auto sent = co_await ends.first->send(counted(values, i));
            CHECK(sent.has_value());
            if (i % 2 == 0) co_await weir::yield_now();
        }
        ends.first.reset();
    }
    weir::task<> after() {
        while (auto v = co_await ends.second.recv()) got.add(v->value);
    }
    void check() {
        CHECK(got.in_order() == from_to(0, 6));
        CHECK(values.live() == 0);
    }

    ledger values;
    collection got;
    std::pair<std::optional<weir::mpsc::sender<counted>>, weir::mpsc::receiver<counted>> ends =
        weir::mpsc::channel<counted>(2);
};

struct mpsc_unbounded_recv : scenario {
    weir::task<> victim() {
        while (auto v = co_await ends.second.recv()) got.add(v->value);
    }
    weir::task<> beside() {
        for (int i = 0; i < 6; ++i) {
            CHECK(ends.first->send(counted(values, i)).has_value());
            co_await weir::yield_now();
        }
        ends.first.reset();
    }
    weir::task<> after() {
        while (auto v = co_await ends.second.recv()) got.add(v->value);
    }
    void check() {
        CHECK(got.in_order() == from_to(0, 6));
        CHECK(values.live() == 0);
    }

    ledger values;
    collection got;
    std::pair<std::optional<weir::mpsc::unbounded_sender<counted>>,
              weir::mpsc::unbounded_receiver<counted>>
        ends = weir::mpsc::unbounded_channel<counted>();
};

struct mpsc_recv_many : scenario {
    weir::task<> victim() { co_await drain(); }
    weir::task<> drain() {
        std::size_t taken = 0;
        do taken = co_await ends.second.recv_many(out, 3);
        while (taken != 0);
    }
    weir::task<> beside() {
        for (int i = 0; i < 7; ++i) {
            auto sent = co_await ends.first->send(counted(values, i));
            CHECK(sent.has_value());
            if (i % 3 == 0) co_await weir::yield_now();
        }
        ends.first.reset();
    }
    weir::task<> after() { co_await drain(); }
    void check() {
        REQUIRE(out.size() == 7);
        for (int i = 0; i < 7; ++i) CHECK(out[static_cast<std::size_t>(i)].value == i);
        out.clear();
        CHECK(values.live() == 0);
    }

    ledger values;
    std::vector<counted> out;
    std::pair<std::optional<weir::mpsc::sender<counted>>, weir::mpsc::receiver<counted>> ends =
        weir::mpsc::channel<counted>(2);
};

struct mpmc_recv : scenario {
    weir::task<> victim() { co_await receive(ends.second); }
    weir::task<> receive(weir::mpmc::receiver<counted>& from) {
        while (auto v = co_await from.recv()) got.add(v->value);
    }
    weir::task<> receive_too() {
        auto other = ends.second;
        co_await receive(other);
    }
    weir::task<> beside() {
        auto receiving = weir::spawn(receive_too());
        for (int i = 0; i < 8; ++i) {
            auto sent = co_await ends.first->send(counted(values, i));
            CHECK(sent.has_value());
            if (i % 3 == 0) co_await weir::yield_now();
        }
        ends.first.reset();
        co_await receiving;
    }
    void check() {
        CHECK(got.sorted() == from_to(0, 8));
        CHECK(values.live() == 0);
    }

    ledger values;
    collection got;
    std::pair<std::optional<weir::mpmc::sender<counted>>, weir::mpmc::receiver<counted>> ends =
        weir::mpmc::channel<counted>(1);
};

struct oneshot_recv : scenario {
    weir::task<> victim() {
        if (auto v = co_await ends.second) got.add(v->value);
    }
    weir::task<> beside() {
        co_await weir::yield_now();
        CHECK(ends.first.send(counted(values, 5)).has_value());
    }
    weir::task<> after() {
        if (ends.second.is_terminated()) co_return;
        if (auto v = co_await ends.second) got.add(v->value);
    }
    void check() {
        CHECK(got.in_order() == from_to(5, 6));
        CHECK(values.live() == 0);
    }

    ledger values;
    collection got;
    std::pair<weir::oneshot::sender<counted>, weir::oneshot::receiver<counted>> ends =
        weir::oneshot::channel<counted>();
};

// The receiver belongs to the victim and goes with it: the value must, too, or come back.
struct oneshot_recv_owned : scenario {
    weir::task<> victim() { return receive(std::move(ends.second), got); }
    static weir::task<> receive(weir::oneshot::receiver<counted> rx, collection& to) {
        if (auto v = co_await rx) to.add(v->value);
    }
    weir::task<> beside() {
        co_await weir::yield_now();
        auto sent = ends.first.send(counted(values, 5));
        returned = !sent;
    }
    void check() {
        CHECK(got.in_order().size() + (returned ? 1 : 0) <= 1);
        CHECK(values.live() == 0);
    }

    ledger values;
    collection got;
    bool returned = false;
    std::pair<weir::oneshot::sender<counted>, weir::oneshot::receiver<counted>> ends =
        weir::oneshot::channel<counted>();
};

struct oneshot_closed : scenario {
    weir::task<> victim() { co_await ends.first.closed(); }
    weir::task<> beside() {
        co_await weir::yield_now();
        ends.second.close();
    }
    weir::task<> after() { co_await ends.first.closed(); }
    void check() { CHECK(ends.first.is_closed()); }

    std::pair<weir::oneshot::sender<int>, weir::oneshot::receiver<int>> ends =
        weir::oneshot::channel<int>();
};

struct broadcast_recv : scenario {
    weir::task<> victim() { co_await receive(ends.second, got); }
    static weir::task<> receive(weir::broadcast::receiver<int>& from, collection& to) {
        for (;;) {
            const auto r = co_await from.recv();
            if (r.is_closed()) co_return;
            if (r.has_value()) to.add(*r);
            CHECK_FALSE(r.is_lagged());
        }
    }
    weir::task<> beside() {
        auto receiving = weir::spawn(receive(second, got_too));
        for (int i = 0; i < 6; ++i) {
            CHECK(ends.first->send(i).has_value());
            if (i % 2 == 0) co_await weir::yield_now();
        }
        ends.first.reset();
        co_await receiving;
    }
    weir::task<> after() { co_await receive(ends.second, got); }
    void check() {
        CHECK(got.in_order() == from_to(0, 6));
        CHECK(got_too.in_order() == from_to(0, 6));
    }

    collection got, got_too;
    std::pair<std::optional<weir::broadcast::sender<int>>, weir::broadcast::receiver<int>> ends =
        weir::broadcast::channel<int>(8);
    weir::broadcast::receiver<int> second = ends.first->subscribe();
};

struct watch_changed : scenario {
    weir::task<> victim() { co_await follow(); }
    weir::task<> follow() {
        while (last != 5) {
            const auto changed = co_await ends.second.changed();
            CHECK(changed.has_value());
            const int seen = *ends.second.borrow_and_update();
            CHECK(seen > last);
            last = seen;
        }
    }
    weir::task<> beside() {
        for (int i = 1; i <= 5; ++i) {
            ends.first.send(i);
            co_await weir::yield_now();
        }
    }
    weir::task<> after() { co_await follow(); }
    void check() { CHECK(last == 5); }

    int last = 0;
    std::pair<weir::watch::sender<int>, weir::watch::receiver<int>> ends = weir::watch::channel(0);
};

struct watch_wait_for : scenario {
    weir::task<> victim() { co_await wait(); }
    weir::task<> wait() {
        auto at_least_three = [](int v) { return v >= 3; };
        const auto r = co_await ends.second.wait_for(at_least_three);
        CHECK(**r >= 3);
    }
    weir::task<> beside() {
        for (int i = 1; i <= 4; ++i) {
            ends.first.send(i);
            co_await weir::yield_now();
        }
    }
    weir::task<> after() { co_await wait(); }
    void check() { CHECK(*ends.second.borrow() == 4); }

    std::pair<weir::watch::sender<int>, weir::watch::receiver<int>> ends = weir::watch::channel(0);
};

// -- a sender is cancelled: its slot goes to the next one ----------------------------------------

// send() loses the value that it holds when it is cancelled, and no other one.
template <class Sender, class Receiver, std::pair<Sender, Receiver> (*Channel)(std::size_t)>
struct send_value : scenario {
    weir::task<> victim() {
        for (int i = 0; i < 4; ++i) {
            auto sent = co_await victim_end->send(counted(values, i));
            CHECK(sent.has_value());
            ++completed;
        }
        victim_end.reset();
    }
    weir::task<> send_too() {
        for (int i = 100; i < 104; ++i) {
            auto sent = co_await other_end->send(counted(values, i));
            CHECK(sent.has_value());
        }
        other_end.reset();
    }
    weir::task<> beside() {
        auto sending = weir::spawn(send_too());
        while (auto v = co_await receiver.recv()) {
            got.add(v->value);
            if (v->value % 2 == 0) co_await weir::yield_now();
        }
        co_await sending;
    }
    weir::task<> after() {
        victim_end.reset();
        co_return;
    }
    void check() {
        std::vector<int> expected = from_to(0, completed);
        for (const int v : from_to(100, 104)) expected.push_back(v);
        std::vector<int> received = got.sorted();
        // A send that was cancelled when it had been granted a slot has sent nothing all the same.
        CHECK(received == expected);
        CHECK(values.live() == 0);
        CHECK(values.objects.load() == 0);
    }

    ledger values;
    collection got;
    int completed = 0;
    std::optional<Sender> victim_end, other_end;
    Receiver receiver;

    send_value() : send_value(Channel(1)) {}
    explicit send_value(std::pair<Sender, Receiver> ends)
        : victim_end(ends.first), other_end(ends.first), receiver(std::move(ends.second)) {}
};
using mpsc_send = send_value<weir::mpsc::sender<counted>, weir::mpsc::receiver<counted>,
                             &weir::mpsc::channel<counted>>;
using mpmc_send = send_value<weir::mpmc::sender<counted>, weir::mpmc::receiver<counted>,
                             &weir::mpmc::channel<counted>>;

// reserve() loses nothing.
struct mpsc_reserve : scenario {
    weir::task<> victim() { co_await send_rest(); }
    weir::task<> send_rest() {
        while (next < 4) {
            auto permit = co_await tx.reserve();
            co_await weir::yield_now();
            std::move(*permit).send(counted(values, next++));
        }
    }
    weir::task<> send_too() {
        for (int i = 100; i < 103; ++i) {
            auto permit = co_await tx.reserve();
            std::move(*permit).send(counted(values, i));
        }
    }
    weir::task<> beside() {
        auto sending = weir::spawn(send_too());
        for (int i = 0; i < 7; ++i) {
            auto v = co_await rx.recv();
            got.add(v->value);
        }
        co_await sending;
    }
    weir::task<> after() { co_await send_rest(); }
    void check() {
        std::vector<int> expected = from_to(0, 4);
        for (const int v : from_to(100, 103)) expected.push_back(v);
        CHECK(got.sorted() == expected);
        CHECK(tx.capacity() == 1);
        CHECK(values.live() == 0);
    }

    ledger values;
    collection got;
    int next = 0;
    std::pair<weir::mpsc::sender<counted>, weir::mpsc::receiver<counted>> ends =
        weir::mpsc::channel<counted>(1);
    weir::mpsc::sender<counted>& tx = ends.first;
    weir::mpsc::receiver<counted>& rx = ends.second;
};

struct mpsc_reserve_many : scenario {
    weir::task<> victim() {
        for (int i = 0; i < 2; ++i) {
            auto permits = co_await tx.reserve_many(3);
            co_await weir::yield_now();
            for (int k = 0; k < 2; ++k) permits->send(k);  // the third goes back
            sent += 2;
        }
    }
    weir::task<> send_too() {
        for (int i = 0; i < 3; ++i) {
            auto permit = co_await tx.reserve();
            co_await weir::yield_now();
            std::move(*permit).send(i);
            ++sent;
        }
    }
    weir::task<> receive() {
        for (;; ++received) {
            auto v = co_await rx.recv();
            if (*v < 0) co_return;
        }
    }
    weir::task<> beside() {
        auto receiving = weir::spawn(receive());
        co_await send_too();
        while (!victim_ended) co_await weir::yield_now();
        auto last = co_await tx.send(-1);
        CHECK(last.has_value());
        co_await receiving;
    }
    weir::task<> after() {
        victim_ended = true;
        co_return;
    }
    void check() {
        CHECK(received == sent.load());
        CHECK(tx.capacity() == 3);
    }

    std::atomic<int> sent{0};
    std::atomic<bool> victim_ended{false};
    int received = 0;
    std::pair<weir::mpsc::sender<int>, weir::mpsc::receiver<int>> ends =
        weir::mpsc::channel<int>(3);
    weir::mpsc::sender<int>& tx = ends.first;
    weir::mpsc::receiver<int>& rx = ends.second;
};

struct mpsc_closed : scenario {
    weir::task<> victim() { co_await ends.first.closed(); }
    weir::task<> beside() {
        co_await weir::yield_now();
        ends.second.close();
    }
    weir::task<> after() { co_await ends.first.closed(); }
    void check() { CHECK(ends.first.is_closed()); }

    std::pair<weir::mpsc::sender<int>, weir::mpsc::receiver<int>> ends =
        weir::mpsc::channel<int>(3);
};

}  // namespace

TEST_SUITE("cancellation sweep: channels") {
    TEST_CASE("mpsc recv") { sweep<mpsc_recv>(3); }
    TEST_CASE("mpsc recv, unbounded") { sweep<mpsc_unbounded_recv>(3); }
    TEST_CASE("mpsc recv_many") { sweep<mpsc_recv_many>(3); }
    TEST_CASE("mpsc send") { sweep<mpsc_send>(1); }
    TEST_CASE("mpsc reserve and permit") { sweep<mpsc_reserve>(9); }
    TEST_CASE("mpsc reserve_many and permits") { sweep<mpsc_reserve_many>(5); }
    TEST_CASE("mpsc closed") { sweep<mpsc_closed>(1); }
    TEST_CASE("mpmc recv") { sweep<mpmc_recv>(1); }
    TEST_CASE("mpmc send") { sweep<mpmc_send>(1); }
    TEST_CASE("oneshot, the receiver stays") { sweep<oneshot_recv>(1); }
    TEST_CASE("oneshot, the receiver goes with its task") { sweep<oneshot_recv_owned>(1); }
    TEST_CASE("oneshot closed") { sweep<oneshot_closed>(1); }
    TEST_CASE("broadcast recv") { sweep<broadcast_recv>(3); }
    TEST_CASE("watch changed") { sweep<watch_changed>(3); }
    TEST_CASE("watch wait_for") { sweep<watch_wait_for>(1); }
}
