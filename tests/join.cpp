// weir/join.hpp: branches that run concurrently on the task that awaits them.

#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <tuple>
#include <type_traits>
#include <variant>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

template <class T>
weir::task<T> after_yields(int n, T value) {
    for (int i = 0; i < n; ++i) co_await weir::yield_now();
    co_return value;
}

weir::task<> yields(int n) {
    for (int i = 0; i < n; ++i) co_await weir::yield_now();
}

weir::task<int> throws_after(int n) {
    co_await yields(n);
    throw std::runtime_error("branch");
}

weir::task<> holds_for_ever(counted) {
    for (;;) co_await weir::yield_now();
}

}  // namespace

TEST_SUITE("join") {
    TEST_CASE_TEMPLATE("join waits for all and returns the values in argument order", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto r = co_await weir::join(after_yields(5, 1), after_yields<std::string>(0, "two"),
                                         after_yields(2, 3.5));
            static_assert(std::is_same_v<decltype(r), std::tuple<int, std::string, double>>);
            CHECK(std::get<0>(r) == 1);
            CHECK(std::get<1>(r) == "two");
            CHECK(std::get<2>(r) == 3.5);
        }());
    }

    TEST_CASE_TEMPLATE("a branch without a value gives monostate", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto r = co_await weir::join(yields(1), after_yields(1, 2));
            static_assert(std::is_same_v<decltype(r), std::tuple<std::monostate, int>>);
            CHECK(std::get<1>(r) == 2);
        }());
    }

    TEST_CASE_TEMPLATE("move-only values pass", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto r = co_await weir::join(after_yields(1, std::make_unique<int>(1)), yields(2));
            CHECK(*std::get<0>(r) == 1);
        }());
    }

    TEST_CASE_TEMPLATE("branches wait for each other", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            auto [back_tx, back_rx] = weir::oneshot::channel<int>();
            auto asks = [](weir::oneshot::sender<int> t,
                           weir::oneshot::receiver<int> r) -> weir::task<int> {
                CHECK(t.send(20).has_value());
                auto reply = co_await r;
                co_return *reply;
            };
            auto answers = [](weir::oneshot::receiver<int> r,
                              weir::oneshot::sender<int> t) -> weir::task<> {
                auto question = co_await r;
                CHECK(t.send(*question + 1).has_value());
            };
            auto a = asks(std::move(tx), std::move(back_rx));
            auto b = answers(std::move(rx), std::move(back_tx));
            auto r = co_await weir::join(std::move(a), std::move(b));
            CHECK(std::get<0>(r) == 21);
        }());
    }

    TEST_CASE_TEMPLATE("branches are never in parallel and may share plain data", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int shared = 0;
            auto adds = [](int& n) -> weir::task<> {
                for (int i = 0; i < 1000; ++i) {
                    ++n;
                    if (i % 10 == 0) co_await weir::yield_now();
                }
            };
            co_await weir::join(adds(shared), adds(shared), adds(shared), adds(shared));
            CHECK(shared == 4000);
        }());
    }

    TEST_CASE_TEMPLATE("joins nest", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto inner = []() -> weir::task<int> {
                auto r = co_await weir::join(after_yields(1, 1), after_yields(2, 2));
                co_return std::get<0>(r) + std::get<1>(r);
            };
            auto r = co_await weir::join(inner(), weir::join(inner(), after_yields(0, 4)));
            CHECK(std::get<0>(r) == 3);
            CHECK(std::get<0>(std::get<1>(r)) == 3);
            CHECK(std::get<1>(std::get<1>(r)) == 4);
        }());
    }

    TEST_CASE_TEMPLATE("branches may be operations and handles", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            auto h = weir::spawn(after_yields(3, 5));
            auto r = co_await weir::join(tx.send(1), rx.recv(), h, weir::yield_now());
            CHECK(std::get<0>(r).has_value());
            CHECK(std::get<1>(r) == 1);
            CHECK(std::get<2>(r) == 5);
        }());
    }

    TEST_CASE_TEMPLATE("the first exception destroys the other branches and travels on", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            bool caught = false;
            try {
                co_await weir::join(holds_for_ever(counted(book)), throws_after(3),
                                    holds_for_ever(counted(book)));
            } catch (const std::runtime_error&) {
                caught = true;
                CHECK(book.live() == 0);
            }
            CHECK(caught);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("an exception before any suspension destroys the other branches too", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            bool caught = false;
            try {
                co_await weir::join(throws_after(0), holds_for_ever(counted(book)));
            } catch (const std::runtime_error&) {
                caught = true;
            }
            CHECK(caught);
            CHECK(book.live() == 0);
        }(l));
    }

    TEST_CASE_TEMPLATE("aborting a task destroys the branches of its join", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto p = co_await start(weir::join(holds_for_ever(counted(book)),
                                               holds_for_ever(counted(book)), yields(1)));
            CHECK_WAITS(p);
            CHECK(book.live() == 2);
            co_await p.abort();
            CHECK(book.live() == 0);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a join that is never awaited starts nothing", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        { auto never = weir::join(holds_for_ever(counted(l)), yields(1)); }
        CHECK(l.made == 1);
        CHECK(l.objects == 0);
    }
}
