#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/rwlock.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

namespace {

using rwlock = weir::rwlock<int>;

weir::task<> write(rwlock& l) {
    auto guard = co_await l.write();
    ++*guard;
}
weir::task<> read(rwlock& l, int limit) {
    auto guard = co_await l.read();
    model::expect(*guard <= limit, "another value");
}
weir::task<> write_then_read(rwlock& l) {
    auto guard = co_await l.write();
    ++*guard;
    auto const shared = guard.downgrade();
    model::expect(*shared >= 1, "another value");
}
weir::task<> write_or_give_up(rwlock& l) {
    auto first = co_await weir::select(l.write(), weir::yield_now());
    if (first.index() == 0) ++*std::get<0>(first);
}

void expect_free(rwlock& l) { model::expect(l.try_write().has_value(), "the lock was lost"); }

}  // namespace

TEST_SUITE("rwlock") {
    TEST_CASE("a writer is alone") {
        model::check("rwlock: a writer against two readers", [] {
            rwlock l(0);
            model::thread one([&] { model::run(read(l, 1)); });
            model::thread two([&] { model::run(write(l)); });
            model::run(read(l, 1));
            one.join();
            two.join();
            expect_free(l);
        });
        model::check("rwlock: a downgrade against a writer and a reader", [] {
            rwlock l(0);
            model::thread one([&] { model::run(write_then_read(l)); });
            model::thread two([&] { model::run(write(l)); });
            model::run(read(l, 2));
            one.join();
            two.join();
            expect_free(l);
        });
    }

    TEST_CASE("a cancelled waiter lets those behind it in") {
        model::check("rwlock: a reader's unlock against a cancelled writer", [] {
            rwlock l(0);
            auto held = l.try_read();
            model::thread one([&] { held.reset(); });
            model::run(write_or_give_up(l));
            one.join();
            expect_free(l);
        });
        model::check("rwlock: a cancelled writer and a reader behind it", [] {
            rwlock l(0);
            auto held = l.try_read();
            model::thread one([&] { model::run(read(l, 1)); });
            model::run(write_or_give_up(l));
            one.join();
            held.reset();
            expect_free(l);
        });
    }
}
