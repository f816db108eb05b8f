#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/select.hpp>
#include <weir/task_tracker.hpp>
#include <weir/yield.hpp>

namespace {

weir::task<> wait(weir::task_tracker t) { co_await t.wait(); }
weir::task<> wait_or_give_up(weir::task_tracker t) {
    auto const first = co_await weir::select(t.wait(), weir::yield_now());
    static_cast<void>(first);
}

}  // namespace

TEST_SUITE("task_tracker") {
    TEST_CASE("a wait ends with the last token, after it was closed") {
        model::check("task_tracker: close against the last token against wait", [] {
            weir::task_tracker t;
            int before = 0;
            model::thread one([&before, token = t.token()]() mutable {
                before = 1;
                model::drop(token);
            });
            model::thread two([t] { t.close(); });
            model::run(wait(t));
            model::expect(before == 1, "not visible");
            one.join();
            two.join();
        });
    }
    TEST_CASE("a wait that is given up is forgotten") {
        model::check("task_tracker: close against a wait that is cancelled", [] {
            weir::task_tracker t;
            model::thread other([t] { t.close(); });
            model::run(wait_or_give_up(t));
            other.join();
        });
    }
}
