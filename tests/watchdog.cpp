// runtime_options::slow_turn: who keeps a thread for too long, and who waits for ever.

#include <chrono>
#include <doctest/doctest.h>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/inspect.hpp>
#include <weir/mutex.hpp>
#include <weir/runtime.hpp>
#include <weir/rwlock.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

// What a watchdog has reported; the thread that reads waits for it.
struct reports {
    std::counting_semaphore<> arrived{0};
    weir::slow_turn first;
    weir::slow_turn last;
    int count = 0;

    void add(const weir::slow_turn& t) {
        (count++ == 0 ? first : last) = t;
        arrived.release();
    }
};

weir::task<> keeps_its_thread(std::counting_semaphore<>& open) {
    CHECK(open.try_acquire_for(20s));
    co_return;
}

}  // namespace

TEST_SUITE("watchdog") {
    TEST_CASE_TEMPLATE("a turn that lasts is reported while it runs, and when it has ended", R,
                       WEIR_RUNTIMES) {
        reports seen;
        std::counting_semaphore<> open(0);
        weir::runtime_options options;
        options.slow_turn = 5ms;
        options.on_slow_turn = [&](const weir::slow_turn& t) {
            seen.add(t);
            if (!t.is_over) open.release();  // not before it is reported
        };
        {
            R rt(options);
            auto const in = rt.enter();
            weir::spawn_options names{.name = "slow"};
            const unsigned line = __LINE__ - 1;
            auto h = weir::spawn(names, keeps_its_thread(open));
            const weir::task_id id = h.id();
            rt.block_on(std::move(h));
            REQUIRE(seen.arrived.try_acquire_for(20s));
            REQUIRE(seen.arrived.try_acquire_for(20s));
            CHECK(seen.first.task == id);
            CHECK(seen.first.name == "slow");
            CHECK(seen.first.site.line() == line);
            CHECK(seen.first.lasted >= 5ms);
            CHECK_FALSE(seen.first.is_over);
            CHECK(seen.last.task == id);
            CHECK(seen.last.is_over);
            CHECK(seen.last.lasted >= seen.first.lasted);
        }
        CHECK(seen.count == 2);
    }

    TEST_CASE_TEMPLATE("tasks that wait for each other are reported when nothing goes on", R,
                       WEIR_RUNTIMES) {
        std::counting_semaphore<> found(0);
        std::string text;
        std::size_t size = 0;
        weir::rwlock<int> l(0);
        weir::runtime_options options;
        options.slow_turn = 5ms;
        options.on_deadlock = [&](const weir::runtime_dump& d) {
            text = d.to_string();
            size = d.deadlocks.size();
            found.release();
        };
        R rt(options);
        auto h = rt.spawn([](weir::rwlock<int>& lock) -> weir::task<> {
            auto one = co_await lock.read();
            auto writer = weir::spawn([](weir::rwlock<int>& same) -> weir::task<> {
                auto w = co_await same.write();
            }(lock));
            co_await settle();
            auto two = co_await lock.read();  // the writer is before it, and waits for `one`
            co_await writer;
        }(l));
        rt.block_on(settle());
        CHECK(found.try_acquire_for(20s));
        INFO(text);
        CHECK(size >= 1);
        CHECK(text.find("rwlock::read, held by task") != std::string::npos);
        h.abort();
        rt.block_on(settle());
    }

    TEST_CASE("a negative limit is refused") {
        weir::runtime_options options;
        options.slow_turn = -1ns;
        CHECK_THROWS_AS(weir::current_thread_runtime{options}, std::invalid_argument);
    }
}
