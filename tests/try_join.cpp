// weir/join.hpp: try_join ends at the first error.

#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <variant>

#include <weir/expected.hpp>
#include <weir/join.hpp>
#include <weir/notify.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

template <class T>
using result = weir::expected<T, std::string>;

template <class T>
weir::task<result<T>> succeeds(int turns, T value) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    co_return result<T>(std::move(value));
}

weir::task<result<void>> succeeds_without_value() {
    co_await weir::yield_now();
    co_return result<void>();
}

weir::task<result<int>> fails(int turns, std::string why) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    co_return weir::unexpected<std::string>(std::move(why));
}

weir::task<result<int>> holds_and_waits(counted) {
    for (;;) co_await weir::yield_now();
}

weir::task<result<int>> throws_in_time() {
    co_await weir::yield_now();
    throw std::runtime_error("no result at all");
}

}  // namespace

TEST_SUITE("try_join") {
    TEST_CASE_TEMPLATE("try_join of branches that all succeed yields the values in order", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto r = co_await weir::try_join(succeeds(3, 1), succeeds(0, std::make_unique<int>(2)),
                                             succeeds_without_value(), succeeds(1, 4));
            REQUIRE(r.has_value());
            CHECK(std::get<0>(*r) == 1);
            CHECK(*std::get<1>(*r) == 2);
            CHECK(std::get<2>(*r) == std::monostate());
            CHECK(std::get<3>(*r) == 4);
        }());
    }

    TEST_CASE_TEMPLATE("the first error in time ends the others, which are destroyed by then", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto r = co_await weir::try_join(holds_and_waits(counted(book)), fails(9, "late"),
                                             fails(2, "first"), succeeds(0, 1),
                                             holds_and_waits(counted(book)));
            REQUIRE_FALSE(r.has_value());
            CHECK(r.error() == "first");
            CHECK(book.live() == 0);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("an error that is there at once keeps the rest from being started", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int started = 0;
            const auto counts = [](int& n) -> weir::task<result<int>> {
                ++n;
                co_return 1;
            };
            auto r = co_await weir::try_join(fails(0, "at once"), counts(started));
            CHECK(r.error() == "at once");
            CHECK(started == 0);
        }());
    }

    TEST_CASE_TEMPLATE("an exception ends the others too, and travels on", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            bool threw = false;
            try {
                auto joined = weir::try_join(holds_and_waits(counted(book)), throws_in_time());
                static_cast<void>(co_await std::move(joined));
            } catch (const std::runtime_error&) {
                threw = true;
            }
            CHECK(threw);
            CHECK(book.live() == 0);
        }(l));
    }

    TEST_CASE_TEMPLATE("a hungry branch of a try_join does not starve its sibling", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int n = 0;
            const auto hungry = [](int& done) -> weir::task<result<int>> {
                while (done < 5) co_await weir::this_task::consume_budget();
                co_return 1;
            };
            const auto sibling = [](int& done) -> weir::task<result<int>> {
                for (; done < 5; ++done) co_await weir::yield_now();
                co_return 2;
            };
            auto r = co_await weir::try_join(hungry(n), sibling(n));
            CHECK(r.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("an aborted task destroys the branches of its try_join", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto joined = co_await start([](ledger& b) -> weir::task<> {
                auto both = weir::try_join(holds_and_waits(counted(b)),
                                           holds_and_waits(counted(b)));
                static_cast<void>(co_await std::move(both));
            }(book));
            co_await joined.abort();
            CHECK(book.live() == 0);
        }(l));
    }
}
