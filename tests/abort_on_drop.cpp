// weir/abort_on_drop.hpp

#include <doctest/doctest.h>
#include <optional>
#include <stdexcept>
#include <utility>

#include <weir/abort_on_drop.hpp>
#include <weir/select.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<int> holds_and_waits(counted) {
    for (;;) co_await weir::yield_now();
}

weir::task<int> number_after(int turns, int n) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    co_return n;
}

}  // namespace

TEST_SUITE("abort_on_drop") {
    TEST_CASE_TEMPLATE("the task is aborted at the end of the scope, by an exception too", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            std::optional<weir::abort_handle> watch;
            {
                weir::abort_on_drop h(weir::spawn(holds_and_waits(counted(book))));
                watch = h.get_abort_handle();
                co_await settle();
                CHECK_FALSE(h.is_finished());
                CHECK(h.id() == watch->id());
            }
            const bool gone = co_await until([&] { return watch->is_finished(); });
            CHECK(gone);
            try {
                weir::abort_on_drop h(weir::spawn(holds_and_waits(counted(book))));
                watch = h.get_abort_handle();
                throw std::runtime_error("leaves the scope");
            } catch (const std::runtime_error&) {
            }
            const bool gone_too = co_await until([&] { return watch->is_finished(); });
            CHECK(gone_too);
            CHECK(book.live() == 0);
        }(l));
    }

    TEST_CASE_TEMPLATE("after detach or release the task goes on", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::optional<weir::join_handle<int>> released;
            std::optional<weir::abort_handle> detached;
            {
                weir::abort_on_drop one(weir::spawn(number_after(5, 1)));
                weir::abort_on_drop two(weir::spawn(number_after(5, 2)));
                detached = two.get_abort_handle();
                released.emplace(std::move(one).release());
                std::move(two).detach();
            }
            const int n = co_await *released;
            CHECK(n == 1);
            const bool ended = co_await until([&] { return detached->is_finished(); });
            CHECK(ended);
        }());
    }

    TEST_CASE_TEMPLATE("it is awaited like a join handle, and survives a lost race", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::abort_on_drop h(weir::spawn(number_after(40, 3)));
            auto lost = co_await weir::select(weir::biased, h, weir::yield_now());
            CHECK(lost.index() == 1);
            const int n = co_await h;
            CHECK(n == 3);
            weir::abort_on_drop aborted(weir::spawn(number_after(1 << 20, 4)));
            aborted.abort();
            auto r = co_await aborted.result();
            CHECK(r.error().is_cancelled());
        }());
    }

    TEST_CASE_TEMPLATE("assigning it aborts the task that it held", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            weir::abort_on_drop h(weir::spawn(holds_and_waits(counted(book))));
            const auto first = h.get_abort_handle();
            h = weir::abort_on_drop(weir::spawn(number_after(1, 5)));
            const bool gone = co_await until([&] { return first.is_finished(); });
            CHECK(gone);
            CHECK(book.live() == 0);
            weir::abort_on_drop moved(std::move(h));
            const int n = co_await moved;
            CHECK(n == 5);
        }(l));
    }
}
