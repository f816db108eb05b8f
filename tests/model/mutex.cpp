#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/mutex.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

namespace {

using mutex = weir::mutex<int>;

weir::task<> add_one(mutex& m) {
    auto guard = co_await m.lock();
    ++*guard;
}

weir::task<> add_one_or_give_up(mutex& m, bool& added) {
    auto first = co_await weir::select(m.lock(), weir::yield_now());
    if (first.index() != 0) co_return;
    ++*std::get<0>(first);
    added = true;
}

int value_of(mutex& m) {
    auto guard = m.try_lock();
    model::expect(guard.has_value(), "the lock was lost");
    return **guard;
}

}  // namespace

TEST_SUITE("mutex") {
    TEST_CASE("one at a time") {
        model::check("mutex: two lock", [] {
            mutex m(0);
            model::thread other([&] { model::run(add_one(m)); });
            model::run(add_one(m));
            other.join();
            model::expect(value_of(m) == 2, "not excluded");
        }, 3);
        model::check("mutex: three lock", [] {
            mutex m(0);
            model::thread one([&] { model::run(add_one(m)); });
            model::thread two([&] { model::run(add_one(m)); });
            model::run(add_one(m));
            one.join();
            two.join();
            model::expect(value_of(m) == 3, "not excluded");
        });
        model::check("mutex: try_lock against lock", [] {
            mutex m(0);
            bool added = false;
            model::thread other([&] {
                if (auto guard = m.try_lock()) {
                    ++**guard;
                    added = true;
                }
            });
            model::run(add_one(m));
            other.join();
            model::expect(value_of(m) == (added ? 2 : 1), "not excluded");
        });
    }

    TEST_CASE("a cancelled waiter passes the lock on") {
        model::check("mutex: unlock against a waiter that is cancelled", [] {
            mutex m(0);
            bool added = false;
            auto held = m.try_lock();
            model::thread other([&] { held.reset(); });
            model::run(add_one_or_give_up(m, added));
            other.join();
            model::expect(value_of(m) == (added ? 1 : 0), "not excluded");
        });
        model::check("mutex: unlock against a cancelled waiter and one behind it", [] {
            mutex m(0);
            bool added = false;
            auto held = m.try_lock();
            model::thread one([&] { held.reset(); });
            model::thread two([&] { model::run(add_one(m)); });
            model::run(add_one_or_give_up(m, added));
            one.join();
            two.join();
            model::expect(value_of(m) == (added ? 2 : 1), "the lock was lost");
        });
    }

    TEST_CASE("a thread that blocks waits in the same queue") {
        model::check("mutex: blocking_lock against lock", [] {
            mutex m(0);
            model::thread other([&] { ++*m.blocking_lock(); });
            model::run(add_one(m));
            other.join();
            model::expect(value_of(m) == 2, "not excluded");
        });
    }
}
