// Plain threads wait in every operation there is, and threads that run tasks refuse to block.

#include <doctest/doctest.h>
#include <string>
#include <thread>

#include <weir/runtime.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"
#include "common/waiting_table.hpp"

using namespace weir_test;

namespace {

// The thread may come to wait before or after what ends its wait: both are tried.
template <class Form>
void end_the_wait_of(Form form, waiting& w) {
    std::thread waits(form);
    std::this_thread::yield();
    w.fire();
    waits.join();
}

}  // namespace

TEST_SUITE("threads") {
    TEST_CASE("a thread waits in every operation, with a runtime of its own") {
        watchdog dog;
        for (const waiting_row& row : every_wait()) {
            CAPTURE(row.name);
            for (int i = 0; i < 20; ++i) {
                const auto w = row.make();
                end_the_wait_of(w->as_thread(), *w);
            }
        }
    }

    TEST_CASE("a thread blocks in every operation that has a blocking form, without a runtime") {
        watchdog dog;
        int forms = 0;
        for (const waiting_row& row : every_wait()) {
            CAPTURE(row.name);
            for (int i = 0; i < 20; ++i) {
                const auto w = row.make();
                const auto form = w->blocking();
                if (!form) break;
                if (i == 0) ++forms;
                end_the_wait_of(form, *w);
            }
        }
        CHECK(forms == 21);
    }

    TEST_CASE_TEMPLATE("no blocking form blocks a thread that runs tasks", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const waiting_row& row : every_wait()) {
                CAPTURE(row.name);
                const auto w = row.make();
                const auto form = w->blocking();
                if (form) CHECK_THROWS_AS(form(), weir::blocking_in_async_error);
            }
            co_return;
        }());
    }

    TEST_CASE_TEMPLATE("nor in a spawned task, where it says what to write", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            co_await weir::spawn([]() -> weir::task<> {
                for (const waiting_row& row : every_wait()) {
                    CAPTURE(row.name);
                    const auto w = row.make();
                    const auto form = w->blocking();
                    if (!form) continue;
                    std::string says;
                    try {
                        form();
                    } catch (const weir::blocking_in_async_error& e) {
                        says = e.what();
                    }
                    CHECK(says.find("co_await") != std::string::npos);
                }
                co_return;
            });
        }());
    }
}
