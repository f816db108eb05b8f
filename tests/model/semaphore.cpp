#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/yield.hpp>

namespace {

weir::task<> take(weir::semaphore& s, std::size_t n, bool& got) {
    auto const permit = co_await s.acquire(n);
    got = permit.has_value();
}
weir::task<> take_or_give_up(weir::semaphore& s, std::size_t n) {
    auto const first = co_await weir::select(s.acquire(n), weir::yield_now());
    static_cast<void>(first);
}

}  // namespace

TEST_SUITE("semaphore") {
    TEST_CASE("permits are neither lost nor made") {
        model::check("semaphore: two acquire one of one", [] {
            weir::semaphore s(1);
            bool got_1 = false, got_2 = false;
            model::thread other([&] { model::run(take(s, 1, got_1)); });
            model::run(take(s, 1, got_2));
            other.join();
            model::expect(got_1 && got_2 && s.available_permits() == 1, "a permit was lost");
        }, 3);
        model::check("semaphore: two of two against two times one", [] {
            weir::semaphore s(2);
            bool got_1 = false, got_2 = false, got_3 = false;
            model::thread one([&] { model::run(take(s, 2, got_1)); });
            model::thread two([&] { model::run(take(s, 1, got_2)); });
            model::run(take(s, 1, got_3));
            one.join();
            two.join();
            model::expect(got_1 && got_2 && got_3 && s.available_permits() == 2, "a permit was lost");
        });
    }

    TEST_CASE("a cancelled acquire passes its permits on") {
        model::check("semaphore: add_permits against a cancelled acquire and one behind it", [] {
            weir::semaphore s(0);
            bool got = false;
            model::thread one([&] { s.add_permits(2); });
            model::thread two([&] { model::run(take(s, 1, got)); });
            model::run(take_or_give_up(s, 2));
            one.join();
            two.join();
            model::expect(got && s.available_permits() == 2, "a permit was lost");
        });
    }

    TEST_CASE("close wakes everybody, with nothing") {
        model::check("semaphore: close against acquire against release", [] {
            weir::semaphore s(0);
            bool got = false;
            model::thread one([&] { s.close(); });
            model::thread two([&] { s.add_permits(1); });
            model::run(take(s, 1, got));
            one.join();
            two.join();
            model::expect(s.available_permits() == 1, "a permit was lost");
        });
    }
}
