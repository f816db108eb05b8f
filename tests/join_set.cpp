// weir/join_set.hpp

#include <algorithm>
#include <atomic>
#include <doctest/doctest.h>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/join_set.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/members.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<int> number(int n) { co_return n; }

weir::task<int> fails(std::string text) {
    co_await weir::yield_now();
    throw std::runtime_error(text);
}

using gates = std::vector<weir::oneshot::sender<int>>;

// A set of tasks each of which ends with the number that is sent to it.
gates fill(weir::join_set<int>& set, int n) {
    gates senders;
    for (int i = 0; i < n; ++i) {
        auto [tx, rx] = weir::oneshot::channel<int>();
        set.spawn(number_from(std::move(rx)));
        senders.push_back(std::move(tx));
    }
    return senders;
}

void send(gates& g, std::size_t i, int n) { static_cast<void>(g[i].send(n)); }

}  // namespace

TEST_SUITE("join_set") {
    TEST_CASE_TEMPLATE("tasks of different length are all returned once, then the set is empty", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            for (int i = 0; i < 10; ++i) set.spawn(number_after((i * 7) % 10, i));
            std::vector<int> seen;
            while (auto ended = co_await set.join_next()) seen.push_back(ended->value());
            std::sort(seen.begin(), seen.end());
            CHECK(seen == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
            CHECK(set.empty());
            CHECK_FALSE(set.try_join_next().has_value());
        }());
    }

    TEST_CASE_TEMPLATE("join_next returns tasks in the order of their ending", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            gates g = fill(set, 3);
            std::vector<int> order;
            for (const std::size_t i : {2u, 0u, 1u}) {
                send(g, i, static_cast<int>(i));
                auto ended = co_await set.join_next();
                order.push_back(ended->value());
            }
            CHECK(order == std::vector<int>{2, 0, 1});
        }());
    }

    TEST_CASE_TEMPLATE("what has ended before it is joined is returned in that order too", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            gates g = fill(set, 4);
            for (const std::size_t i : {3u, 1u, 0u, 2u}) {
                send(g, i, static_cast<int>(i));
                co_await settle();
            }
            auto order = co_await set.join_all();
            CHECK(order == std::vector<int>{3, 1, 0, 2});
        }());
    }

    TEST_CASE_TEMPLATE("an empty set returns nullopt, and can be filled again", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            for (int round = 0; round < 3; ++round) {
                auto none = co_await set.join_next();
                CHECK_FALSE(none.has_value());
                set.spawn(number(round));
                auto one = co_await set.join_next();
                REQUIRE(one.has_value());
                CHECK(one->value() == round);
            }
        }());
    }

    TEST_CASE_TEMPLATE("size counts what runs and what has ended unjoined", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            CHECK(set.size() == 0);
            gates g = fill(set, 3);
            CHECK(set.size() == 3);
            send(g, 0, 1);
            co_await settle();
            CHECK(set.size() == 3);
            auto first = co_await set.join_next();
            CHECK(first->value() == 1);
            CHECK(set.size() == 2);
            for (int i = 0; i < 5; ++i) {  // spawning and joining in turns keeps the count right
                set.spawn(number(i));
                CHECK(set.size() == 3);
                auto next = co_await set.join_next();
                CHECK(next->value() == i);
                CHECK(set.size() == 2);
            }
        }());
    }

    TEST_CASE_TEMPLATE("abort_all leaves the tasks in the set until they are joined", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            set.spawn(number(7));
            gates g = fill(set, 4);
            co_await settle();
            set.abort_all();
            CHECK(set.size() == 5);
            int cancelled = 0;
            int values = 0;
            while (auto ended = co_await set.join_next()) {
                if (ended->has_value())
                    ++values;
                else if (ended->error().is_cancelled())
                    ++cancelled;
            }
            CHECK(cancelled + values == 5);
            CHECK(cancelled >= 4);
            CHECK(set.size() == 0);
        }());
    }

    TEST_CASE_TEMPLATE("shutdown destroys all tasks, whatever they end with", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            weir::join_set<int> set;
            set.spawn(fails("nobody hears this"));
            for (int i = 0; i < 5; ++i) set.spawn(holds_and_waits(counted(l)));
            set.spawn(number(1));
            co_await set.shutdown();
            CHECK(set.empty());
            CHECK(l.live() == 0);
        }());
    }

    TEST_CASE_TEMPLATE("detach_all lets the tasks go on when the set is gone", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto done = std::make_shared<std::atomic<int>>(0);
            gates g;
            {
                weir::join_set<> set;
                for (int i = 0; i < 4; ++i) {
                    auto [tx, rx] = weir::oneshot::channel<int>();
                    set.spawn([](weir::oneshot::receiver<int> r, auto count) -> weir::task<> {
                        auto n = co_await r;
                        count->fetch_add(n.value_or(100));
                    }, std::move(rx), done);
                    g.push_back(std::move(tx));
                }
                set.detach_all();
                CHECK(set.empty());
                auto none = co_await set.join_next();
                CHECK_FALSE(none.has_value());
            }
            for (std::size_t i = 0; i < 4; ++i) send(g, i, 1);
            const bool all = co_await until([&] { return done->load() == 4; });
            CHECK(all);
        }());
    }

    TEST_CASE_TEMPLATE("destroying the set aborts its tasks", R, WEIR_RUNTIMES) {
        ledger all;  // outlives the threads that report to it
        R rt;
        rt.block_on([](ledger& l) -> weir::task<> {
            {
                weir::join_set<int> set;
                for (int i = 0; i < 10; ++i) set.spawn(holds_and_waits(counted(l)));
                set.spawn(number(1));
                co_await settle();
            }
            const bool gone = co_await until([&] { return l.live() == 0; });
            CHECK(gone);
        }(all));
    }

    TEST_CASE_TEMPLATE("a join_next that loses a select takes no task with it", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            for (int i = 0; i < 50; ++i) set.spawn(number_after(i, i));
            std::vector<int> seen;
            while (!set.empty()) {
                auto r = co_await weir::select(set.join_next(), weir::yield_now());
                if (r.index() == 0) seen.push_back(std::get<0>(r)->value());
            }
            std::sort(seen.begin(), seen.end());
            REQUIRE(seen.size() == 50);
            for (int i = 0; i < 50; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
        }());
    }

    TEST_CASE_TEMPLATE("join_next_with_id returns the id that the task had at its spawn", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            std::map<weir::task_id, int> expected;
            for (int i = 0; i < 5; ++i) expected[set.spawn(number(i)).id()] = i;
            auto doomed = set.spawn(number_after(1'000'000'000, 0));
            doomed.abort();
            int cancelled = 0;
            while (auto ended = co_await set.join_next_with_id()) {
                auto& [id, outcome] = *ended;
                if (outcome.has_value()) {
                    CHECK(expected.at(id) == *outcome);
                } else {
                    ++cancelled;
                    CHECK(id == doomed.id());
                    CHECK(outcome.error().task() == doomed.id());
                }
            }
            CHECK(cancelled == 1);
        }());
    }

    TEST_CASE_TEMPLATE("a task whose runtime has ended is returned as cancelled", R,
                       WEIR_RUNTIMES) {
        weir::join_set<int> set;
        {
            R rt;
            auto g = rt.handle();
            set.spawn_on(g, [] { return number_after(1'000'000'000, 1); });
        }
        weir::block_on([](weir::join_set<int>& s) -> weir::task<> {
            auto ended = co_await s.join_next();
            REQUIRE(ended.has_value());
            REQUIRE_FALSE(ended->has_value());
            CHECK(ended->error().is_cancelled());
        }(set));
        weir::runtime_handle const ended = [] { return R().handle(); }();
        set.spawn_on(ended, number(1));  // a runtime that has ended before
        auto at_once = set.try_join_next();
        REQUIRE(at_once.has_value());
        CHECK_FALSE(at_once->has_value());
    }

    TEST_CASE_TEMPLATE("an exception is the task's outcome and leaves the others alone", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            set.spawn(fails("text"));
            auto ended = co_await set.join_next();
            REQUIRE_FALSE(ended->has_value());
            CHECK_FALSE(ended->error().is_cancelled());
            CHECK(ended->error().what().find("text") != std::string::npos);
            set.spawn(number(3));
            auto other = co_await set.join_next();
            CHECK(other->value() == 3);
        }());
    }

    TEST_CASE_TEMPLATE("join_all returns the values, and throws the first exception", R,
                       WEIR_RUNTIMES) {
        ledger all;  // outlives the threads that report to it
        R rt;
        rt.block_on([](ledger& l) -> weir::task<> {
            weir::join_set<int> set;
            for (int i = 0; i < 5; ++i) set.spawn(number(i));
            auto values = co_await set.join_all();
            CHECK(values.size() == 5);
            for (int i = 0; i < 5; ++i) set.spawn(holds_and_waits(counted(l)));
            set.spawn(fails("first"));
            std::string text;
            try {
                static_cast<void>(co_await set.join_all());
            } catch (const std::runtime_error& e) {
                text = e.what();
            }
            CHECK(text == "first");
            CHECK(set.empty());
            const bool gone = co_await until([&] { return l.live() == 0; });
            CHECK(gone);  // the rest has been aborted
        }(all));
    }

    TEST_CASE_TEMPLATE("join_all of tasks without a value, and of one that was aborted", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<> set;
            for (int i = 0; i < 3; ++i) set.spawn([]() -> weir::task<> { co_return; });
            co_await set.join_all();
            CHECK(set.empty());
            set.spawn(run_operation(weir::sleep_for(1h))).abort();
            bool cancelled = false;
            try {
                co_await set.join_all();
            } catch (const weir::task_cancelled&) {
                cancelled = true;
            }
            CHECK(cancelled);
        }());
    }
}

