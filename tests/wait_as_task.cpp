// Tasks wait in every operation there is, on every runtime.
// Names are told by messages: doctest's CAPTURE belongs to a thread, and a task changes threads.

#include <doctest/doctest.h>

#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"
#include "common/waiting_table.hpp"

using namespace weir_test;

TEST_SUITE("tasks") {
    TEST_CASE_TEMPLATE("a task waits in every operation until its wait is ended", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const waiting_row& row : every_wait()) {
                const auto w = row.make();
                auto p = co_await start(w->as_task());
                const bool waits = co_await p.waits();
                CHECK_MESSAGE(waits, row.name);
                w->fire();
                const bool ended = co_await p.completes();
                REQUIRE_MESSAGE(ended, row.name);
                co_await p.handle;
            }
        }());
    }

    TEST_CASE_TEMPLATE("a task that is aborted while it waits leaves its place to the next", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const waiting_row& row : every_wait()) {
                const auto w = row.make();
                auto p = co_await start(w->as_task());
                co_await p.abort();
                if (!row.again) {
                    w->fire();
                    continue;
                }
                auto next = co_await start(w->as_task());
                const bool waits = co_await next.waits();
                CHECK_MESSAGE(waits, row.name);
                w->fire();
                const bool ended = co_await next.completes();
                REQUIRE_MESSAGE(ended, row.name);
                co_await next.handle;
            }
        }());
    }

    TEST_CASE_TEMPLATE("a branch that loses a race leaves its place to the next", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const waiting_row& row : every_wait()) {
                if (!row.again) continue;
                const auto w = row.make();
                for (int i = 0; i < 3; ++i) {
                    auto lost = co_await weir::select(w->as_task(), weir::yield_now());
                    CHECK_MESSAGE(lost.index() == 1, row.name);
                }
                auto next = co_await start(w->as_task());
                w->fire();
                const bool ended = co_await next.completes();
                REQUIRE_MESSAGE(ended, row.name);
                co_await next.handle;
            }
        }());
    }

    TEST_CASE_TEMPLATE("a wait that ends while its task is aborted ends once", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const waiting_row& row : every_wait()) {
                for (int i = 0; i < 10; ++i) {
                    const auto w = row.make();
                    auto gives_up = co_await start(w->as_task());
                    w->fire();
                    gives_up.handle.abort();
                    auto r = co_await gives_up.handle.result();
                    const bool once = r.has_value() || r.error().is_cancelled();
                    CHECK_MESSAGE(once, row.name);
                }
            }
        }());
    }
}
