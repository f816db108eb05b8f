// weir/once_cell.hpp: a value made once, by one at a time; a value set once and awaited.

#include <atomic>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/notify.hpp>
#include <weir/once_cell.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

static_assert(!std::is_copy_constructible_v<weir::once_cell<int>>);
static_assert(!std::is_move_constructible_v<weir::once_cell<int>>);

namespace {

constinit weir::once_cell<std::string> in_static_memory;
constinit weir::set_once<std::string> set_in_static_memory;

// Makes n once it is told to.
weir::task<int> make(weir::notify& go, int n) {
    co_await go.notified();
    co_return n;
}

weir::task<int> get(weir::once_cell<int>& cell, weir::notify& go, int n) {
    auto init = [&] { return make(go, n); };
    co_return co_await cell.get_or_init(init);
}

weir::task<int> get_slowly(weir::once_cell<int>& cell, std::atomic<int>& calls, int n) {
    auto init = [](std::atomic<int>& c, int value) -> weir::task<int> {
        ++c;
        co_await weir::yield_now();
        co_return value;
    };
    auto f = [&] { return init(calls, n); };
    int& got = co_await cell.get_or_init(f);
    co_return got;
}

weir::task<int> fails(const char* why) {
    co_await weir::yield_now();
    throw std::runtime_error(why);
}

// A coroutine that is not ours.
template <class F>
foreign<int> start_foreign_get(weir::once_cell<int>& cell, F& init) {
    co_return co_await cell.get_or_init(init);
}

using result = weir::expected<int, std::string>;

weir::task<result> attempt(bool succeeds) {
    co_await weir::yield_now();
    if (!succeeds) co_return weir::unexpected(std::string("refused"));
    co_return 6;
}

class pinned {
public:
    explicit pinned(int v) : value(v) {}
    pinned(const pinned&) = delete;
    int value;
};

}  // namespace

