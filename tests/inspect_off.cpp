// weir/inspect.hpp where WEIR_NO_INSPECT is defined: tasks are listed, and nothing else is kept.
//
// This file has a weir of its own, in another inline namespace. So it includes no helper that the
// other tests share.

#define WEIR_NO_INSPECT

#include <doctest/doctest.h>

#include <weir/inspect.hpp>
#include <weir/mutex.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

namespace {

weir::task<> locks_twice(weir::mutex<int>& m) {
    auto one = co_await m.lock();
    auto two = co_await m.lock();
}
weir::task<> yields_once() { co_await weir::yield_now(); }

}  // namespace

// The lock does not know its holder.
static_assert(sizeof(weir::detail::raw_mutex) == 2 * sizeof(void*) + sizeof(void*));

TEST_SUITE("inspect_off") {
    TEST_CASE("without what a dump needs, it still lists the tasks") {
        weir::mutex<int> m(0);
        weir::current_thread_runtime rt;
        auto h = rt.spawn(locks_twice(m));
        rt.block_on(yields_once());
        const weir::runtime_dump d = rt.dump();
        REQUIRE(d.tasks.size() == 1);
        CHECK(d.tasks[0].id == h.id());
        CHECK(d.tasks[0].spawned_at.line() != 0);
        CHECK(d.tasks[0].resumes == 0);
        CHECK(d.tasks[0].waits.empty());
        CHECK(d.deadlocks.empty());
        h.abort();
    }
}
