// weir/cancellation_token.hpp: one request to stop, handed down a tree.

#include <atomic>
#include <doctest/doctest.h>
#include <functional>
#include <optional>
#include <thread>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <weir/cancellation_token.hpp>
#include <weir/mpsc.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

static_assert(sizeof(weir::cancellation_token) <= 16);
static_assert(sizeof(weir::cancellation_guard) <= 16);
static_assert(std::is_nothrow_copy_constructible_v<weir::cancellation_token>);

namespace {

weir::task<> wait(weir::cancellation_token t) { co_await t.cancelled(); }

weir::task<int> five() {
    co_await weir::yield_now();
    co_return 5;
}

weir::task<> forever(counted) {
    for (;;) co_await weir::yield_now();
}

// A tree of tokens whose leaves outlive what is above them.
std::vector<weir::cancellation_token> leaves_of(const weir::cancellation_token& t, int depth) {
    if (depth == 0) return {t};
    std::vector<weir::cancellation_token> all;
    for (int i = 0; i < 3; ++i)
        for (auto& leaf : leaves_of(t.child_token(), depth - 1)) all.push_back(leaf);
    return all;
}

}  // namespace

TEST_SUITE("cancellation_token") {
    TEST_CASE_TEMPLATE("cancelled waits until the token is cancelled, and is sticky", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::cancellation_token t;
            CHECK_FALSE(t.is_cancelled());
            auto a = co_await start(wait(t));
            auto b = co_await start(t.cancelled_owned());
            CHECK_WAITS(a);
            CHECK_WAITS(b);
            t.cancel();
            t.cancel();
            CHECK(t.is_cancelled());
            REQUIRE_COMPLETES(a);
            REQUIRE_COMPLETES(b);
            for (int i = 0; i < 300; ++i) co_await t.cancelled();  // also past the budget
        }());
    }

    TEST_CASE_TEMPLATE("a wait that is cancelled itself leaves the others", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::cancellation_token t;
            auto gone = co_await start(wait(t));
            auto stays = co_await start(wait(t));
            co_await gone.abort();
            t.cancel();
            REQUIRE_COMPLETES(stays);
        }());
    }

    TEST_CASE("copies are one token; children and others are not") {
        const weir::cancellation_token a;
        const weir::cancellation_token b = a;
        const weir::cancellation_token child = a.child_token();
        const weir::cancellation_token other;
        CHECK(a == b);
        CHECK(a != child);
        CHECK(a != other);
        const std::hash<weir::cancellation_token> hash;
        CHECK(hash(a) == hash(b));
        const std::unordered_set<weir::cancellation_token> set{a, b, child, other};
        CHECK(set.size() == 3);
        b.cancel();
        CHECK(a.is_cancelled());
        CHECK(child.is_cancelled());
        CHECK_FALSE(other.is_cancelled());
    }

    TEST_CASE_TEMPLATE("a parent cancels its children, and not the other way", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::cancellation_token parent;
            auto child = parent.child_token();
            auto sibling = parent.child_token();
            auto grandchild = child.child_token();
            auto waits = co_await start(wait(sibling));
            child.cancel();
            CHECK(grandchild.is_cancelled());
            CHECK_FALSE(parent.is_cancelled());
            CHECK_WAITS(waits);
            parent.cancel();
            REQUIRE_COMPLETES(waits);
            CHECK(parent.child_token().is_cancelled());
            CHECK(parent.child_token().child_token().is_cancelled());
        }());
    }

    TEST_CASE("a dropped token leaves its children to its parent") {
        weir::cancellation_token root;
        std::optional<weir::cancellation_token> middle = root.child_token();
        const auto first = middle->child_token();
        const auto second = middle->child_token();
        const auto below = second.child_token();
        middle.reset();
        CHECK_FALSE(first.is_cancelled());
        root.cancel();
        CHECK(first.is_cancelled());
        CHECK(second.is_cancelled());
        CHECK(below.is_cancelled());

        std::optional<weir::cancellation_token> top(std::in_place);
        const auto orphan = top->child_token();
        const auto under = orphan.child_token();
        top.reset();
        CHECK_FALSE(orphan.is_cancelled());
        orphan.cancel();
        CHECK(under.is_cancelled());
    }

    TEST_CASE("a tree as deep as you like is cancelled without a stack as deep") {
        const weir::cancellation_token root;
        std::vector<weir::cancellation_token> chain{root};
        for (int i = 0; i < 20'000; ++i) chain.push_back(chain.back().child_token());
        const auto leaves = leaves_of(chain.back(), 4);
        CHECK(leaves.size() == 81);
        root.cancel();
        for (const auto& leaf : leaves) CHECK(leaf.is_cancelled());
    }

    TEST_CASE("a guard cancels at the end of its scope, unless it is disarmed") {
        weir::cancellation_token t;
        {
            auto guard = t.drop_guard();
            auto back = guard.disarm();
            CHECK(back == t);
            CHECK_THROWS_AS(guard.disarm(), std::logic_error);
        }
        CHECK_FALSE(t.is_cancelled());
        {
            auto guard = t.drop_guard();
            auto moved = std::move(guard);
            CHECK_FALSE(t.is_cancelled());
        }
        CHECK(t.is_cancelled());
    }

    TEST_CASE("a token that was moved from says so") {
        weir::cancellation_token a;
        const auto b = std::move(a);
        CHECK_THROWS_AS(static_cast<void>(a.is_cancelled()), std::logic_error);
        CHECK_THROWS_AS(static_cast<void>(a.cancelled()), std::logic_error);
        a = b;
        CHECK(a == b);
    }
}

