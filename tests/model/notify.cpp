#include "tasks.hpp"

#include <doctest/doctest.h>

#include <memory>

#include <weir/notify.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

namespace {

weir::task<> wait(weir::notify& n) { co_await n.notified(); }

weir::task<> wait_or_give_up(weir::notify& n, bool& notified) {
    auto const first = co_await weir::select(n.notified(), weir::yield_now());
    notified = first.index() == 0;
}


// Makes the registration before it looks, as the documentation says.
weir::task<> wait_for(weir::notify& n, model::atomic<bool>& condition) {
    auto waiting = n.notified();
    if (condition.load(std::memory_order_relaxed)) co_return;
    co_await waiting;
}

}  // namespace

TEST_SUITE("notify") {
    TEST_CASE("a notification is not lost") {
        model::check("notify: notify_one against notified", [] {
            weir::notify n;
            model::thread other([&] { n.notify_one(); });
            model::run(wait(n));
            other.join();
        }, 3);
        model::check("notify: two notify_one against two notified", [] {
            weir::notify n;
            model::thread one([&] { model::run(wait(n)); });
            model::thread two([&] {
                n.notify_one();
                // One notification is kept, not two: the second one waits for the first to be taken.
                one.join();
                n.notify_one();
            });
            two.join();
            model::run(wait(n));
        });
        model::check("notify: notify_waiters against a condition that is looked at", [] {
            weir::notify n;
            model::atomic<bool> condition{false};
            model::thread other([&] {
                condition.store(true, std::memory_order_relaxed);
                n.notify_waiters();
            });
            model::run(wait_for(n, condition));
            other.join();
        });
    }

    TEST_CASE("a cancelled waiter passes its notification on") {
        model::check("notify: notify_one against a waiter that is cancelled", [] {
            weir::notify n;
            bool notified = false;
            model::thread other([&] { n.notify_one(); });
            model::run(wait_or_give_up(n, notified));
            other.join();
            if (!notified) model::run(wait(n));
        });
        model::check("notify: notify_one against a cancelled waiter and one behind it", [] {
            weir::notify n;
            bool notified = false;
            model::thread one([&] { n.notify_one(); });
            model::thread two([&] { model::run(wait(n)); });
            model::run(wait_or_give_up(n, notified));
            one.join();
            if (notified) n.notify_one();
            two.join();
        });
    }

    TEST_CASE("an owned registration keeps its notify alive") {
        model::check("notify: notify_waiters, then the notify is let go", [] {
            auto n = std::make_shared<weir::notify>();
            model::thread other([waiting = weir::notify::notified_owned(n)]() mutable {
                auto task = [](weir::owned_notified& w) -> weir::task<> { co_await w; };
                model::run(task(waiting));
            });
            n->notify_waiters();
            n.reset();
            other.join();
        });
    }
}
