// weir/watch.hpp: the value, and who has seen it. watch_wait.cpp has wait_for, the ends of a
// channel and threads.

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/watch.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace watch = weir::watch;

static_assert(std::is_copy_constructible_v<watch::sender<std::unique_ptr<int>>>);
static_assert(std::is_copy_constructible_v<watch::receiver<std::unique_ptr<int>>>);
static_assert(!std::is_copy_constructible_v<watch::ref<int>>);
static_assert(std::is_same_v<decltype(*std::declval<watch::ref<int>&>()), const int&>);
static_assert(sizeof(watch::sender<int>) <= 16 && sizeof(watch::receiver<int>) <= 16 &&
              sizeof(watch::ref<int>) <= 16);
static_assert(weir::cancel_safety_v<decltype(std::declval<watch::receiver<int>&>().changed())> ==
              weir::cancel_safety::safe);

namespace {

// Movable, and that only once it is made.
class no_assignment {
public:
    explicit no_assignment(int v) : value(v) {}
    no_assignment(const no_assignment&) = delete;
    no_assignment(no_assignment&& o) noexcept : value(std::exchange(o.value, -1)) {}
    no_assignment& operator=(no_assignment&&) = delete;
    ~no_assignment() = default;
    int value;
};

}  // namespace

TEST_SUITE("watch") {
    TEST_CASE_TEMPLATE("who waits for a change sees the latest value [doc]", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(std::string("info"));
            auto logger =
                weir::spawn([](watch::receiver<std::string> level) -> weir::task<std::string> {
                    std::string all = *level.borrow();
                    while (co_await level.changed()) all += ' ' + *level.borrow_and_update();
                    co_return all;
                }(rx));
            co_await settle();
            tx.send("debug");
            co_await settle();
            tx.send("trace");
            { auto gone = std::move(tx); }
            const auto all = co_await logger;
            CHECK(all == "info debug trace");
        }());
    }

    TEST_CASE_TEMPLATE("the initial value can be seen and is no change", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            CHECK(*rx.borrow() == 1);
            CHECK(rx.has_changed().value() == false);
            auto waiting = co_await start(rx.changed());
            CHECK_WAITS(waiting);
            CHECK(tx.send(2) == 1);
            REQUIRE_COMPLETES(waiting);
            const auto changed = co_await waiting.handle;
            CHECK(changed.has_value());
            CHECK(*rx.borrow() == 2);
            CHECK(rx.has_changed().value() == false);
        }());
    }

    TEST_CASE_TEMPLATE("values in between are skipped, and an equal one is a change", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(0);
            for (int i = 1; i < 5; ++i) tx.send(i);
            const auto first = co_await rx.changed();
            CHECK(first.has_value());
            CHECK(*rx.borrow() == 4);
            auto waiting = co_await start(rx.changed());
            CHECK_WAITS(waiting);
            tx.send(4);
            CHECK_COMPLETES(waiting);
            const auto second = co_await waiting.handle;
            CHECK(second.has_value());
        }());
    }

    TEST_CASE("borrow marks nothing as seen, borrow_and_update does") {
        auto [tx, rx] = watch::channel(0);
        tx.send(1);
        CHECK(rx.borrow().has_changed());
        CHECK(rx.has_changed().value());
        {
            const auto r = rx.borrow_and_update();
            CHECK(*r == 1);
            CHECK(r.has_changed());
        }
        CHECK_FALSE(rx.has_changed().value());
        CHECK_FALSE(rx.borrow().has_changed());
        CHECK_FALSE(rx.borrow_and_update().has_changed());
        CHECK_FALSE(tx.borrow().has_changed());
    }

    TEST_CASE_TEMPLATE("mark_changed lets changed return, for this receiver only", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(5);
            auto other = rx;
            rx.mark_changed();
            rx.mark_changed();
            CHECK(rx.has_changed().value());
            CHECK_FALSE(other.has_changed().value());
            const auto changed = co_await rx.changed();
            CHECK(changed.has_value());
            CHECK(*rx.borrow() == 5);
            auto waiting = co_await start(rx.changed());
            CHECK_WAITS(waiting);
            co_await waiting.abort();
        }());
    }

    TEST_CASE_TEMPLATE("mark_unchanged hides a change, and the value is the new one", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            tx.send(2);
            rx.mark_unchanged();
            CHECK_FALSE(rx.has_changed().value());
            CHECK(*rx.borrow() == 2);
            auto waiting = co_await start(rx.changed());
            CHECK_WAITS(waiting);
            co_await waiting.abort();
        }());
    }

    TEST_CASE("a copy has seen what the original had, a subscription what is there") {
        auto [tx, rx] = watch::channel(1);
        tx.send(2);
        auto copy = rx;
        CHECK(copy.has_changed().value());
        CHECK_FALSE(tx.subscribe().has_changed().value());
        CHECK(copy.same_channel(rx));
        rx.mark_unchanged();
        CHECK(copy.has_changed().value());
        CHECK(tx.receiver_count() == 2);
        copy = rx;
        CHECK_FALSE(copy.has_changed().value());
        auto moved = std::move(copy);
        CHECK(tx.receiver_count() == 2);
        CHECK_THROWS_AS(static_cast<void>(copy.borrow()), weir::already_consumed_error);
    }

    TEST_CASE("send stores with no receivers too, and says how many there are") {
        auto [tx, rx] = watch::channel(std::string("a"));
        CHECK(tx.send("b") == 1);
        auto other = rx;
        CHECK(tx.send("c") == 2);
        { auto gone = std::move(rx); }
        { auto gone = std::move(other); }
        CHECK(tx.send("d") == 0);
        CHECK(*tx.borrow() == "d");
        CHECK(tx.send_replace("e") == "d");
        tx.send_modify([](std::string& s) { s += "!"; });
        CHECK(*tx.subscribe().borrow() == "e!");
    }

    TEST_CASE("a send whose move throws tells nobody, and the next one goes on") {
        class throws_on_assignment {
        public:
            explicit throws_on_assignment(int v) : value(v) {}
            throws_on_assignment(const throws_on_assignment&) = default;
            throws_on_assignment& operator=(const throws_on_assignment& other) {
                if (other.value < 0) throw std::runtime_error("this assignment throws");
                value = other.value;
                return *this;
            }
            ~throws_on_assignment() = default;
            int value;
        };
        auto [tx, rx] = watch::channel(throws_on_assignment(1));
        CHECK_THROWS_AS(tx.send(throws_on_assignment(-1)), std::runtime_error);
        CHECK_FALSE(rx.has_changed().value());
        CHECK(rx.borrow()->value == 1);
        CHECK(tx.send(throws_on_assignment(2)) == 1);
        CHECK(rx.has_changed().value());
        CHECK(rx.borrow_and_update()->value == 2);
    }

    TEST_CASE("send_modify that throws tells nobody, and leaves what it has changed") {
        auto [tx, rx] = watch::channel(std::vector<int>{1});
        CHECK_THROWS_AS(tx.send_modify([](std::vector<int>& v) {
            v.push_back(2);
            throw std::runtime_error("half way");
        }),
                        std::runtime_error);
        CHECK_FALSE(rx.has_changed().value());
        CHECK(rx.borrow()->size() == 2);
        tx.send(std::vector<int>{});
        CHECK(rx.has_changed().value());
    }

    TEST_CASE_TEMPLATE("send_if_modified tells only when the function says so", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto waiting = co_await start(rx.changed());
            CHECK_FALSE(tx.send_if_modified([](int& v) {
                v = 2;
                return false;
            }));
            CHECK_WAITS(waiting);
            CHECK(*rx.borrow() == 2);
            CHECK_THROWS_AS(tx.send_if_modified([](int&) -> bool { throw 1; }), int);
            CHECK(tx.send_if_modified([](int& v) { return ++v == 3; }));
            CHECK_COMPLETES(waiting);
            const auto changed = co_await waiting.handle;
            CHECK(changed.has_value());
        }());
    }

    TEST_CASE("move-only, over-aligned and unassignable values") {
        auto [tx, rx] = watch::channel(std::make_unique<int>(1));
        tx.send(std::make_unique<int>(2));
        CHECK(**rx.borrow() == 2);
        const auto old = tx.send_replace(std::make_unique<int>(3));
        CHECK(*old == 2);
        auto [atx, arx] = watch::channel(over_aligned(1));
        atx.send(over_aligned(2));
        CHECK(arx.borrow()->aligned());
        CHECK(arx.borrow()->value == 2);
        auto [ntx, nrx] = watch::channel(no_assignment(1));
        CHECK(ntx.send_replace(no_assignment(2)).value == 1);
        CHECK(nrx.borrow()->value == 2);
    }

    TEST_CASE("values are destroyed once, and an old one after the lock was given back") {
        ledger l;
        {
            auto [tx, rx] = watch::channel(counted(l, 0));
            for (int i = 1; i < 4; ++i) tx.send(counted(l, i));
            CHECK(l.live() == 1);
            CHECK(l.copies == 0);
            CHECK(rx.borrow()->value == 3);
            { auto gone = std::move(tx); }
            CHECK(rx.borrow()->value == 3);
        }
        CHECK(l.objects == 0);

        struct looks_when_destroyed {
            explicit looks_when_destroyed(watch::sender<std::shared_ptr<looks_when_destroyed>>* t)
                : tx(t) {}
            ~looks_when_destroyed() {
                if (tx != nullptr) static_cast<void>(*tx->borrow());
            }
            watch::sender<std::shared_ptr<looks_when_destroyed>>* tx;
        };
        watch::sender<std::shared_ptr<looks_when_destroyed>> tx(nullptr);
        tx.send(std::make_shared<looks_when_destroyed>(&tx));
        tx.send(nullptr);
        CHECK(*tx.borrow() == nullptr);
    }

    TEST_CASE_TEMPLATE("a changed that lost a race has marked nothing as seen", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(1);
            auto racer = weir::spawn([](watch::receiver<int>& r) -> weir::task<bool> {
                const auto v = co_await weir::select(weir::biased, weir::yield_now(), r.changed());
                co_return v.index() == 0;
            }(rx));
            co_await weir::yield_now();
            tx.send(2);
            const bool yielded = co_await racer;
            CHECK(yielded);
            CHECK(rx.has_changed().value());
            auto aborted = co_await start(rx.changed());
            CHECK_COMPLETES(aborted);
        }());
    }

    TEST_CASE_TEMPLATE("one that always finds a change lets others run", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = watch::channel(0);
            bool ran = false;
            auto other = weir::spawn([](bool& flag) -> weir::task<> {
                flag = true;
                co_return;
            }(ran));
            int before = 0;
            for (int i = 0; i < 1000; ++i) {
                tx.send(i);
                const auto changed = co_await rx.changed();
                CHECK(changed.has_value());
                if (!ran) ++before;
            }
            CHECK(before <= 128);
            co_await other;
        }());
    }

    TEST_CASE("a foreign coroutine waits for a change, and may be destroyed while it waits") {
        auto [tx, rx] = watch::channel(0);
        auto other = rx;
        auto waiting = start_foreign(rx.changed());
        auto given_up = start_foreign(other.changed());
        CHECK_FALSE(waiting.done());
        given_up.cancel();
        tx.send(1);
        REQUIRE(waiting.done());
        CHECK(waiting.value().has_value());
        CHECK(other.has_changed().value());
    }
}