TEST_SUITE("once_cell") {
    TEST_CASE_TEMPLATE("the first to ask makes the value, for everybody", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<int> cell;
            std::atomic<int> calls{0};
            CHECK(cell.get() == nullptr);
            CHECK_FALSE(cell.initialized());
            std::vector<weir::join_handle<int>> tasks;
            for (int i = 1; i <= 20; ++i)
                tasks.push_back(weir::spawn(get_slowly(cell, calls, 7)));
            for (auto& t : tasks) {
                const int value = co_await t;
                CHECK(value == 7);
            }
            CHECK(calls == 1);
            CHECK(cell.initialized());
            REQUIRE(cell.get() != nullptr);
            CHECK(*cell.get() == 7);
        }());
    }

    TEST_CASE_TEMPLATE("an initializer may return the value itself, which need not move", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<pinned> cell;
            pinned& first = co_await cell.get_or_init([] { return pinned(3); });
            pinned& second = co_await cell.get_or_init([] { return pinned(4); });
            CHECK(first.value == 3);
            CHECK(&first == &second);
        }());
    }

    TEST_CASE_TEMPLATE("others wait while the value is made, and set reports it", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<int> cell;
            weir::notify go;
            auto first = co_await start(get(cell, go, 1));
            auto second = co_await start(get(cell, go, 2));
            CHECK_WAITS(first);
            CHECK_WAITS(second);
            auto refused = cell.set(9);
            REQUIRE_FALSE(refused.has_value());
            CHECK(refused.error().is_initializing());
            CHECK_FALSE(refused.error().is_already_initialized());
            CHECK(refused.error().value == 9);
            go.notify_one();
            REQUIRE_COMPLETES(second);
            const int value = co_await second.handle;
            CHECK(value == 1);
            auto late = cell.set(9);
            REQUIRE_FALSE(late.has_value());
            CHECK(late.error().is_already_initialized());
            CHECK(late.error().value == 9);
        }());
    }

    TEST_CASE_TEMPLATE("if the initializer is cancelled, the next waiter runs its own", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<int> cell;
            weir::notify go;
            auto first = co_await start(get(cell, go, 1));
            auto second = co_await start(get(cell, go, 2));
            auto third = co_await start(get(cell, go, 3));
            co_await first.abort();
            CHECK_WAITS(second);
            co_await third.abort();
            CHECK_WAITS(second);
            const bool registered = co_await until([&] {  // until the second runs its own
                go.notify_waiters();
                return cell.initialized();
            });
            CHECK(registered);
            const int value = co_await second.handle;
            CHECK(value == 2);
        }());
    }

    TEST_CASE_TEMPLATE("a turn granted to a cancelled waiter passes on", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<int> cell;
            weir::notify go;
            auto first = co_await start(get(cell, go, 1));
            auto second = co_await start(get(cell, go, 2));
            auto third = co_await start(get(cell, go, 3));
            first.handle.abort();
            second.handle.abort();
            co_await settle();
            go.notify_one();
            REQUIRE_COMPLETES(third);
            const int value = co_await third.handle;
            CHECK(value == 3);
        }());
    }

    TEST_CASE_TEMPLATE("an exception of the initializer frees the cell for the next", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<int> cell;
            bool caught = false;
            try {
                co_await cell.get_or_init([] { return fails("later"); });
            } catch (const std::runtime_error& e) {
                caught = e.what() == std::string("later");
            }
            CHECK(caught);
            caught = false;
            try {
                co_await cell.get_or_init([]() -> int { throw std::runtime_error("at once"); });
            } catch (const std::runtime_error& e) {
                caught = e.what() == std::string("at once");
            }
            CHECK(caught);
            CHECK_FALSE(cell.initialized());
            const int value = co_await cell.get_or_init([] { return 5; });
            CHECK(value == 5);
        }());
    }

    TEST_CASE_TEMPLATE("a waiter whose own initializer throws sees its own exception", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<int> cell;
            weir::notify go;
            auto first = co_await start(get(cell, go, 1));
            auto at_once = [](weir::once_cell<int>& c) -> weir::task<> {
                co_await c.get_or_init(
                    []() -> weir::task<int> { throw std::logic_error("no task"); });
            };
            auto second = co_await start(at_once(cell));
            auto third = co_await start(get(cell, go, 3));
            co_await first.abort();
            auto failed = co_await second.handle.result();
            REQUIRE_FALSE(failed.has_value());
            CHECK(failed.error().exception() != nullptr);
            const bool made = co_await until([&] {
                go.notify_waiters();
                return cell.initialized();
            });
            CHECK(made);
            const int value = co_await third.handle;
            CHECK(value == 3);
        }());
    }

    TEST_CASE_TEMPLATE("get_or_try_init: an error leaves the cell empty for the next", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<int> cell;
            auto failed = co_await cell.get_or_try_init([] { return attempt(false); });
            REQUIRE_FALSE(failed.has_value());
            CHECK(failed.error() == "refused");
            CHECK_FALSE(cell.initialized());
            auto plain = co_await cell.get_or_try_init([]() -> result { return 0; });
            CHECK(plain.has_value());
            REQUIRE(cell.take() == 0);
            auto made = co_await cell.get_or_try_init([] { return attempt(true); });
            REQUIRE(made.has_value());
            CHECK(&made->get() == cell.get());
            auto again = co_await cell.get_or_try_init([] { return attempt(false); });
            REQUIRE(again.has_value());
            CHECK(again->get() == 6);
        }());
    }

    TEST_CASE_TEMPLATE("a captured value lives as long as the initializer runs", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::once_cell<std::string> cell;
            auto text = std::make_unique<std::string>("captured");
            auto init = [t = std::move(text)]() -> weir::task<std::string> {
                co_await weir::yield_now();
                co_return *t;
            };
            const std::string& made = co_await cell.get_or_init(init);
            CHECK(made == "captured");
        }());
    }

    TEST_CASE("the value is destroyed once, with the cell or after take") {
        ledger l;
        {
            weir::once_cell<counted> cell;
            CHECK(cell.set(counted(l, 1)).has_value());
            CHECK_FALSE(cell.set(counted(l, 2)).has_value());
            weir::once_cell<counted> full(counted(l, 3));
            CHECK(full.initialized());
            {
                auto taken = full.take();
                REQUIRE(taken.has_value());
                CHECK(taken->value == 3);
            }
            CHECK_FALSE(full.initialized());
            CHECK_FALSE(full.take().has_value());
            CHECK(l.live() == 1);
        }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE("a value that throws while it moves in leaves the cell empty") {
        ledger l;
        int countdown = 1;
        weir::once_cell<throws_on_move> cell;
        CHECK_THROWS_AS(static_cast<void>(cell.set(throws_on_move(l, countdown))),
                        std::runtime_error);
        CHECK_FALSE(cell.initialized());
        CHECK(cell.set(throws_on_move(l, countdown)).has_value());
    }

    TEST_CASE_TEMPLATE("a cell may be a static", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto& s = co_await in_static_memory.get_or_init([] { return std::string("static"); });
            CHECK(s == "static");
        }());
        CHECK(in_static_memory.take() == "static");
    }

    TEST_CASE("a coroutine that is not ours makes the value, and waits for it") {
        weir::once_cell<int> cell;
        weir::notify go;
        auto one = [&] { return make(go, 1); };
        auto two = [&] { return make(go, 2); };
        auto first = start_foreign_get(cell, one);
        auto second = start_foreign_get(cell, two);
        CHECK_FALSE(second.done());
        first.cancel();
        CHECK_FALSE(second.done());
        go.notify_one();
        REQUIRE(second.done());
        CHECK(second.value() == 2);
        auto third = start_foreign_get(cell, one);
        REQUIRE(third.done());
        CHECK(third.value() == 2);
    }
}

