// Waiting for a lock, a barrier, a cell or a token allocates nothing. This program replaces operator
// new, so it stands alone.

#include <doctest/doctest.h>

#include <weir/barrier.hpp>
#include <weir/cancellation_token.hpp>
#include <weir/once_cell.hpp>
#include <weir/runtime.hpp>
#include <weir/rwlock.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "common/counting_new.hpp"

namespace {

using weir_test::allocations;

struct shared {
    weir::rwlock<int> lock{0};
    weir::barrier meet{3};
    weir::once_cell<int> cell;
    weir::set_once<int> event;
    weir::cancellation_token stop;
    long counted = 0;  // allocations between the first meeting and the last
};

// Everything that can be waited for, by three tasks that wait for each other.
weir::task<> take_part(shared& s, int me) {
    static_cast<void>(co_await s.meet.wait());
    const long before = allocations.load();
    for (int i = 0; i < 100; ++i) {
        {
            auto g = co_await s.lock.write();
            co_await weir::yield_now();
            auto r = g.downgrade();
            co_await weir::yield_now();
        }
        static_cast<void>(co_await s.meet.wait());
    }
    static_cast<void>(co_await s.cell.get_or_init([] { return 5; }));
    if (me == 0) {
        co_await weir::yield_now();
        static_cast<void>(s.event.set(1));
        co_await weir::yield_now();
        s.stop.cancel();
    }
    static_cast<void>(co_await s.event.wait());
    co_await s.stop.cancelled();
    static_cast<void>(co_await s.meet.wait());
    s.counted += allocations.load() - before;
}

}  // namespace

TEST_SUITE("alloc locks") {
    TEST_CASE("no wait allocates") {
        weir::current_thread_runtime rt;
        shared s;
        rt.block_on([](shared& all) -> weir::task<> {
            auto a = weir::spawn(take_part(all, 0));
            auto b = weir::spawn(take_part(all, 1));
            auto c = weir::spawn(take_part(all, 2));
            co_await a;
            co_await b;
            co_await c;
        }(s));
        CHECK(s.counted == 0);
        CHECK(s.lock.get_mut() == 0);
    }

    TEST_CASE("a token is one allocation, and its copies are none") {
        const long before = allocations.load();
        const weir::cancellation_token token;
        CHECK(allocations.load() - before == 1);
        const auto copy = token;
        CHECK(allocations.load() - before == 1);
        const auto child = copy.child_token();
        CHECK(allocations.load() - before == 2);
    }
}
