#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

using model::drop;
using model::parcel;

namespace {

using sender = weir::oneshot::sender<parcel>;
using receiver = weir::oneshot::receiver<parcel>;

// What the receiving task has seen in the end.
enum class seen { nothing, value, end };

weir::task<> receive(receiver rx, seen& out) {
    std::optional<parcel> const v = co_await rx;
    if (v) model::expect(v->number() == 7, "another value");
    out = v ? seen::value : seen::end;
}

// Waits for one turn only.
weir::task<> receive_or_give_up(receiver rx, seen& out) {
    {
        auto const first = co_await weir::select(rx, weir::yield_now());
        if (first.index() == 0) {
            out = std::get<0>(first) ? seen::value : seen::end;
            co_return;
        }
    }
    rx.close();
    auto const late = rx.try_recv();
    if (late) out = seen::value;
}

weir::task<> wait_for_close(sender& tx) { co_await tx.closed(); }

}  // namespace

TEST_SUITE("oneshot") {
    TEST_CASE("a value is received once, whenever it is sent") {
        model::check("oneshot: send against recv", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            model::thread other([&tx] { model::expect(tx.send(parcel(7)).has_value(), "sent"); });
            seen got = seen::nothing;
            model::run(receive(std::move(rx), got));
            other.join();
            model::expect(got == seen::value, "the value was lost");
        });
    }

    TEST_CASE("a value that nobody takes is destroyed or comes back") {
        model::check("oneshot: send against a receiver that is dropped", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            model::thread other([&tx] {
                auto const sent = std::move(tx).send(parcel(7));
                if (!sent) model::expect(sent.error().number() == 7, "another value");
            });
            drop(rx);
            other.join();
        });
    }

    TEST_CASE("a receiver learns of a sender that is dropped") {
        model::check("oneshot: recv against a sender that is dropped", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            model::thread other([&tx] { drop(tx); });
            seen got = seen::nothing;
            model::run(receive(std::move(rx), got));
            other.join();
            model::expect(got == seen::end, "no end");
        });
    }

    TEST_CASE("a cancelled recv has taken nothing") {
        model::check("oneshot: send against a recv that is cancelled", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool sent = false;
            model::thread other([&sent, &tx] { sent = tx.send(parcel(7)).has_value(); });
            seen got = seen::nothing;
            model::run(receive_or_give_up(std::move(rx), got));
            other.join();
            model::expect(sent == (got == seen::value), "sent and not received, or the reverse");
        });
    }

    TEST_CASE("a dropped sender and a cancelled recv meet") {
        model::check("oneshot: a sender that is dropped against a recv that is cancelled", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            model::thread other([&tx] { drop(tx); });
            seen got = seen::nothing;
            model::run(receive_or_give_up(std::move(rx), got));
            other.join();
            model::expect(got != seen::value, "a value out of nowhere");
        });
    }

    TEST_CASE("a sender learns of a receiver that is closed or dropped") {
        model::check("oneshot: closed against a receiver that is dropped", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            model::thread other([&rx] { drop(rx); });
            model::run(wait_for_close(tx));
            model::expect(!tx.send(parcel(7)).has_value(), "sent to nobody");
            other.join();
        });
        model::check("oneshot: closed against close, then send against try_recv", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            model::thread other([&rx] {
                rx.close();
                model::expect(!rx.try_recv(), "a value after close");
            });
            model::run(wait_for_close(tx));
            model::expect(!tx.send(parcel(7)).has_value(), "sent to nobody");
            other.join();
        });
    }

    TEST_CASE("what was done before an end is visible to who learns of it") {
        model::check("oneshot: is_closed against close", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            int before = 0;
            model::thread other([&] {
                before = 1;
                rx.close();
            });
            if (tx.is_closed()) model::expect(before == 1, "not visible");
            other.join();
        });
        model::check("oneshot: is_closed against a close that wakes", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            int before = 0;
            model::thread one([&] {
                before = 1;
                rx.close();
            });
            model::thread two([&] {
                if (tx.is_closed()) model::expect(before == 1, "not visible");
            });
            model::run(wait_for_close(tx));
            one.join();
            two.join();
        });
        model::check("oneshot: try_recv against a sender that is dropped", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            int before = 0;
            model::thread other([&] {
                before = 1;
                drop(tx);
            });
            auto const r = rx.try_recv();
            if (!r && r.error() == weir::oneshot::try_recv_error::closed)
                model::expect(before == 1, "not visible");
            other.join();
        });
    }

    TEST_CASE("what try_recv finds is complete") {
        model::check("oneshot: send against try_recv", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            model::thread other([&tx] { model::expect(tx.send(parcel(7)).has_value(), "sent"); });
            if (!rx.empty()) model::expect(rx.try_recv().value().number() == 7, "another value");
            other.join();
        });
    }
}
