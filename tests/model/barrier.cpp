#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/barrier.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

namespace {

weir::task<> arrive(weir::barrier& b, int& leaders, int& before, const int& others) {
    before = 1;
    const bool leads = co_await b.wait();
    model::expect(others == 1, "what was done before an arrival is not visible");
    if (leads) ++leaders;
}
weir::task<> arrive_and_give_up(weir::barrier& b) {
    auto const first = co_await weir::select(weir::lossy(b.wait()), weir::yield_now());
    static_cast<void>(first);
}
weir::task<> arrive_alone(weir::barrier& b) { co_await b.wait(); }

}  // namespace

TEST_SUITE("barrier") {
    TEST_CASE("the last one lets everybody go, and one of them leads") {
        model::check("barrier: two arrive", [] {
            weir::barrier b(2);
            int leaders_1 = 0, leaders_2 = 0, before_1 = 0, before_2 = 0;
            model::thread other([&] { model::run(arrive(b, leaders_1, before_1, before_2)); });
            model::run(arrive(b, leaders_2, before_2, before_1));
            other.join();
            model::expect(leaders_1 + leaders_2 == 1, "not led by one");
        }, 3);
    }
    TEST_CASE("who gives up stays counted") {
        model::check("barrier: an arrival against one that is given up", [] {
            weir::barrier b(2);
            model::thread other([&] { model::run(arrive_alone(b)); });
            model::run(arrive_and_give_up(b));
            other.join();
        });
    }
}
