// weir/rwlock.hpp: one queue for readers and writers, downgrades, guards of parts.

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/rwlock.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

static_assert(!std::is_copy_constructible_v<weir::rwlock<int>>);
static_assert(!std::is_move_constructible_v<weir::rwlock<int>>);
static_assert(sizeof(weir::rwlock_read_guard<int>) <= 16);
static_assert(sizeof(weir::rwlock_write_guard<std::string>) <= 16);

namespace {

constinit weir::rwlock<int> in_static_memory(7);

weir::task<> append(weir::rwlock<std::vector<int>>& l, int n) {
    auto g = co_await l.write();
    g->push_back(n);
    co_await weir::yield_now();
}

// Many writers that await inside of their section, and readers that must never see half of it.
weir::task<> write_pairs(weir::rwlock<std::pair<int, int>>& l, int times) {
    for (int i = 0; i < times; ++i) {
        auto g = co_await l.write();
        ++g->first;
        co_await weir::yield_now();
        ++g->second;
    }
}
weir::task<> read_pairs(weir::rwlock<std::pair<int, int>>& l, int times, std::atomic<int>& torn) {
    for (int i = 0; i < times; ++i) {
        auto g = co_await l.read();
        const int first = g->first;
        co_await weir::yield_now();
        if (first != g->second) ++torn;
    }
}

weir::task<> throws_inside(weir::rwlock<int>& l) {
    auto g = co_await l.write();
    *g = 9;
    throw std::runtime_error("inside the lock");
}

}  // namespace

TEST_SUITE("rwlock") {
    TEST_CASE_TEMPLATE("many readers at once, and a writer waits for all of them", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(3);
            std::optional a(co_await l.read());
            std::optional b(co_await l.read());
            CHECK(**a + **b == 6);
            auto writer = co_await start(l.write());
            CHECK_WAITS(writer);
            a.reset();
            CHECK_WAITS(writer);
            b.reset();
            REQUIRE_COMPLETES(writer);
        }());
    }

    TEST_CASE_TEMPLATE("a writer keeps readers and writers out", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(0);
            std::optional held(co_await l.write());
            CHECK_FALSE(l.try_read().has_value());
            CHECK_FALSE(l.try_write().has_value());
            auto reader = co_await start(l.read());
            auto writer = co_await start(l.write());
            CHECK_WAITS(reader);
            **held = 4;
            held.reset();
            REQUIRE_COMPLETES(reader);
            CHECK_WAITS(writer);
            {
                auto g = co_await std::move(reader.handle);
                CHECK(*g == 4);
            }
            REQUIRE_COMPLETES(writer);
        }());
    }

    TEST_CASE_TEMPLATE("a reader waits behind a queued writer, until that one is cancelled", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(0);
            auto held = co_await l.read();
            auto writer = co_await start(l.write());
            auto reader = co_await start(l.read());
            CHECK_WAITS(writer);
            CHECK_WAITS(reader);
            CHECK_FALSE(l.try_read().has_value());
            co_await writer.abort();
            REQUIRE_COMPLETES(reader);
            CHECK(l.try_read().has_value());
        }());
    }

    TEST_CASE_TEMPLATE("writers get the lock in the order in which they asked", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<std::vector<int>> l;
            std::optional held(co_await l.read());
            auto a = co_await start(append(l, 1));
            auto b = co_await start(append(l, 2));
            auto c = co_await start(append(l, 3));
            held.reset();
            REQUIRE_COMPLETES(a);
            REQUIRE_COMPLETES(b);
            REQUIRE_COMPLETES(c);
            auto g = co_await l.read();
            CHECK(*g == std::vector<int>{1, 2, 3});
        }());
    }

    TEST_CASE_TEMPLATE("a grant to a cancelled waiter passes on", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(0);
            std::optional held(co_await l.write());
            auto granted = co_await start(l.write());
            auto reader_a = co_await start(l.read());
            auto reader_b = co_await start(l.read());
            held.reset();
            co_await granted.abort();  // before the task had a turn
            REQUIRE_COMPLETES(reader_a);
            REQUIRE_COMPLETES(reader_b);
            auto writer = co_await start(l.write());
            held.reset();
            { auto g = co_await std::move(reader_a.handle); }
            { auto g = co_await std::move(reader_b.handle); }
            REQUIRE_COMPLETES(writer);
        }());
    }

    TEST_CASE_TEMPLATE("no more readers than allowed are inside", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(weir::max_readers(2), 5);
            std::optional a(co_await l.read());
            auto b = co_await l.read();
            CHECK(*b == 5);
            auto third = co_await start(l.read());
            CHECK_WAITS(third);
            CHECK_FALSE(l.try_read().has_value());
            a.reset();
            REQUIRE_COMPLETES(third);
        }());
    }

    TEST_CASE("no readers at all, or too many, are refused") {
        CHECK_THROWS_AS(weir::max_readers{0}, std::invalid_argument);
        CHECK_THROWS_AS(weir::max_readers{UINT32_MAX}, std::invalid_argument);
        const weir::max_readers all(UINT32_MAX >> 3);
        CHECK(all.count() == UINT32_MAX >> 3);
    }

    TEST_CASE_TEMPLATE("an exception unlocks, and the next one sees the data as left", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(0);
            auto h = weir::spawn(throws_inside(l));
            auto failed = co_await h.result();
            CHECK_FALSE(failed.has_value());
            auto g = co_await l.read();
            CHECK(*g == 9);
        }());
    }

    TEST_CASE_TEMPLATE("readers never see half of a write", R, WEIR_RUNTIMES) {
        R rt;
        weir::rwlock<std::pair<int, int>> l(0, 0);
        std::atomic<int> torn{0};
        rt.block_on([](weir::rwlock<std::pair<int, int>>& shared,
                       std::atomic<int>& halves) -> weir::task<> {
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 4; ++i) {
                tasks.push_back(weir::spawn(write_pairs(shared, 50)));
                tasks.push_back(weir::spawn(read_pairs(shared, 50, halves)));
            }
            for (auto& t : tasks) co_await t;
        }(l, torn));
        CHECK(torn == 0);
        CHECK(l.get_mut() == std::pair(200, 200));
    }

    TEST_CASE("it lives in static memory, and gives its data to who has it alone") {
        CHECK(in_static_memory.get_mut() == 7);
        weir::rwlock<std::string> l("data");
        CHECK(std::move(l).into_inner() == "data");
    }

    TEST_CASE_TEMPLATE("a lock without data only locks", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<> l;
            auto w = co_await l.write();
            CHECK_FALSE(l.try_read().has_value());
            auto r = w.downgrade();
            CHECK(l.try_read().has_value());
            CHECK_FALSE(l.try_write().has_value());
        }());
    }
}

