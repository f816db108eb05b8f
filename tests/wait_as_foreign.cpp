// Coroutines that are not weir's wait in every operation there is.

#include <doctest/doctest.h>
#include <vector>

#include "common/awaiting.hpp"
#include "common/waiting_rows.hpp"
#include "common/waiting_table.hpp"

using namespace weir_test;

// The table is made here, for the other files too.
const std::vector<waiting_row>& weir_test::every_wait() { return make_every_wait(); }

TEST_SUITE("foreign coroutines") {
    TEST_CASE("one goes on inside the call that ends its wait, in every operation") {
        for (const waiting_row& row : every_wait()) {
            CAPTURE(row.name);
            const auto w = row.make();
            auto waits = w->as_foreign();
            CHECK_FALSE(waits.done());
            w->fire();
            REQUIRE(waits.done());
            CHECK_NOTHROW(waits.value());
        }
    }

    TEST_CASE("one that is destroyed while it waits leaves its place to the next") {
        for (const waiting_row& row : every_wait()) {
            CAPTURE(row.name);
            const auto w = row.make();
            w->as_foreign().cancel();
            if (!row.again) {
                w->fire();
                continue;
            }
            auto next = w->as_foreign();
            CHECK_FALSE(next.done());
            w->fire();
            REQUIRE(next.done());
            CHECK_NOTHROW(next.value());
        }
    }

    TEST_CASE("one that waits in a task of weir goes on, or is destroyed, with it") {
        for (const waiting_row& row : every_wait()) {
            CAPTURE(row.name);
            const auto w = row.make();
            auto waits = start_foreign(w->as_task());
            CHECK_FALSE(waits.done());
            w->fire();
            REQUIRE(waits.done());
            CHECK_NOTHROW(waits.value());
            const auto destroyed = row.make();
            start_foreign(destroyed->as_task()).cancel();
            destroyed->fire();
        }
    }
}