TEST_SUITE("cancellation_token run_until_cancelled") {
    TEST_CASE_TEMPLATE("it yields the result, which wins when both are there", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::cancellation_token t;
            auto r = co_await t.run_until_cancelled(five());
            CHECK(r == 5);
            auto cancels = [](weir::cancellation_token token) -> weir::task<> {
                token.cancel();
                co_return;
            };
            std::optional<std::monostate> done = co_await t.run_until_cancelled(cancels(t));
            CHECK(done.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("a cancelled token starts nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::cancellation_token t;
            t.cancel();
            bool started = false;
            auto starts = [](bool& flag) -> weir::task<> {
                flag = true;
                co_return;
            };
            auto none = co_await t.run_until_cancelled(starts(started));
            CHECK_FALSE(none.has_value());
            CHECK_FALSE(started);
        }());
    }

    TEST_CASE_TEMPLATE("cancelling destroys what it runs", R, WEIR_RUNTIMES) {
        R rt;
        ledger l;
        rt.block_on([](ledger& values) -> weir::task<> {
            weir::cancellation_token t;
            auto runs = [](weir::cancellation_token token, ledger& v) -> weir::task<bool> {
                auto r = co_await token.run_until_cancelled(forever(counted(v)));
                CHECK(v.live() == 0);
                co_return r.has_value();
            };
            auto running = co_await start(runs(t.child_token(), values));
            CHECK_WAITS(running);
            CHECK(values.live() == 1);
            t.cancel();
            REQUIRE_COMPLETES(running);
            const bool completed = co_await running.handle;
            CHECK_FALSE(completed);
        }(l));
        CHECK(l.live() == 0);
    }

    TEST_CASE_TEMPLATE("an lvalue is referred to and survives the cancellation", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::cancellation_token t;
            auto slow = weir::spawn(wait(weir::cancellation_token()));
            auto canceller = weir::spawn([](weir::cancellation_token token) -> weir::task<> {
                co_await weir::yield_now();
                token.cancel();
            }(t));
            auto none = co_await t.run_until_cancelled(slow);
            CHECK_FALSE(none.has_value());
            CHECK_FALSE(slow.is_finished());
            slow.abort();
            co_await canceller;
        }());
    }
}

TEST_SUITE("cancellation_token threads") {
    TEST_CASE("cancelling parent and child and dropping tokens at once is clean") {
        for (int round = 0; round < 200; ++round) {
            weir::cancellation_token root;
            auto middle = root.child_token();
            auto leaf = middle.child_token();
            auto watch = leaf;
            std::atomic<int> ready{0};
            const auto meet = [&ready] {
                ++ready;
                while (ready.load() < 3) std::this_thread::yield();
            };
            std::thread parent([&, t = std::move(root)]() mutable {
                meet();
                t.cancel();
                auto gone = std::move(t);
            });
            std::thread child([&, t = std::move(middle)]() mutable {
                meet();
                if (round % 2) t.cancel();
                auto gone = std::move(t);
            });
            meet();
            auto below = leaf.child_token();
            { auto gone = std::move(leaf); }
            parent.join();
            child.join();
            CHECK(watch.is_cancelled());
            CHECK(below.is_cancelled());
        }
    }

    TEST_CASE_TEMPLATE("waiters on every thread see one cancellation", R, WEIR_RUNTIMES) {
        R rt;
        weir::cancellation_token t;
        std::thread other([t] {
            while (!t.is_cancelled()) std::this_thread::yield();
        });
        rt.block_on([](weir::cancellation_token token) -> weir::task<> {
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 100; ++i)
                tasks.push_back(weir::spawn(wait(i % 2 ? token.child_token() : token)));
            co_await weir::yield_now();
            token.cancel();
            for (auto& h : tasks) co_await h;
        }(t));
        other.join();
    }

    TEST_CASE("a coroutine that is not ours waits, and may drop the token when it goes on") {
        std::optional<weir::cancellation_token> t(std::in_place);
        auto first = start_foreign(t->cancelled());
        auto gone = start_foreign(t->cancelled());
        auto last = [](std::optional<weir::cancellation_token>& token) -> foreign<void> {
            co_await token->cancelled();
            token.reset();
        }(t);
        gone.cancel();
        CHECK_FALSE(first.done());
        t->cancel();
        CHECK(first.done());
        CHECK(last.done());
        CHECK_FALSE(t.has_value());
    }
}