TEST_SUITE("rwlock guards") {
    TEST_CASE_TEMPLATE("downgrade lets queued readers in and keeps writers out", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(0);
            auto w = co_await l.write();
            auto reader = co_await start(l.read());
            auto writer = co_await start(l.write());
            auto late = co_await start(l.read());
            *w = 6;
            std::optional r(w.downgrade());
            w.unlock();  // holds nothing any more
            CHECK(**r == 6);
            REQUIRE_COMPLETES(reader);
            CHECK_WAITS(writer);
            CHECK_WAITS(late);
            r.reset();
            { auto g = co_await std::move(reader.handle); }
            REQUIRE_COMPLETES(writer);
            CHECK_WAITS(late);
            co_await late.abort();
        }());
    }

    TEST_CASE("downgrade_map gives a read guard of a part") {
        weir::rwlock<std::pair<int, std::string>> l(1, "part");
        using data = std::pair<int, std::string>;
        {
            auto w = l.try_write();
            auto part = w->downgrade_map([](const data& d) -> const auto& { return d.second; });
            CHECK(*part == "part");
            CHECK(part->size() == 4);
            CHECK(l.try_read().has_value());
            CHECK_FALSE(l.try_write().has_value());
        }
        auto w = l.try_write();
        REQUIRE(w.has_value());
        auto none = w->try_downgrade_map([](const data&) -> const int* { return nullptr; });
        CHECK_FALSE(none.has_value());
        CHECK_FALSE(l.try_read().has_value());  // still exclusive
        auto some = w->try_downgrade_map([](const data& d) { return &d.first; });
        REQUIRE(some.has_value());
        CHECK(**some == 1);
        CHECK(l.try_read().has_value());
    }

    TEST_CASE("map narrows a guard to a part, which unlocks when it ends") {
        weir::rwlock<std::pair<int, int>> l(1, 2);
        {
            auto w = l.try_write();
            auto part = w->map([](auto& p) -> int& { return p.second; });
            *part = 5;
            CHECK_FALSE(l.try_read().has_value());
        }
        auto r = l.try_read();
        auto part = r->map([](const auto& p) -> const int& { return p.second; });
        static_assert(std::is_same_v<decltype(*part), const int&>);
        CHECK(*part == 5);
        CHECK_FALSE(l.try_write().has_value());
        part.unlock();
        CHECK(l.try_write().has_value());
    }

    TEST_CASE("a guard gives access to its lock") {
        using lock = weir::rwlock<std::pair<int, int>>;
        auto const l = std::make_shared<lock>(1, 2);
        {
            auto r = l->try_read();
            CHECK(&r->rwlock() == l.get());
        }
        {
            auto w = l->try_write();
            CHECK(&w->rwlock() == l.get());
            CHECK(&w->downgrade().rwlock() == l.get());
        }
        auto w = lock::try_write_owned(l);
        CHECK(w->rwlock() == l);
        auto r = w->downgrade();
        CHECK(r.rwlock() == l);
        auto part = r.map([](const auto& p) -> const int& { return p.second; });
        static_assert(std::is_same_v<decltype(part),
                                     weir::mapped_rwlock_read_guard<int, std::shared_ptr<lock>>>);
        CHECK_FALSE(l->try_write().has_value());
        part.unlock();
        CHECK(l->try_write().has_value());
    }

    TEST_CASE("try_map of an rvalue that finds nothing gives the guard back") {
        weir::rwlock<std::pair<int, int>> l(1, 2);
        auto w = l.try_write();
        auto none = std::move(*w).try_map([](auto&) -> int* { return nullptr; });
        REQUIRE_FALSE(none.has_value());
        w.reset();
        none.error()->first = 8;
        auto some = std::move(none.error()).try_map([](auto& p) { return &p.first; });
        REQUIRE(some.has_value());
        CHECK(**some == 8);
        CHECK_FALSE(l.try_read().has_value());
    }

    TEST_CASE("a mapping that throws leaves the guard as it was") {
        weir::rwlock<int> l(1);
        auto w = l.try_write();
        const auto fails = [](const int&) -> const int& { throw std::runtime_error("no part"); };
        CHECK_THROWS_AS(static_cast<void>(w->map(fails)), std::runtime_error);
        CHECK_THROWS_AS(static_cast<void>(w->downgrade_map(fails)), std::runtime_error);
        CHECK_FALSE(l.try_read().has_value());
        **w = 2;
    }

    TEST_CASE_TEMPLATE("owned guards keep the lock alive inside a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            using lock = weir::rwlock<std::pair<int, int>>;
            auto l = std::make_shared<lock>(1, 2);
            std::weak_ptr<lock> watch = l;
            auto w = co_await lock::write_owned(l);
            CHECK_FALSE(lock::try_read_owned(l).has_value());
            CHECK_FALSE(lock::try_write_owned(l).has_value());
            auto part = w.downgrade_map([](const auto& p) -> const int& { return p.second; });
            auto second = co_await lock::read_owned(std::move(l));
            auto h = weir::spawn([](decltype(part) g) -> weir::task<int> {
                co_await weir::yield_now();
                co_return *g;
            }(std::move(part)));
            const int value = co_await h;
            CHECK(value == 2);
            CHECK_FALSE(watch.expired());
            second.unlock();
            CHECK(watch.expired());
        }());
    }
}

