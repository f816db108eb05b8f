// An owner inside another one (detail/concurrency/nested_owner.hpp), as unconstrained and task-local
// scopes have it: every wake passes through two mailboxes.

#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/unconstrained.hpp>
#include <weir/yield.hpp>

using model::parcel;

namespace {

weir::task<> receive(weir::oneshot::receiver<parcel>& rx, bool& received) {
    auto const v = co_await weir::unconstrained(rx);
    received = v.has_value();
}
weir::task<> receive_or_give_up(weir::oneshot::receiver<parcel>& rx, bool& received) {
    auto const first = co_await weir::select(weir::unconstrained(rx), weir::yield_now());
    received = first.index() == 0;
}
weir::task<> receive_either(weir::oneshot::receiver<parcel>& a, weir::oneshot::receiver<parcel>& b,
                            int& which) {
    auto const first = co_await weir::unconstrained(weir::select(a, b));
    which = static_cast<int>(first.index());
}

}  // namespace

TEST_SUITE("nested owner") {
    TEST_CASE("a wake passes through both mailboxes") {
        model::check("nested: send against recv", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            model::thread other([&tx] { static_cast<void>(tx.send(parcel(1))); });
            model::run(receive(rx, received));
            other.join();
            model::expect(received, "the value was lost");
        }, 3);
        model::check("nested: two sends against a select", [] {
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
    TEST_CASE("a cancellation waits for who is ringing") {
        model::check("nested: send against a recv that is cancelled", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            model::thread other([&tx] { static_cast<void>(tx.send(parcel(1))); });
            model::run(receive_or_give_up(rx, received));
            other.join();
            model::expect(received || rx.try_recv().has_value(), "the value was lost");
        });
    }
}
