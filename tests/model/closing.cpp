// Waits for what ends that are given up just then: whoever ends it must not touch the waiter any more.

#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/broadcast.hpp>
#include <weir/mpsc.hpp>
#include <weir/once_cell.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/watch.hpp>
#include <weir/yield.hpp>

using model::drop;

namespace {

template <class Operation>
weir::task<> give_up(Operation o) {
    auto const first = co_await weir::select(std::move(o), weir::yield_now());
    static_cast<void>(first);
}

template <class Operation>
weir::task<> wait_for(Operation o) {
    auto const r = co_await std::move(o);
    static_cast<void>(r);
}

template <class Sender>
weir::task<> until_closed(Sender& tx) {
    co_await tx.closed();
}

// On two threads: `end` ends what `wait()` waits for, for one turn.
template <class End, class Wait>
void race(End end, Wait wait) {
    model::thread other(end);
    model::run(give_up(wait()));
    other.join();
}

weir::task<int> make(int value) {
    co_await weir::yield_now();
    co_return value;
}
weir::task<> init(weir::once_cell<int>& c) {
    const auto f = [] { return make(1); };
    static_cast<void>(co_await c.get_or_init(f));
}
weir::task<> init_or_give_up(weir::once_cell<int>& c) {
    const auto f = [] { return make(1); };
    auto const first = co_await weir::select(c.get_or_init(f), weir::yield_now());
    static_cast<void>(first);
}

}  // namespace

TEST_SUITE("closing") {
    TEST_CASE("channels") {
        model::check("closing: oneshot closed against close", [] {
            auto [tx, rx] = weir::oneshot::channel<int>();
            race([&rx] { rx.close(); }, [&tx] { return tx.closed(); });
        });
        model::check("closing: oneshot closed against the receiver", [] {
            auto [tx, rx] = weir::oneshot::channel<int>();
            race([&rx] { drop(rx); }, [&tx] { return tx.closed(); });
        });
        model::check("closing: mpsc recv against the last sender", [] {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            race([&tx] { drop(tx); }, [&rx] { return rx.recv(); });
        });
        model::check("closing: mpsc reserve against the receiver", [] {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            static_cast<void>(tx.try_send(1));
            race([&rx] { drop(rx); }, [&tx] { return tx.reserve(); });
        });
        model::check("closing: mpsc closed against the receiver", [] {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            race([&rx] { drop(rx); }, [&tx] { return tx.closed(); });
        });
        model::check("closing: watch closed against the receiver", [] {
            auto [tx, rx] = weir::watch::channel<int>(0);
            race([&rx] { drop(rx); }, [&tx] { return tx.closed(); });
        });
        model::check("closing: watch changed against the sender", [] {
            auto [tx, rx] = weir::watch::channel<int>(0);
            race([&tx] { drop(tx); }, [&rx] { return rx.changed(); });
        });
        model::check("closing: broadcast closed against the receiver", [] {
            auto [tx, rx] = weir::broadcast::channel<int>(1);
            race([&rx] { drop(rx); }, [&tx] { return tx.closed(); });
        });
        model::check("closing: broadcast recv against the sender", [] {
            auto [tx, rx] = weir::broadcast::channel<int>(1);
            race([&tx] { drop(tx); }, [&rx] { return rx.recv(); });
        });
    }
    TEST_CASE("who does not give up is woken") {
        model::check("closing: mpsc recv until the last sender", [] {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            model::thread other([&tx] { drop(tx); });
            model::run(wait_for(rx.recv()));
            other.join();
        });
        model::check("closing: mpsc reserve until the receiver", [] {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            static_cast<void>(tx.try_send(1));
            model::thread other([&rx] { drop(rx); });
            model::run(wait_for(tx.reserve()));
            other.join();
        });
    }
    TEST_CASE("a sender that waits for the end is woken") {
        model::check("closing: mpsc closed until the receiver", [] {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            model::thread other([&rx] { drop(rx); });
            model::run(until_closed(tx));
            other.join();
        });
        model::check("closing: broadcast closed until the receiver", [] {
            auto [tx, rx] = weir::broadcast::channel<int>(1);
            model::thread other([&rx] { drop(rx); });
            model::run(until_closed(tx));
            other.join();
        });
    }
    TEST_CASE("a semaphore, a cell") {
        model::check("closing: semaphore acquire against close", [] {
            weir::semaphore s(0);
            race([&s] { s.close(); }, [&s] { return s.acquire(); });
        });
        model::check("closing: get_or_init against one that is filling", [] {
            weir::once_cell<int> c;
            model::thread other([&c] { model::run(init(c)); });
            model::run(init_or_give_up(c));
            other.join();
        });
        model::check("closing: get_or_init behind one that is given up", [] {
            weir::once_cell<int> c;
            model::thread other([&c] { model::run(init_or_give_up(c)); });
            model::run(init(c));
            other.join();
            model::expect(c.get() != nullptr, "not filled");
        });
    }
}
