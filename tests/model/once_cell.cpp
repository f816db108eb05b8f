#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/once_cell.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

namespace {

// Plain words, so that a value that is seen before it was made is a race.
struct value {
    int a, b;
};
using cell = weir::once_cell<value>;

weir::task<value> make(int* made) {
    co_await weir::yield_now();
    ++*made;
    co_return value{1, -1};
}
weir::task<> init(cell& c, int& made) {
    const auto f = [&made] { return make(&made); };
    value& v = co_await c.get_or_init(f);
    model::expect(v.a == 1 && v.b == -1, "not visible");
}
weir::task<> init_or_give_up(cell& c, int& made) {
    const auto f = [&made] { return make(&made); };
    auto const first = co_await weir::select(c.get_or_init(f), weir::yield_now());
    static_cast<void>(first);
}

}  // namespace

TEST_SUITE("once_cell") {
    TEST_CASE("the value is made once and visible to all") {
        model::check("once_cell: get_or_init against get_or_init against get", [] {
            cell c;
            int made = 0;
            model::thread one([&] { model::run(init(c, made)); });
            model::thread two([&] {
                if (value* const v = c.get()) model::expect(v->a == 1 && v->b == -1, "not visible");
            });
            model::run(init(c, made));
            one.join();
            two.join();
            model::expect(made == 1, "not made once");
        });
    }

    TEST_CASE("a cancelled initialization leaves it to the next") {
        model::check("once_cell: get_or_init against one that is cancelled", [] {
            cell c;
            int made = 0;
            model::thread one([&] { model::run(init(c, made)); });
            model::run(init_or_give_up(c, made));
            one.join();
            model::expect(made == 1, "not made once");
        });
    }
}
