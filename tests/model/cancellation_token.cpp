#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/cancellation_token.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

using model::drop;

namespace {

weir::task<> wait(weir::cancellation_token t) {
    co_await t.cancelled();
    model::expect(t.is_cancelled(), "not cancelled");
}

weir::task<> wait_or_give_up(weir::cancellation_token t) {
    auto const first = co_await weir::select(t.cancelled(), weir::yield_now());
    if (first.index() == 0) model::expect(t.is_cancelled(), "not cancelled");
}

}  // namespace

TEST_SUITE("cancellation_token") {
    TEST_CASE("cancel reaches everybody who waits") {
        model::check("cancellation_token: cancel against cancelled", [] {
            weir::cancellation_token t;
            model::thread other([t_2 = t] { t_2.cancel(); });
            model::run(wait(std::move(t)));
            other.join();
        }, 3);
        model::check("cancellation_token: two cancel, one waits on a child", [] {
            weir::cancellation_token t;
            auto child = t.child_token();
            model::thread one([t_2 = t] { t_2.cancel(); });
            model::thread two([t_2 = std::move(t)] {
                t_2.cancel();
                model::expect(t_2.is_cancelled(), "not cancelled");
            });
            model::run(wait(std::move(child)));
            one.join();
            two.join();
        });
        model::check("cancellation_token: what is done before a cancel is visible", [] {
            weir::cancellation_token t;
            int before = 0;
            model::thread other([&, t_2 = t] {
                before = 1;
                t_2.cancel();
            });
            if (t.is_cancelled()) model::expect(before == 1, "not visible");
            other.join();
        });
    }

    TEST_CASE("children come and go while the tree is cancelled") {
        model::check("cancellation_token: cancel against a new child", [] {
            weir::cancellation_token t;
            model::thread other([t_2 = t] { t_2.cancel(); });
            model::run(wait(t.child_token()));
            other.join();
        });
        model::check("cancellation_token: cancel against tokens that are dropped", [] {
            weir::cancellation_token t;
            auto child = t.child_token();
            auto grandchild = child.child_token();
            model::thread one([t_2 = std::move(t)] { t_2.cancel(); });
            model::thread two([&] { drop(child); });
            model::run(wait(std::move(grandchild)));
            one.join();
            two.join();
        });
        model::check("cancellation_token: root, child and grandchild are dropped at once", [] {
            weir::cancellation_token t;
            auto child = t.child_token();
            auto grandchild = child.child_token();
            model::thread one([&] { drop(t); });
            model::thread two([&] { drop(child); });
            drop(grandchild);
            one.join();
            two.join();
        });
    }

    TEST_CASE("a wait that is given up is forgotten") {
        model::check("cancellation_token: cancel against a waiter that is cancelled", [] {
            weir::cancellation_token t;
            model::thread other([t_2 = t] { t_2.cancel(); });
            model::run(wait_or_give_up(std::move(t)));
            other.join();
        });
    }
}