TEST_SUITE("set_once") {
    TEST_CASE_TEMPLATE("waiting before and after it is set gives the value to everybody", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::set_once<std::string> event;
            CHECK(event.get() == nullptr);
            auto wait = [](weir::set_once<std::string>& e) -> weir::task<const std::string*> {
                const std::string& s = co_await e.wait();
                co_return &s;
            };
            auto a = co_await start(wait(event));
            auto b = co_await start(wait(event));
            CHECK_WAITS(a);
            CHECK(event.set("now").has_value());
            REQUIRE_COMPLETES(a);
            REQUIRE_COMPLETES(b);
            const std::string* const seen_a = co_await a.handle;
            const std::string* const seen_b = co_await b.handle;
            const std::string& after = co_await event.wait();
            CHECK(after == "now");
            CHECK(seen_a == &after);
            CHECK(seen_b == &after);
            CHECK(event.get() == &after);
            CHECK(event.initialized());
        }());
    }

    TEST_CASE("a second value comes back") {
        weir::set_once<std::unique_ptr<int>> event;
        CHECK(event.set(std::make_unique<int>(1)).has_value());
        auto refused = event.set(std::make_unique<int>(2));
        REQUIRE_FALSE(refused.has_value());
        CHECK(*refused.error() == 2);
        CHECK(**event.get() == 1);
        auto inner = std::move(event).into_inner();
        REQUIRE(inner.has_value());
        CHECK(**inner == 1);
    }

    TEST_CASE_TEMPLATE("a cancelled waiter is not waited for", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::set_once<int> event;
            auto wait = [](weir::set_once<int>& e) -> weir::task<int> {
                co_return co_await e.wait();
            };
            auto gone = co_await start(wait(event));
            auto stays = co_await start(wait(event));
            co_await gone.abort();
            CHECK(event.set(3).has_value());
            REQUIRE_COMPLETES(stays);
            const int value = co_await stays.handle;
            CHECK(value == 3);
        }());
    }

    TEST_CASE("of several that set at once exactly one wins, and each value is destroyed once") {
        ledger l;
        for (int round = 0; round < 200; ++round) {
            weir::set_once<counted> event;
            std::atomic<int> won{0};
            const auto race = [&](int n) { won += event.set(counted(l, n)).has_value() ? 1 : 0; };
            std::thread other(race, 1);
            race(2);
            const counted& seen = event.blocking_wait();
            other.join();
            CHECK(won == 1);
            CHECK((seen.value == 1 || seen.value == 2));
        }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE("threads and coroutines that are not ours wait for it") {
        auto& event = set_in_static_memory;
        auto foreign = start_foreign([](weir::set_once<std::string>& e) -> weir::task<int> {
            const std::string& s = co_await e.wait();
            co_return static_cast<int>(s.size());
        }(event));
        std::string seen;
        std::thread other([&] { seen = event.blocking_wait(); });
        CHECK_FALSE(foreign.done());
        CHECK(event.set("static").has_value());
        other.join();
        CHECK(seen == "static");
        REQUIRE(foreign.done());
        CHECK(foreign.value() == 6);
    }
}
