// weir/mutex.hpp: guards that own, guards of a part.

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <weir/mutex.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

struct record {
    std::string name;
    int count = 0;
};

}  // namespace

TEST_SUITE("mutex guards") {
    TEST_CASE("a mapped guard gives a part and unlocks when it ends") {
        weir::mutex<record> m(record{"a", 1});
        {
            auto g = m.try_lock();
            REQUIRE(g.has_value());
            auto part = std::move(*g).map([](record& r) -> int& { return r.count; });
            *part = 5;
            g.reset();  // holds nothing any more
            CHECK_FALSE(m.try_lock().has_value());
        }
        auto g = m.try_lock();
        REQUIRE(g.has_value());
        CHECK((*g)->count == 5);
    }

    TEST_CASE("try_map that finds nothing leaves the guard as it was") {
        weir::mutex<record> m(record{"a", 1});
        auto g = m.try_lock();
        REQUIRE(g.has_value());
        auto none = g->try_map([](record&) -> int* { return nullptr; });
        CHECK_FALSE(none.has_value());
        CHECK((*g)->name == "a");
        CHECK_FALSE(m.try_lock().has_value());
        auto found = g->try_map([](record& r) -> int* { return &r.count; });
        REQUIRE(found.has_value());
        CHECK(**found == 1);
        found.reset();
        CHECK(m.try_lock().has_value());
    }

    TEST_CASE("assigning a guard gives the lock that it held back") {
        weir::mutex<int> a(1);
        weir::mutex<int> b(2);
        auto ga = a.try_lock();
        auto gb = b.try_lock();
        *ga = std::move(*gb);
        gb.reset();
        CHECK(a.try_lock().has_value());
        CHECK_FALSE(b.try_lock().has_value());
        CHECK(**ga == 2);
        ga.reset();
        CHECK(b.try_lock().has_value());
    }

    TEST_CASE_TEMPLATE("a task that locks twice waits for itself, and no thread does", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(1);
            auto twice = co_await start([](weir::mutex<int>& lock) -> weir::task<> {
                auto first = co_await lock.lock();
                auto second = co_await lock.lock();
            }(m));
            CHECK_WAITS(twice);
            co_await twice.abort();
            CHECK(m.try_lock().has_value());
        }());
    }

    TEST_CASE_TEMPLATE("an owned guard keeps its mutex alive inside a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto m = std::make_shared<weir::mutex<int>>(1);
            std::weak_ptr<weir::mutex<int>> watch = m;
            auto g = co_await weir::mutex<int>::lock_owned(m);
            CHECK_FALSE(weir::mutex<int>::try_lock_owned(m).has_value());
            m.reset();
            auto h = weir::spawn([](decltype(g) guard) -> weir::task<int> {
                co_await weir::yield_now();
                *guard += 1;
                co_return *guard;
            }(std::move(g)));
            const int value = co_await h;
            CHECK(value == 2);
            CHECK(watch.expired());
        }());
    }

    TEST_CASE_TEMPLATE("a waiter for an owned guard keeps the mutex alive", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto m = std::make_shared<weir::mutex<int>>(1);
            std::optional held(co_await weir::mutex<int>::lock_owned(m));
            auto waiting = co_await start(weir::mutex<int>::lock_owned(m));
            auto cancelled = co_await start(weir::mutex<int>::lock_owned(std::move(m)));
            CHECK_WAITS(waiting);
            co_await cancelled.abort();
            held.reset();
            REQUIRE_COMPLETES(waiting);
            auto g = co_await std::move(waiting.handle);
            CHECK(*g == 1);
        }());
    }
}
