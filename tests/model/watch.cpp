#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/select.hpp>
#include <weir/watch.hpp>
#include <weir/yield.hpp>

using model::drop;

namespace {

// Of several plain words, so that a torn value is a race.
struct config {
    int number = 0;
    int check = 0;
};
config make(int n) { return {n, -n}; }

using sender = weir::watch::sender<config>;
using receiver = weir::watch::receiver<config>;

int look(receiver& rx) {
    auto const now = rx.borrow_and_update();
    model::expect(now->check == -now->number, "torn");
    return now->number;
}

// Follows the value until the sender is gone; the last one must have been seen.
weir::task<> follow(receiver rx, int& last) {
    while (true) {
        auto const change = co_await rx.changed();
        if (!change) break;
        const int now = look(rx);
        model::expect(now >= last, "went back");
        last = now;
    }
}

weir::task<> follow_after_giving_up(receiver rx, int& last) {
    {
        auto const first = co_await weir::select(rx.changed(), weir::yield_now());
        if (first.index() == 0 && std::get<0>(first)) last = look(rx);
    }
    co_await follow(std::move(rx), last);
}

weir::task<> wait_for(receiver rx, int wanted, bool& found) {
    const auto accepts = [wanted](const config& c) { return c.number == wanted; };
    auto const r = co_await rx.wait_for(accepts);
    found = r.has_value();
}

weir::task<> wait_for_close(sender& tx) { co_await tx.closed(); }

}  // namespace

TEST_SUITE("watch") {
    TEST_CASE("no last value is missed, and the end comes after it") {
        model::check("watch: send against changed, then the sender goes", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            int last = 0;
            model::thread other([&tx] {
                for (int n = 1; n <= 2; ++n) tx.send(make(n));
                drop(tx);
            });
            model::run(follow(std::move(rx), last));
            other.join();
            model::expect(last == 2, "the last value was missed");
        });
        model::check("watch: two senders against changed", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            sender tx_2 = tx;
            int last = 0;
            const auto add = [](sender& s) {
                s.send_modify([](config& c) { c = make(c.number + 1); });
                drop(s);
            };
            model::thread one([&] { add(tx); });
            model::thread two([&] { add(tx_2); });
            model::run(follow(std::move(rx), last));
            one.join();
            two.join();
            model::expect(last == 2, "the last value was missed");
        });
    }

    TEST_CASE("two receivers read while a sender writes") {
        model::check("watch: send against two readers", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            receiver rx_2 = rx;
            model::thread one([&] { look(rx_2); });
            model::thread two([&tx] { tx.send(make(1)); });
            const int first = look(rx);
            two.join();
            model::expect(look(rx) == 1 && first <= 1, "not visible");
            one.join();
        });
        model::check("watch: has_changed tells of what borrow then sees", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            model::thread other([&tx] { tx.send(make(1)); });
            if (rx.has_changed().value_or(false)) model::expect(look(rx) == 1, "not visible");
            other.join();
        });
        model::check("watch: what was done before a change or the end is visible", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            int before_change = 0, before_end = 0;
            model::thread other([&] {
                before_change = 1;
                tx.send(make(1));
                before_end = 1;
                drop(tx);
            });
            auto const changed = rx.has_changed();
            if (!changed)
                model::expect(before_end == 1, "not visible");
            else if (*changed)
                model::expect(before_change == 1, "not visible");
            other.join();
        });
    }

    TEST_CASE("a cancelled changed has seen nothing") {
        model::check("watch: send against a changed that is cancelled", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            int last = 0;
            model::thread other([&tx] {
                tx.send(make(1));
                drop(tx);
            });
            model::run(follow_after_giving_up(std::move(rx), last));
            other.join();
            model::expect(last == 1, "the last value was missed");
        });
    }

    TEST_CASE("wait_for finds the value that it waits for") {
        model::check("watch: send against wait_for", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            bool found = false;
            model::thread other([&tx] {
                for (int n = 1; n <= 2; ++n) tx.send(make(n));
                drop(tx);
            });
            model::run(wait_for(std::move(rx), 2, found));
            other.join();
            model::expect(found, "missed");
        });
    }

    TEST_CASE("a sender learns when the last receiver goes") {
        model::check("watch: closed against two receivers that go", [] {
            auto [tx, rx] = weir::watch::channel<config>(make(0));
            receiver rx_2 = rx;
            model::thread one([&rx] { drop(rx); });
            model::thread two([&] { drop(rx_2); });
            model::run(wait_for_close(tx));
            model::expect(tx.is_closed(), "still open");
            one.join();
            two.join();
        });
    }
}
