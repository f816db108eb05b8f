// weir/unconstrained.hpp

#include <doctest/doctest.h>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/unconstrained.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<> consume(int n) {
    for (int i = 0; i < n; ++i) co_await weir::this_task::consume_budget();
}

weir::task<> count_turns(int& turns) {
    for (;; ++turns) co_await weir::yield_now();
}

weir::task<> holds_and_waits(counted) { co_await weir::sleep_for(1h); }

}  // namespace

TEST_SUITE("unconstrained") {
    TEST_CASE_TEMPLATE("ready operations inside never yield", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int turns = 0;
            auto other = weir::spawn(count_turns(turns));
            co_await weir::yield_now();
            const int before = turns;
            co_await weir::unconstrained(consume(1000));
            CHECK(turns == before);
            other.abort();
        }());
    }

    TEST_CASE_TEMPLATE("the caller's budget is as it was before", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int turns = 0;
            auto other = weir::spawn(count_turns(turns));
            co_await weir::yield_now();
            const int before = turns;
            co_await consume(100);
            co_await weir::unconstrained(consume(1000));
            co_await consume(28);
            CHECK(turns == before);
            co_await consume(1);
            CHECK(turns == before + 1);
            other.abort();
        }());
    }

    TEST_CASE_TEMPLATE("there is no budget inside after a suspension either", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto body = [](int& turns) -> weir::task<> {
                for (int i = 0; i < 3; ++i) {
                    co_await weir::yield_now();
                    const int before = turns;
                    co_await consume(500);
                    CHECK(turns == before);
                }
            };
            int turns = 0;
            auto other = weir::spawn(count_turns(turns));
            co_await weir::unconstrained(body(turns));
            CHECK(turns >= 2);
            other.abort();
        }());
    }

    TEST_CASE_TEMPLATE("results, exceptions and waits pass through", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(2);
            auto sends = [](weir::mpsc::sender<int> out) -> weir::task<> {
                for (int i = 0; i < 500; ++i) static_cast<void>(co_await out.send(1));
            };
            auto sums = [](weir::mpsc::receiver<int> in) -> weir::task<int> {
                int sum = 0;
                while (auto n = co_await in.recv()) sum += *n;
                co_return sum;
            };
            auto h = weir::spawn(sends(std::move(tx)));
            const int sum = co_await weir::unconstrained(sums(std::move(rx)));
            CHECK(sum == 500);
            co_await h;
            auto fails = []() -> weir::task<> {
                co_await weir::yield_now();
                throw std::runtime_error("from inside");
            };
            std::string text;
            try {
                co_await weir::unconstrained(fails());
            } catch (const std::runtime_error& e) {
                text = e.what();
            }
            CHECK(text == "from inside");
            co_await weir::unconstrained(weir::sleep_for(1ms));
        }());
    }

    TEST_CASE_TEMPLATE("what waits inside is cancelled with the operation", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            for (int i = 0; i < 20; ++i) {
                auto r = co_await weir::select(weir::unconstrained(holds_and_waits(counted(l))),
                                               weir::yield_now());
                CHECK(r.index() == 1);
                CHECK(l.live() == 0);
            }
            auto nested = weir::unconstrained(weir::unconstrained(consume(300)));
            co_await weir::join(std::move(nested), consume(300));
        }());
    }
}
