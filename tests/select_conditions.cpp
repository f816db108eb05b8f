// weir/select.hpp: branches that are switched off, and otherwise.

#include <doctest/doctest.h>
#include <optional>
#include <stdexcept>
#include <string>
#include <variant>

#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<int> counts_start(int& started, int value) {
    ++started;
    co_return value;
}

weir::task<> never() {
    for (;;) co_await weir::yield_now();
}

}  // namespace

TEST_SUITE("select conditions") {
    TEST_CASE_TEMPLATE("a branch whose condition is false is never started", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 20; ++i) {
                int off = 0;
                int on = 0;
                auto v = co_await weir::select(weir::when(false, counts_start(off, 1)),
                                               weir::when(true, counts_start(on, 2)));
                REQUIRE(v.index() == 1);
                CHECK(std::get<1>(v) == 2);
                CHECK(off == 0);
                CHECK(on == 1);
            }
        }());
    }

    TEST_CASE_TEMPLATE("otherwise runs when every branch is switched off", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int started = 0;
            auto v = co_await weir::select(weir::when(false, counts_start(started, 1)),
                                           weir::when(false, never()), weir::otherwise);
            CHECK(v.index() == 2);
            CHECK(started == 0);

            auto w = co_await weir::select(weir::when(true, counts_start(started, 1)),
                                           weir::otherwise);
            CHECK(w.index() == 0);
            CHECK(started == 1);
        }());
    }

    TEST_CASE_TEMPLATE("without otherwise, every branch switched off is a logic error", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            bool refused = false;
            try {
                auto v = co_await weir::select(weir::when(false, never()),
                                               weir::when(false, never()));
                static_cast<void>(v);
            } catch (const std::logic_error& e) {
                refused = std::string(e.what()).size() > 10;
            }
            CHECK(refused);
        }());
    }

    TEST_CASE_TEMPLATE("conditions let a loop finish its branches one by one", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(4);
            auto [tx2, rx2] = weir::mpsc::channel<int>(4);
            for (int i = 0; i < 4; ++i) CHECK(tx.try_send(1).has_value());
            for (int i = 0; i < 2; ++i) CHECK(tx2.try_send(10).has_value());
            { auto gone = std::move(tx); }
            { auto gone = std::move(tx2); }
            bool open = true;
            bool open2 = true;
            int sum = 0;
            for (;;) {
                auto v = co_await weir::select(weir::when(open, rx.recv()),
                                               weir::when(open2, rx2.recv()), weir::otherwise);
                if (v.index() == 2) break;
                auto& value = v.index() == 0 ? std::get<0>(v) : std::get<1>(v);
                if (value) {
                    sum += *value;
                } else {
                    (v.index() == 0 ? open : open2) = false;
                }
            }
            CHECK(sum == 24);
        }());
    }
}
