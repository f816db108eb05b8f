// What broadcast and watch allocate. This program replaces operator new, so it stands alone.

#include <doctest/doctest.h>

#include <cstdint>
#include <utility>
#include <weir/broadcast.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/watch.hpp>

#include "common/counting_new.hpp"

namespace {

using weir_test::allocation_count;

// Not copied as bytes, so that a channel counts who has seen it.
class value {
public:
    explicit value(int n) : n_(n) {}
    value(const value& o) : n_(o.n_) {}
    value& operator=(const value& o) {
        n_ = o.n_;
        return *this;
    }
    ~value() {}
    int number() const { return n_; }

private:
    int n_;
};

template <class T>
weir::task<int> receive_all(weir::broadcast::receiver<T> rx) {
    int n = 0;
    for (;;) {
        const auto r = co_await rx.recv();
        if (r.is_closed()) co_return n;
        if (r.has_value()) ++n;
    }
}

template <class T>
weir::task<> broadcast_to_three() {
    const allocation_count channel;
    auto [tx, rx] = weir::broadcast::channel<T>(8);
    CHECK(channel.get() <= 2);
    const allocation_count handles;
    auto copy = tx;
    auto weak = tx.downgrade();
    auto second = tx.subscribe();
    auto third = second.resubscribe();
    CHECK(handles.get() == 0);
    auto a = weir::spawn(receive_all(std::move(second)));
    auto b = weir::spawn(receive_all(std::move(third)));
    co_await weir::yield_now();
    const allocation_count all;
    for (int i = 0; i < 1000; ++i) {
        static_cast<void>(tx.send(T(i)));
        static_cast<void>(rx.try_recv());
        static_cast<void>(tx.send(T(i)));
        static_cast<void>(co_await rx.recv());
        co_await weir::yield_now();
    }
    { auto gone = std::move(tx); }
    { auto gone = std::move(copy); }
    co_await weir::yield_now();
    CHECK(all.get() == 0);
    const int na = co_await a;
    const int nb = co_await b;
    CHECK(na == 2000);
    CHECK(nb == 2000);
}

weir::task<int> count_changes(weir::watch::receiver<int> rx) {
    int n = 0;
    while (co_await rx.changed()) ++n;
    co_return n;
}

weir::task<> await_even(weir::watch::receiver<int> rx, int times) {
    for (int i = 0; i < times; ++i) {
        const int floor = *rx.borrow();
        const auto found = co_await rx.wait_for([floor](int v) { return v > floor && v % 2 == 0; });
        if (!found) co_return;
    }
}

}  // namespace

TEST_SUITE("allocations of broadcast and watch") {
    TEST_CASE("a broadcast channel is two allocations at most, and nothing else is one") {
        weir::current_thread_runtime rt;
        rt.block_on(broadcast_to_three<std::uint64_t>());
        rt.block_on(broadcast_to_three<value>());
    }

    TEST_CASE("a watch channel is two allocations at most, and nothing else is one") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            const allocation_count channel;
            auto [tx, rx] = weir::watch::channel(0);
            CHECK(channel.get() <= 2);
            auto a = weir::spawn(count_changes(rx));
            auto b = weir::spawn(await_even(rx, 1'000'000));
            co_await weir::yield_now();
            const allocation_count all;
            for (int i = 1; i <= 1000; ++i) {
                tx.send(i);
                tx.send_modify([](int& v) { ++v; });
                static_cast<void>(*rx.borrow_and_update());
                co_await weir::yield_now();
            }
            auto copy = tx;
            auto other = copy.subscribe();
            { auto gone = std::move(tx); }
            { auto gone = std::move(copy); }
            co_await weir::yield_now();
            CHECK(all.get() == 0);
            CHECK(a.is_finished());
            const int changes = co_await a;
            CHECK(changes == 1000);
            co_await b;
        }());
    }

    TEST_CASE("waiting for the receivers to go allocates nothing") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::broadcast::channel<int>(1);
            auto a = weir::spawn(
                [](weir::broadcast::sender<int> t) -> weir::task<> { co_await t.closed(); }(tx));
            co_await weir::yield_now();
            const allocation_count all;
            for (int i = 0; i < 100; ++i) {
                { auto gone = std::move(rx); }
                rx = tx.subscribe();
                co_await weir::yield_now();
            }
            CHECK_FALSE(a.is_finished());
            { auto gone = std::move(rx); }
            co_await weir::yield_now();
            CHECK(all.get() == 0);
            co_await a;
        }());
    }
}
