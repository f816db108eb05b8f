// weir/barrier.hpp: tasks that wait for each other, round after round.

#include <atomic>
#include <doctest/doctest.h>
#include <thread>
#include <vector>

#include <weir/barrier.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

static_assert(weir::cancel_safety_v<decltype(std::declval<weir::barrier&>().wait())> ==
              weir::cancel_safety::loses_data);

namespace {

// Goes through the rounds, and checks that everybody has arrived whenever it is let through.
weir::task<int> rounds(weir::barrier& b, std::atomic<int>& arrivals, int tasks, int count) {
    int led = 0;
    for (int round = 1; round <= count; ++round) {
        ++arrivals;
        const bool leads = co_await b.wait();
        if (arrivals.load() < round * tasks) led += 1000;  // let through too early
        led += leads ? 1 : 0;
    }
    co_return led;
}

}  // namespace

TEST_SUITE("barrier") {
    TEST_CASE_TEMPLATE("a barrier for one or for nobody does not wait", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::barrier one(1);
            weir::barrier none(0);
            for (int i = 0; i < 300; ++i) {  // also past the budget of a turn
                const bool leads_one = co_await one.wait();
                const bool leads_none = co_await none.wait();
                REQUIRE(leads_one);
                REQUIRE(leads_none);
            }
        }());
    }

    TEST_CASE_TEMPLATE("the second of two releases both, and one of them leads", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::barrier b(2);
            auto first = co_await start(b.wait());
            CHECK_WAITS(first);
            const bool second_leads = co_await b.wait();
            CHECK(second_leads);
            REQUIRE_COMPLETES(first);
            const bool first_leads = co_await first.handle;
            CHECK_FALSE(first_leads);
        }());
    }

    TEST_CASE_TEMPLATE("it is used again and again, with one leader a round", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::barrier b(5);
            std::atomic<int> arrivals{0};
            std::vector<weir::join_handle<int>> tasks;
            for (int i = 0; i < 5; ++i) tasks.push_back(weir::spawn(rounds(b, arrivals, 5, 200)));
            int led = 0;
            for (auto& t : tasks) led += co_await t;
            CHECK(led == 200);
        }());
    }

    TEST_CASE_TEMPLATE("who is cancelled while it waits has arrived all the same", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::barrier b(3);
            auto gone = co_await start(b.wait());
            co_await gone.abort();
            auto waits = co_await start(b.wait());
            CHECK_WAITS(waits);
            const bool leads = co_await b.wait();
            CHECK(leads);
            REQUIRE_COMPLETES(waits);
            auto next_round = co_await start(b.wait());
            CHECK_WAITS(next_round);
            co_await next_round.abort();
        }());
    }

    TEST_CASE_TEMPLATE("lossy lets a wait take part in a race", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::barrier b(2);
            auto v = co_await weir::select(weir::lossy(b.wait()), weir::yield_now());
            CHECK(v.index() == 1);
            const bool leads = co_await b.wait();
            CHECK(leads);
        }());
    }

    TEST_CASE("threads, a task and a coroutine that is not ours wait for each other") {
        rt_current_thread rt;
        weir::barrier b(4);
        std::atomic<int> led{0};
        auto foreign = start_foreign(b.wait());
        const auto wait = [&] { led += b.blocking_wait() ? 1 : 0; };
        std::thread one(wait);
        std::thread two(wait);
        const bool leads = rt.block_on(b.wait());
        one.join();
        two.join();
        const bool done = rt.block_on(until([&] { return foreign.done(); }));
        REQUIRE(done);
        CHECK(led + (leads ? 1 : 0) + (foreign.value() ? 1 : 0) == 1);
    }

    TEST_CASE_TEMPLATE("blocking_wait refuses to block a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::barrier b(1);
            CHECK_THROWS_AS(static_cast<void>(b.blocking_wait()), weir::blocking_in_async_error);
            co_return;
        }());
    }
}
