#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>

using model::drop;
using model::parcel;

namespace {

template <class Receiver>
weir::task<> receive_from_both(Receiver a, Receiver b, int& count) {
    bool a_open = true, b_open = true;
    while (a_open || b_open) {
        auto const first =
            co_await weir::select(weir::when(a_open, a.recv()), weir::when(b_open, b.recv()));
        const auto take = [&](const std::optional<parcel>& v, bool& open) {
            if (v)
                ++count;
            else
                open = false;
        };
        if (first.index() == 0)
            take(std::get<0>(first), a_open);
        else
            take(std::get<1>(first), b_open);
    }
}

weir::task<> lock_or_receive(weir::mutex<int>& m, weir::oneshot::receiver<parcel>& rx, bool& received) {
    auto first = co_await weir::select(m.lock(), rx);
    received = first.index() == 1;
}

weir::task<> receive_either(weir::oneshot::receiver<parcel>& a, weir::oneshot::receiver<parcel>& b,
                            int& which) {
    auto const first = co_await weir::select(a, b);
    which = static_cast<int>(first.index());
}

}  // namespace

TEST_SUITE("select") {
    TEST_CASE("what the losing branch was given is not lost") {
        model::check("select: two mpsc receivers, both ready at once", [] {
            auto [tx_1, rx_1] = weir::mpsc::channel<parcel>(1);
            auto [tx_2, rx_2] = weir::mpsc::channel<parcel>(1);
            int count = 0;
            const auto send = [](auto& tx) {
                static_cast<void>(tx.try_send(parcel(1)));
                drop(tx);
            };
            model::thread one([&, &tx = tx_1] { send(tx); });
            model::thread two([&, &tx = tx_2] { send(tx); });
            model::run(receive_from_both(std::move(rx_1), std::move(rx_2), count));
            one.join();
            two.join();
            model::expect(count == 2, "a value was lost");
        });
        model::check("select: a lock against a oneshot", [] {
            weir::mutex<int> m(0);
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            auto held = m.try_lock();
            bool received = false;
            model::thread one([&] { held.reset(); });
            model::thread two([&tx] { static_cast<void>(tx.send(parcel(1))); });
            model::run(lock_or_receive(m, rx, received));
            one.join();
            two.join();
            model::expect(m.try_lock().has_value(), "the lock was lost");
            model::expect(received || rx.try_recv().has_value(), "the value was lost");
        });
        model::check("select: two oneshots", [] {
            auto [tx_1, rx_1] = weir::oneshot::channel<parcel>();
            auto [tx_2, rx_2] = weir::oneshot::channel<parcel>();
            int which = -1;
            model::thread one([&tx = tx_1] { static_cast<void>(tx.send(parcel(1))); });
            model::thread two([&tx = tx_2] { static_cast<void>(tx.send(parcel(2))); });
            model::run(receive_either(rx_1, rx_2, which));
            one.join();
            two.join();
            model::expect((which == 0 ? rx_2 : rx_1).try_recv().has_value(), "the value was lost");
        });
    }
}
