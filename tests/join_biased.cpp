// weir/join.hpp: join and try_join that run their branches in argument order.

#include <array>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <weir/expected.hpp>
#include <weir/join.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

using order = std::vector<int>;
using gates = std::array<weir::notify, 3>;

weir::task<> notes_wakes(int who, weir::notify& gate, order& seen) {
    for (int i = 0; i < 2; ++i) {
        co_await gate.notified();
        seen.push_back(who);
    }
}

weir::task<> notifies_backwards(gates& g) {
    for (int i = 0; i < 2; ++i) {
        co_await weir::yield_now();
        for (std::size_t k = g.size(); k-- > 0;) g[k].notify_one();
    }
}

weir::task<> notes_turns(int who, int turns, order& seen) {
    for (int i = 0; i < turns; ++i) {
        seen.push_back(who);
        co_await weir::yield_now();
    }
}

weir::task<> hungry(int operations, int& done) {
    for (; done < operations; ++done) co_await weir::this_task::consume_budget();
}

// How far the second of two hungry branches has come when the first one ends.
weir::task<> hungry_first(int operations, const int& second, int& then) {
    int done = 0;
    co_await hungry(operations, done);
    then = second;
}

weir::task<int> number(int turns, int n) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    co_return n;
}

weir::task<int> throws_after(int turns) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    throw std::runtime_error("branch");
}

weir::task<> holds_for_ever(counted) { co_await std::suspend_always(); }

using result = weir::expected<int, std::string>;
weir::task<result> succeeds(int n) {
    co_await weir::yield_now();
    co_return result(n);
}
weir::task<result> fails(std::string why) {
    co_await weir::yield_now();
    co_return weir::unexpected<std::string>(std::move(why));
}

}  // namespace

TEST_SUITE("join biased") {
    TEST_CASE_TEMPLATE("branches that are woken together go on in argument order", R,
                       WEIR_RUNTIMES) {
        gates g;
        R rt;
        rt.block_on([](gates& to) -> weir::task<> {
            order biased, unbiased;
            co_await weir::join(weir::biased, notes_wakes(0, to[0], biased),
                                notes_wakes(1, to[1], biased), notes_wakes(2, to[2], biased),
                                notifies_backwards(to));
            CHECK(biased == order{0, 1, 2, 0, 1, 2});
            co_await weir::join(notes_wakes(0, to[0], unbiased), notes_wakes(1, to[1], unbiased),
                                notes_wakes(2, to[2], unbiased), notifies_backwards(to));
            CHECK(unbiased.front() == 2);
        }(g));
    }

    TEST_CASE_TEMPLATE("branches that yield keep their order, turn after turn", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            order seen;
            co_await weir::join(weir::biased, notes_turns(1, 3, seen), notes_turns(2, 3, seen),
                                notes_turns(3, 3, seen));
            CHECK(seen == order{1, 2, 3, 1, 2, 3, 1, 2, 3});
        }());
    }

    TEST_CASE_TEMPLATE("the first one has the budget, until it is done", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int second = 0, then = 0;
            co_await weir::join(weir::biased, hungry_first(1000, second, then),
                                hungry(200, second));
            CHECK(then < 20);  // one operation a turn
            second = 0;
            co_await weir::join(hungry_first(1000, second, then), hungry(200, second));
            CHECK(then == 200);
        }());
    }

    TEST_CASE_TEMPLATE("values, exceptions and what is left behind are those of any join", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& values) -> weir::task<> {
            auto both = co_await weir::join(weir::biased, number(5, 1), number(0, 2),
                                            weir::yield_now());
            static_assert(std::is_same_v<decltype(both), std::tuple<int, int, std::monostate>>);
            CHECK(std::get<0>(both) == 1);
            CHECK(std::get<1>(both) == 2);
            std::string thrown;
            try {
                co_await weir::join(weir::biased, holds_for_ever(counted(values)), throws_after(2),
                                    holds_for_ever(counted(values)));
            } catch (const std::runtime_error& e) {
                thrown = e.what();
                CHECK(values.live() == 0);
            }
            CHECK(thrown == "branch");
            auto none = co_await weir::join(weir::biased);
            static_assert(std::is_same_v<decltype(none), std::tuple<>>);
            auto neither = co_await weir::join();
            static_assert(std::is_same_v<decltype(neither), std::tuple<>>);
        }(l));
    }

    TEST_CASE_TEMPLATE("try_join takes the order too", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto ok = co_await weir::try_join(weir::biased, succeeds(1), succeeds(2));
            REQUIRE(ok.has_value());
            CHECK(std::get<1>(*ok) == 2);
            auto bad = co_await weir::try_join(weir::biased, succeeds(1), fails("first"),
                                               fails("second"));
            REQUIRE_FALSE(bad.has_value());
            CHECK(bad.error() == "first");
        }());
    }

    TEST_CASE_TEMPLATE("branches wait for each other, for threads and for tasks", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> sum;
            auto adds = [](weir::mutex<int>& to, int n) -> weir::task<> {
                for (int i = 0; i < 100; ++i) {
                    auto held = co_await to.lock();
                    *held += n;
                    co_await weir::yield_now();
                }
            };
            auto beside = weir::spawn(adds, std::ref(sum), 1);
            co_await weir::join(weir::biased, adds(sum, 10), adds(sum, 100), beside);
            auto all = co_await sum.lock();
            CHECK(*all == 11100);
        }());
    }

    TEST_CASE_TEMPLATE("aborted while its branches are being woken, it leaves nothing", R,
                       WEIR_RUNTIMES) {
        gates g;
        ledger l;
        R rt;
        rt.block_on([](gates& to, ledger& values) -> weir::task<> {
            for (int round = 0; round < 50; ++round) {
                auto waits = weir::spawn([](gates& on, counted) -> weir::task<> {
                    order seen;
                    co_await weir::join(weir::biased, notes_wakes(0, on[0], seen),
                                        notes_wakes(1, on[1], seen), notes_wakes(2, on[2], seen));
                }, std::ref(to), counted(values));
                for (int i = 0; i < round % 5; ++i) co_await weir::yield_now();
                for (auto& n : to) n.notify_waiters();
                waits.abort();
                auto ended = co_await waits.result();
                CHECK_FALSE(ended.has_value());
            }
            CHECK(values.live() == 0);
        }(g, l));
    }
}