TEST_SUITE("join_set details") {
    TEST_CASE_TEMPLATE("join_next takes part in the budget, try_join_next does not", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            auto watch = [](int& turns) -> weir::task<> {
                for (;; ++turns) co_await weir::yield_now();
            };
            int turns = 0;
            auto watcher = weir::spawn(watch(turns));
            for (int i = 0; i < 300; ++i) set.spawn(number(i));
            co_await settle();
            turns = 0;
            for (int i = 0; i < 150; ++i) CHECK(set.try_join_next().has_value());
            CHECK(turns == 0);
            for (int i = 0; i < 150; ++i) static_cast<void>(co_await set.join_next());
            CHECK(turns > 0);
            watcher.abort();
        }());
    }

    TEST_CASE_TEMPLATE("two waits share a set, and both end when it becomes empty", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> set;
            gates g = fill(set, 1);
            auto open = [](gates& senders) -> weir::task<> {
                co_await weir::yield_now();
                send(senders, 0, 5);
            };
            auto r = co_await weir::join(set.join_next(), set.join_next(), open(g));
            auto& first = std::get<0>(r);
            auto& second = std::get<1>(r);
            CHECK(first.has_value() != second.has_value());
            CHECK((first ? first : second)->value() == 5);
        }());
    }

    TEST_CASE_TEMPLATE("a set moves, and is used where it has moved to", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<int> a;
            a.spawn(number(1));
            weir::join_set<int> b = std::move(a);
            CHECK(a.empty());  // NOLINT: the state after a move is part of the interface
            a.spawn(number(2));
            auto one = co_await b.join_next();
            auto two = co_await a.join_next();
            CHECK(one->value() == 1);
            CHECK(two->value() == 2);
        }());
    }

    TEST_CASE_TEMPLATE("results may be move-only", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<std::unique_ptr<int>> set;
            auto make = []() -> weir::task<std::unique_ptr<int>> {
                co_return std::make_unique<int>(6);
            };
            set.spawn(make);
            auto one = co_await set.join_next();
            CHECK(*one->value() == 6);
            set.spawn(make);
            auto all = co_await set.join_all();
            CHECK(*all.at(0) == 6);
        }());
    }

    TEST_CASE_TEMPLATE("spawn keeps a callable alive and takes a name", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_set<std::string> set;
            auto text = std::make_shared<std::string>("held by the lambda");
            auto body = [text](int times) -> weir::task<std::string> {
                for (int i = 0; i < times; ++i) co_await weir::yield_now();
                co_return *text;
            };
            set.spawn(std::move(body), 3);
            const weir::spawn_options options{"named"};
            set.spawn(options, []() -> weir::task<std::string> { co_return "named"; });
            auto all = co_await set.join_all();
            std::sort(all.begin(), all.end());
            CHECK(all == std::vector<std::string>{"held by the lambda", "named"});
        }());
    }

    TEST_CASE("a coroutine that is not ours and a plain thread can use a set") {
        rt_multi_thread<2> rt;
        weir::join_set<int> set;
        for (int i = 0; i < 3; ++i) set.spawn_on(rt.handle(), [i] { return number(i); });
        int sum = 0;
        for (int i = 0; i < 3; ++i) {
            auto f = start_foreign(set.join_next());
            while (!f.done()) std::this_thread::yield();
            sum += f.value()->value();
        }
        CHECK(sum == 3);
        auto none = start_foreign(set.join_next());
        CHECK(none.done());
    }

    TEST_CASE_TEMPLATE("sets that come and go while their tasks end lose nothing", R,
                       WEIR_RUNTIMES) {
        ledger all;  // outlives the threads that report to it
        R rt;
        rt.block_on([](ledger& l) -> weir::task<> {
            auto ends = [](counted c, int turns) -> weir::task<int> {
                for (int i = 0; i < turns; ++i) co_await weir::yield_now();
                co_return c.value;
            };
            for (int round = 0; round < 300; ++round) {
                weir::join_set<int> set;
                for (int i = 0; i < 4; ++i) set.spawn(ends(counted(l, i), i % 3));
                if (round % 3 == 0) set.detach_all();
                if (round % 3 == 1) static_cast<void>(co_await set.join_next());
            }
            const bool gone = co_await until([&] { return l.live() == 0; });
            CHECK(gone);
        }(all));
    }
}
