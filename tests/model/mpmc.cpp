#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/mpmc.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

using model::drop;
using model::parcel;

namespace {

template <class Receiver>
weir::task<> receive_all(Receiver rx, int& count) {
    while (true) {
        auto const v = co_await rx.recv();
        if (!v) break;
        ++count;
    }
}

template <class Receiver>
weir::task<> receive_or_give_up(Receiver rx, int& count) {
    auto const first = co_await weir::select(rx.recv(), weir::yield_now());
    if (first.index() == 0 && std::get<0>(first)) ++count;
}

}  // namespace

TEST_SUITE("mpmc") {
    TEST_CASE("each value goes to one receiver, and the end to all") {
        model::check("mpmc: one sender, two receivers", [] {
            auto [tx, rx] = weir::mpmc::channel<parcel>(2);
            auto rx_2 = rx;
            int count_1 = 0, count_2 = 0;
            model::thread one([&] { model::run(receive_all(std::move(rx), count_1)); });
            model::thread two([&] { model::run(receive_all(std::move(rx_2), count_2)); });
            static_cast<void>(tx.try_send(parcel(1)));
            static_cast<void>(tx.try_send(parcel(2)));
            drop(tx);
            one.join();
            two.join();
            model::expect(count_1 + count_2 == 2, "a value was lost");
        });
    }

    TEST_CASE("a cancelled recv passes its value on") {
        model::check("mpmc: send against one recv that is cancelled and one that waits", [] {
            auto [tx, rx] = weir::mpmc::channel<parcel>(1);
            auto rx_2 = rx;
            int count_1 = 0, count_2 = 0;
            model::thread one([&] { model::run(receive_or_give_up(std::move(rx), count_1)); });
            model::thread two([&tx] {
                static_cast<void>(tx.try_send(parcel(1)));
                drop(tx);
            });
            model::run(receive_all(std::move(rx_2), count_2));
            one.join();
            two.join();
            model::expect(count_1 + count_2 == 1, "the value was lost");
        });
    }

    TEST_CASE("receivers that go, and values of two threads that leave at once") {
        model::check("mpmc: send against two receivers that are dropped", [] {
            auto [tx, rx] = weir::mpmc::channel<parcel>(1);
            auto rx_2 = rx;
            model::thread one([&rx] { drop(rx); });
            model::thread two([&] { drop(rx_2); });
            static_cast<void>(tx.try_send(parcel(1)));
            one.join();
            two.join();
            model::expect(tx.is_closed(), "open without receivers");
        });
        model::check("mpmc: two receivers take from one slot pool", [] {
            auto [tx, rx] = weir::mpmc::channel<parcel>(2);
            auto rx_2 = rx;
            for (int n = 1; n <= 2; ++n) static_cast<void>(tx.try_send(parcel(n)));
            model::thread one([&rx] { model::expect(rx.try_recv().has_value(), "empty"); });
            model::thread two([&] { model::expect(rx_2.try_recv().has_value(), "empty"); });
            static_cast<void>(tx.try_send(parcel(3)));
            one.join();
            two.join();
            model::expect(rx.size() + tx.capacity() == 2, "a slot was lost");
        });
        model::check("mpmc: two receivers empty a block of the unbounded channel", [] {
            auto [tx, rx] = weir::mpmc::unbounded_channel<parcel>();
            auto rx_2 = rx;
            constexpr int before = 30;
            for (int i = 0; i < before; ++i) static_cast<void>(tx.send(parcel(0)));
            for (int i = 0; i < before; ++i) static_cast<void>(rx.try_recv());
            for (int n = 1; n <= 2; ++n) static_cast<void>(tx.send(parcel(n)));
            static_cast<void>(tx.send(parcel(3)));  // so that the first block is not the last one
            model::thread one([&rx] { model::expect(rx.try_recv().has_value(), "empty"); });
            model::thread two([&rx_2] { model::expect(rx_2.try_recv().has_value(), "empty"); });
            static_cast<void>(tx.send(parcel(4)));
            one.join();
            two.join();
        });
    }
}