TEST_SUITE("rwlock threads") {
    TEST_CASE("threads and tasks share one lock") {
        rt_current_thread rt;
        weir::rwlock<std::pair<int, int>> l(0, 0);
        std::thread other([&l] {
            for (int i = 0; i < 200; ++i) {
                {
                    auto g = l.blocking_write();
                    ++g->first;
                    ++g->second;
                }
                auto g = l.blocking_read();
                if (g->first != g->second) std::abort();
            }
        });
        rt.block_on(write_pairs(l, 200));
        other.join();
        CHECK(l.get_mut() == std::pair(400, 400));
    }

    TEST_CASE_TEMPLATE("blocking refuses to block a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(0);
            CHECK_THROWS_AS(static_cast<void>(l.blocking_read()), weir::blocking_in_async_error);
            CHECK_THROWS_AS(static_cast<void>(l.blocking_write()), weir::blocking_in_async_error);
            co_return;
        }());
    }

    TEST_CASE("a coroutine that is not ours waits for the lock") {
        weir::rwlock<int> l(4);
        auto held = l.try_read();
        auto cancelled = start_foreign(l.write());
        auto reader = start_foreign(l.read());
        CHECK_FALSE(reader.done());
        cancelled.cancel();
        REQUIRE(reader.done());
        CHECK(*reader.value() == 4);
        auto writer = start_foreign(l.write());
        held.reset();
        CHECK_FALSE(writer.done());
        reader.value().unlock();
        CHECK(writer.done());
    }

    TEST_CASE_TEMPLATE("a branch that was granted the lock and lost passes it on", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::rwlock<int> l(0);
            for (int i = 0; i < 50; ++i) {
                std::optional held(co_await l.write());
                auto racer = weir::spawn([](weir::rwlock<int>& lock) -> weir::task<> {
                    auto v = co_await weir::select(lock.write(), weir::yield_now());
                    static_cast<void>(v);
                }(l));
                co_await weir::yield_now();
                held.reset();
                co_await racer;
                auto free = co_await l.write();
                *free += 1;
            }
            CHECK(l.get_mut() == 50);
        }());
    }
}
