// weir/semaphore.hpp: counted permits, fair across all sizes.

#include <atomic>
#include <doctest/doctest.h>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

static_assert(!std::is_copy_constructible_v<weir::semaphore>);

namespace {

// Enters with one permit, and notes how many are inside at once.
weir::task<> visit(weir::semaphore& s, std::atomic<int>& inside, std::atomic<int>& most) {
    auto permit = co_await s.acquire();
    CHECK(permit.has_value());
    const int now = ++inside;
    int seen = most.load();
    while (seen < now && !most.compare_exchange_weak(seen, now)) {
    }
    co_await weir::yield_now();
    --inside;
}

weir::task<> take_and_return(weir::semaphore& s, std::size_t n, int times) {
    for (int i = 0; i < times; ++i) {
        auto permit = co_await s.acquire(n);
        CHECK(permit.has_value());
        co_await weir::yield_now();
    }
}

// Wants permits for as long as another ready task takes to have its turn.
weir::task<> take_or_give_up(weir::semaphore& s, std::size_t n, int times) {
    for (int i = 0; i < times; ++i) {
        auto v = co_await weir::select(s.acquire(n), weir::yield_now());
        if (v.index() == 0) co_await weir::yield_now();
    }
}

}  // namespace

TEST_SUITE("semaphore") {
    TEST_CASE_TEMPLATE("acquire takes a free permit at once and gives it back when dropped", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(3);
            {
                auto a = co_await s.acquire();
                auto b = co_await s.acquire(2);
                CHECK(a.has_value());
                CHECK(b.has_value());
                CHECK(s.available_permits() == 0);
                CHECK_FALSE(s.try_acquire().has_value());
            }
            CHECK(s.available_permits() == 3);
        }());
    }

    TEST_CASE_TEMPLATE("without permits acquire waits until some are added", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(0);
            auto waiting = co_await start(s.acquire());
            CHECK_WAITS(waiting);
            s.add_permits(1);
            REQUIRE_COMPLETES(waiting);
            auto permit = co_await waiting.handle;
            CHECK(permit.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("acquire of no permits completes at once", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(0);
            auto none = co_await s.acquire(0);
            CHECK(none.has_value());
            CHECK(s.try_acquire(0).has_value());
        }());
    }

    TEST_CASE_TEMPLATE("a big request at the head holds small ones up", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(2);
            auto big = co_await start(s.acquire(4));
            auto small = co_await start(s.acquire(1));
            CHECK_WAITS(big);
            CHECK_WAITS(small);
            CHECK_FALSE(s.try_acquire().has_value());
            s.add_permits(2);
            CHECK_COMPLETES(big);
            CHECK_WAITS(small);
            s.add_permits(1);
            REQUIRE_COMPLETES(small);
        }());
    }

    TEST_CASE_TEMPLATE("try_acquire does not overtake one that waits", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(0);
            auto waiting = co_await start(s.acquire());
            s.add_permits(1);
            CHECK_FALSE(s.try_acquire().has_value());
            REQUIRE_COMPLETES(waiting);
        }());
    }

    TEST_CASE_TEMPLATE("cancelling a request that was filled in part returns its permits", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(10);
            auto four = co_await s.acquire(4);
            auto eight = co_await start(s.acquire(8));
            CHECK_WAITS(eight);
            CHECK(s.available_permits() == 0);
            auto behind = co_await start(s.acquire(6));
            CHECK_WAITS(behind);
            co_await eight.abort();
            REQUIRE_COMPLETES(behind);
            { auto six = co_await std::move(behind.handle); }
            CHECK(s.available_permits() == 6);
            {
                auto gone = std::move(four);
            }
            CHECK(s.available_permits() == 10);
        }());
    }

    TEST_CASE_TEMPLATE("a request cancelled after it was granted passes its permits on", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(0);
            auto granted = co_await start(s.acquire(2));
            auto next = co_await start(s.acquire(1));
            s.add_permits(2);
            co_await granted.abort();  // before the task had a turn
            REQUIRE_COMPLETES(next);
            { auto permit = co_await std::move(next.handle); }
            CHECK(s.available_permits() == 2);
        }());
    }

    TEST_CASE("a forgotten permit does not come back") {
        weir::semaphore s(3);
        {
            auto p = s.try_acquire(2);
            REQUIRE(p.has_value());
            p->forget();
        }
        CHECK(s.available_permits() == 1);
        CHECK(s.forget_permits(5) == 1);
        CHECK(s.available_permits() == 0);
        s.add_permits(4);
        CHECK(s.forget_permits(1) == 1);
        CHECK(s.available_permits() == 3);
    }

    TEST_CASE("a permit splits and merges, and everything comes back") {
        weir::semaphore s(5);
        {
            auto p = s.try_acquire(5);
            REQUIRE(p.has_value());
            CHECK(p->size() == 5);
            auto two = p->split(2);
            REQUIRE(two.has_value());
            CHECK(two->size() == 2);
            CHECK(p->size() == 3);
            CHECK_FALSE(p->split(4).has_value());
            CHECK(p->split(0).has_value());
            { auto gone = std::move(*two); }
            CHECK(s.available_permits() == 2);
            auto more = s.try_acquire(1);
            REQUIRE(more.has_value());
            p->merge(std::move(*more));
            CHECK(p->size() == 4);
        }
        CHECK(s.available_permits() == 5);
    }

    TEST_CASE("permits of different semaphores do not merge") {
        weir::semaphore a(1);
        weir::semaphore b(1);
        auto pa = a.try_acquire();
        auto pb = b.try_acquire();
        CHECK_THROWS_AS(pa->merge(std::move(*pb)), std::logic_error);
    }

    TEST_CASE("more permits than can be counted are refused") {
        constexpr auto too_many = std::numeric_limits<std::size_t>::max();
        CHECK_THROWS_AS(weir::semaphore{too_many}, std::logic_error);
        weir::semaphore s(1);
        CHECK_THROWS_AS(s.add_permits(too_many), std::logic_error);
        CHECK(s.available_permits() == 1);
    }

    TEST_CASE_TEMPLATE("close fails who waits and who comes, and permits still return", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(2);
            {
                auto held = co_await s.acquire(2);
                CHECK_FALSE(s.is_closed());
                auto a = co_await start(s.acquire());
                auto b = co_await start(s.acquire(2));
                s.close();
                CHECK(s.is_closed());
                REQUIRE_COMPLETES(a);
                REQUIRE_COMPLETES(b);
                auto ra = co_await a.handle;
                auto rb = co_await b.handle;
                CHECK_FALSE(ra.has_value());
                CHECK_FALSE(rb.has_value());
            }
            CHECK(s.available_permits() == 2);
            auto late = co_await s.acquire();
            CHECK_FALSE(late.has_value());
            CHECK_FALSE(s.try_acquire().has_value());
        }());
    }

    TEST_CASE_TEMPLATE("a thousand tasks over five permits are never more than five inside", R,
                       WEIR_RUNTIMES) {
        R rt;
        weir::semaphore s(5);
        std::atomic<int> inside{0};
        std::atomic<int> most{0};
        rt.block_on([](weir::semaphore& sem, std::atomic<int>& in,
                       std::atomic<int>& top) -> weir::task<> {
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 1000; ++i) tasks.push_back(weir::spawn(visit(sem, in, top)));
            for (auto& t : tasks) co_await t;
        }(s, inside, most));
        CHECK(most <= 5);
        CHECK(s.available_permits() == 5);
    }

    TEST_CASE_TEMPLATE("requests of mixed sizes leave every permit where it was", R,
                       WEIR_RUNTIMES) {
        R rt;
        weir::semaphore s(10);
        rt.block_on([](weir::semaphore& sem) -> weir::task<> {
            auto a = weir::spawn(take_and_return(sem, 4, 100));
            auto b = weir::spawn(take_and_return(sem, 10, 100));
            auto c = weir::spawn(take_and_return(sem, 8, 100));
            co_await a;
            co_await b;
            co_await c;
        }(s));
        CHECK(s.available_permits() == 10);
    }

    TEST_CASE_TEMPLATE("requests that give up while permits come back leave none behind", R,
                       WEIR_RUNTIMES) {
        R rt;
        weir::semaphore s(10);
        rt.block_on([](weir::semaphore& sem) -> weir::task<> {
            std::vector<weir::join_handle<void>> tasks;
            for (std::size_t i = 0; i < 8; ++i)
                tasks.push_back(weir::spawn(take_or_give_up(sem, 3 + i % 8, 200)));
            for (auto& t : tasks) co_await t;
            auto all = co_await sem.acquire(10);
            CHECK(all.has_value());
        }(s));
        CHECK(s.available_permits() == 10);
    }

    TEST_CASE_TEMPLATE("a permit in a task returns when the task ends or is aborted", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(1);
            auto p = co_await s.acquire();
            using result = decltype(p);
            auto holder = weir::spawn([](result) -> weir::task<> {
                for (;;) co_await weir::yield_now();
            }(std::move(p)));
            co_await settle();
            CHECK(s.available_permits() == 0);
            holder.abort();
            static_cast<void>(co_await holder.result());
            CHECK(s.available_permits() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("an owned permit keeps its semaphore alive inside a task", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto s = std::make_shared<weir::semaphore>(2);
            std::weak_ptr<weir::semaphore> watch = s;
            auto p = co_await weir::semaphore::acquire_owned(s, 2);
            REQUIRE(p.has_value());
            CHECK_FALSE(weir::semaphore::try_acquire_owned(s).has_value());
            s.reset();
            CHECK_FALSE(watch.expired());
            auto h = weir::spawn([](decltype(p)) -> weir::task<> {
                co_await weir::yield_now();
            }(std::move(p)));
            co_await h;
            CHECK(watch.expired());
        }());
    }

    TEST_CASE("a coroutine that is not ours acquires") {
        weir::semaphore s(0);
        auto cancelled = start_foreign(s.acquire(2));
        auto waiting = start_foreign(s.acquire());
        CHECK_FALSE(waiting.done());
        s.add_permits(1);
        CHECK_FALSE(waiting.done());
        cancelled.cancel();
        REQUIRE(waiting.done());
        CHECK(waiting.value().has_value());
    }
}
