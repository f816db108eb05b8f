#include "tasks.hpp"

#include <doctest/doctest.h>

#include <memory>

#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

using model::drop;
using model::parcel;

namespace {

using sender = weir::mpsc::sender<parcel>;
using receiver = weir::mpsc::receiver<parcel>;

weir::task<> send(sender tx, int first, int last, int& refused) {
    for (int n = first; n <= last; ++n) {
        parcel p(n);
        auto const sent = co_await tx.send(std::move(p));
        if (!sent) ++refused;
    }
}

// Receives until the end, in what must be ascending order for one sender.
template <class Receiver>
weir::task<> receive_all(Receiver rx, int& count, bool ordered) {
    int before = 0;
    while (true) {
        auto const v = co_await rx.recv();
        if (!v) break;
        if (ordered) model::expect(v->number() == before + 1, "out of order");
        before = v->number();
        ++count;
    }
}

// Gives one recv up after a turn, then receives the rest.
weir::task<> receive_after_giving_up(receiver rx, int& count) {
    {
        auto const first = co_await weir::select(rx.recv(), weir::yield_now());
        if (first.index() == 0) {
            if (!std::get<0>(first)) co_return;
            ++count;
        }
    }
    while (true) {
        auto const v = co_await rx.recv();
        if (!v) break;
        ++count;
    }
}

// Waits for a slot, for one turn only.
weir::task<> reserve_or_give_up(sender& tx, bool& reserved) {
    auto const first = co_await weir::select(tx.reserve(), weir::yield_now());
    reserved = first.index() == 0 && std::get<0>(first).has_value();
}

}  // namespace

TEST_SUITE("mpsc") {
    TEST_CASE("values arrive once and in order, and the end after them") {
        model::check("mpsc: one sender, one receiver, one slot", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            int refused = 0, count = 0;
            model::thread other([&] { model::run(send(std::move(tx), 1, 2, refused)); });
            model::run(receive_all(std::move(rx), count, true));
            other.join();
            model::expect(count == 2 && refused == 0, "a value was lost");
        });
        model::check("mpsc: two senders, one receiver, one slot", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            int refused_1 = 0, refused_2 = 0, count = 0;
            sender tx_2 = tx;
            model::thread one([&] { model::run(send(std::move(tx), 1, 1, refused_1)); });
            model::thread two([&] { model::run(send(std::move(tx_2), 2, 2, refused_2)); });
            model::run(receive_all(std::move(rx), count, false));
            one.join();
            two.join();
            model::expect(count == 2 && refused_1 + refused_2 == 0, "a value was lost");
        });
    }

    TEST_CASE("the last sender that goes ends the channel, behind what was sent") {
        model::check("mpsc: two senders that are dropped, one has sent", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            sender tx_2 = tx;
            int count = 0;
            model::thread one([&tx] {
                model::expect(tx.try_send(parcel(1)).has_value(), "no room");
                drop(tx);
            });
            model::thread two([&] { drop(tx_2); });
            model::run(receive_all(std::move(rx), count, true));
            one.join();
            two.join();
            model::expect(count == 1, "a value was lost");
        });
        model::check("mpsc: a weak sender is upgraded while the last sender goes", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            auto weak = tx.downgrade();
            int count = 0;
            bool sent = false;
            model::thread one([&tx] { drop(tx); });
            model::thread two([&] {
                if (auto strong = weak.upgrade()) sent = strong->try_send(parcel(1)).has_value();
                drop(weak);
            });
            model::run(receive_all(std::move(rx), count, true));
            one.join();
            two.join();
            model::expect(count == (sent ? 1 : 0), "a value was lost");
        });
    }

    TEST_CASE("a cancelled recv has taken nothing") {
        model::check("mpsc: send against a recv that is cancelled", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            int count = 0;
            model::thread other([&tx] {
                model::expect(tx.try_send(parcel(1)).has_value(), "no room");
                drop(tx);
            });
            model::run(receive_after_giving_up(std::move(rx), count));
            other.join();
            model::expect(count == 1, "the value was lost");
        });
    }

    TEST_CASE("a cancelled wait for a slot gives it back") {
        model::check("mpsc: recv against a reserve that is cancelled", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            model::expect(tx.try_send(parcel(1)).has_value(), "no room");
            model::thread other([&rx] { model::expect(rx.try_recv().has_value(), "empty"); });
            bool reserved = false;
            model::run(reserve_or_give_up(tx, reserved));
            other.join();
            model::expect(tx.capacity() == 1, "the slot was lost");
        });
        model::check("mpsc: a cancelled reserve passes its slot on to the sender behind it", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            auto tx_2 = tx;
            model::expect(tx.try_send(parcel(1)).has_value(), "no room");
            int refused = 0;
            bool reserved = false;
            model::thread one([&rx] { model::expect(rx.try_recv().has_value(), "empty"); });
            model::thread two([&] { model::run(send(std::move(tx_2), 2, 2, refused)); });
            model::run(reserve_or_give_up(tx, reserved));
            one.join();
            two.join();
            model::expect(refused == 0 && rx.size() == 1, "the slot was lost");
        });
    }

    TEST_CASE("a permit that is dropped lets the next sender in") {
        model::check("mpsc: a permit that is dropped against a waiting send", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            sender tx_2 = tx;
            int refused = 0, count = 0;
            model::thread one([permit = tx.try_reserve().value()]() mutable { drop(permit); });
            model::run(send(std::move(tx_2), 1, 1, refused));
            one.join();
            drop(tx);
            model::run(receive_all(std::move(rx), count, true));
            model::expect(count == 1 && refused == 0, "the slot was lost");
        });
        model::check("mpsc: a permit holds the end back until it is gone", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            int count = 0;
            auto permit = tx.try_reserve().value();
            drop(tx);
            model::thread one([permit = std::move(permit)]() mutable { permit.send(parcel(1)); });
            model::run(receive_all(std::move(rx), count, true));
            one.join();
            model::expect(count == 1, "ended too early");
        });
    }

    TEST_CASE("a receiver that goes gives waiting values back") {
        model::check("mpsc: a receiver that is dropped against a waiting send", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            int refused = 0;
            model::thread one([&rx] { drop(rx); });
            model::run(send(std::move(tx), 1, 2, refused));
            one.join();
            model::expect(refused <= 2, "never");
        });
        model::check("mpsc: close against a waiting send, then the rest is received", [] {
            auto [tx, rx] = weir::mpsc::channel<parcel>(1);
            int refused = 0, count = 0;
            model::thread one([&] { model::run(send(std::move(tx), 1, 2, refused)); });
            rx.close();
            model::run(receive_all(std::move(rx), count, true));
            one.join();
            model::expect(count + refused == 2, "a value was lost");
        });
    }

    TEST_CASE("the unbounded channel hands its blocks on") {
        model::check("mpsc: unbounded, from one block to the next", [] {
            auto [tx, rx] = weir::mpsc::unbounded_channel<parcel>();
            constexpr int before = 30;  // so that the second value begins a block
            for (int i = 0; i < before; ++i) static_cast<void>(tx.send(parcel(0)));
            for (int i = 0; i < before; ++i) static_cast<void>(rx.try_recv());
            int count = 0;
            model::thread other([&tx] {
                for (int n = 1; n <= 3; ++n) static_cast<void>(tx.send(parcel(n)));
                drop(tx);
            });
            model::run(receive_all(std::move(rx), count, true));
            other.join();
            model::expect(count == 3, "a value was lost");
        });
    }
}
