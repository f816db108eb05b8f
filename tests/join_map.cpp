// weir/join_map.hpp

#include <algorithm>
#include <doctest/doctest.h>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <weir/join_map.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>

#include "common/awaiting.hpp"
#include "common/members.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<int> fails() {
    co_await weir::yield_now();
    throw std::runtime_error("no number");
}

// What is left in the map, by key; -1 stands for a task that was cancelled.
weir::task<std::map<std::string, int>> join_all(weir::join_map<std::string, int>& map) {
    std::map<std::string, int> all;
    while (auto ended = co_await map.join_next()) all[ended->first] = ended->second.value_or(-1);
    co_return all;
}

}  // namespace

TEST_SUITE("join_map") {
    TEST_CASE_TEMPLATE("every task is returned once with its key, then the map is empty", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_map<std::string, int> map;
            for (int i = 0; i < 20; ++i) map.spawn(std::to_string(i), number_after(i % 7, i));
            CHECK(map.size() == 20);
            CHECK(map.contains("19"));
            CHECK_FALSE(map.contains("20"));
            auto keys = map.keys();
            CHECK(keys.size() == 20);
            const auto all = co_await join_all(map);
            REQUIRE(all.size() == 20);
            for (int i = 0; i < 20; ++i) CHECK(all.at(std::to_string(i)) == i);
            CHECK(map.empty());
            CHECK_FALSE(map.contains("0"));
            map.spawn("again", number_after(0, 1));
            const auto again = co_await join_all(map);
            CHECK(again == std::map<std::string, int>{{"again", 1}});
        }());
    }

    TEST_CASE_TEMPLATE("a second task under a key aborts and replaces the first", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            weir::join_map<std::string, int> map;
            map.spawn("key", holds_and_waits(counted(book)));
            map.spawn("key", number_after(3, 2));
            CHECK(map.size() == 1);
            const auto all = co_await join_all(map);
            CHECK(all == std::map<std::string, int>{{"key", 2}});
            CHECK(book.live() == 0);  // the replaced task is gone before the map says it is empty
        }(l));
    }

    TEST_CASE_TEMPLATE("the result of a replaced task that had ended is never returned", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_map<std::string, int> map;
            const auto first = map.spawn("key", number_after(0, 1));
            const bool ended = co_await until([&] { return first.is_finished(); });
            CHECK(ended);
            map.spawn("key", number_after(0, 2));
            const auto all = co_await join_all(map);
            CHECK(all == std::map<std::string, int>{{"key", 2}});
        }());
    }

    TEST_CASE_TEMPLATE("abort cancels the task under a key and says whether there is one", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            weir::join_map<std::string, int> map;
            map.spawn("waits", holds_and_waits(counted(book)));
            map.spawn("ends", number_after(2, 5));
            CHECK(map.abort("waits"));
            CHECK_FALSE(map.abort("nothing"));
            CHECK(map.size() == 2);
            const auto all = co_await join_all(map);
            CHECK(all == std::map<std::string, int>{{"ends", 5}, {"waits", -1}});
        }(l));
    }

    TEST_CASE_TEMPLATE("abort_matching cancels exactly the tasks whose key it accepts", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            weir::join_map<int, int> map;
            std::vector<weir::oneshot::sender<int>> gates;
            for (int i = 0; i < 10; ++i) {
                auto [tx, rx] = weir::oneshot::channel<int>();
                map.spawn(i, number_from(std::move(rx)));
                gates.push_back(std::move(tx));
            }
            map.abort_matching([](int key) { return key % 2 == 0; });
            for (auto& g : gates) static_cast<void>(g.send(7));
            int cancelled = 0;
            int values = 0;
            while (auto ended = co_await map.join_next()) {
                if (ended->second) {
                    CHECK(ended->first % 2 == 1);
                    ++values;
                } else {
                    CHECK(ended->second.error().is_cancelled());
                    CHECK(ended->first % 2 == 0);
                    ++cancelled;
                }
            }
            CHECK(cancelled == 5);
            CHECK(values == 5);
            map.spawn(1, holds_and_waits(counted(book)));
            map.abort_all();
            auto last = co_await map.join_next();
            CHECK(last->second.error().is_cancelled());
        }(l));
    }

    TEST_CASE_TEMPLATE("an exception is the outcome under its key", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_map<std::string, int> map;
            map.spawn("bad", fails());
            map.spawn("good", number_after(0, 3));
            int seen = 0;
            while (auto ended = co_await map.join_next()) {
                ++seen;
                CHECK(ended->second.has_value() == (ended->first == "good"));
                if (ended->first == "bad") CHECK(ended->second.error().exception() != nullptr);
            }
            CHECK(seen == 2);
        }());
    }

    TEST_CASE_TEMPLATE("a join_next that loses a select takes no task with it", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_map<int, int> map;
            for (int i = 0; i < 50; ++i) map.spawn(i, number_after(i, i));
            std::vector<int> seen;
            while (!map.empty()) {
                auto r = co_await weir::select(map.join_next(), weir::yield_now());
                if (r.index() == 0) seen.push_back(std::get<0>(r)->second.value());
            }
            std::sort(seen.begin(), seen.end());
            REQUIRE(seen.size() == 50);
            for (int i = 0; i < 50; ++i) CHECK(seen[static_cast<std::size_t>(i)] == i);
        }());
    }

    TEST_CASE_TEMPLATE("shutdown, detach_all, and the end of the map", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            weir::join_map<int, int> map;
            for (int i = 0; i < 5; ++i) map.spawn(i, holds_and_waits(counted(book)));
            co_await map.shutdown();
            CHECK(map.empty());
            CHECK(book.live() == 0);

            auto [tx, rx] = weir::oneshot::channel<int>();
            const auto detached = map.spawn(1, number_from(std::move(rx)));
            map.detach_all();
            CHECK(map.empty());
            auto none = co_await map.join_next();
            CHECK_FALSE(none.has_value());
            CHECK_FALSE(detached.is_finished());
            CHECK(tx.send(1).has_value());
            const bool ended = co_await until([&] { return detached.is_finished(); });
            CHECK(ended);

            {
                weir::join_map<int, int> inner;
                for (int i = 0; i < 5; ++i) inner.spawn(i, holds_and_waits(counted(book)));
                co_await settle();
            }
            const bool gone = co_await until([&] { return book.live() == 0; });
            CHECK(gone);
        }(l));
    }

    TEST_CASE_TEMPLATE("callables, names, other runtimes, and tasks without a value", R,
                       WEIR_RUNTIMES) {
        R rt;
        weir::current_thread_runtime other;
        rt.block_on([](weir::runtime_handle elsewhere) -> weir::task<> {
            weir::join_map<std::unique_ptr<int>, void, std::hash<std::unique_ptr<int>>> map;
            auto key = std::make_unique<int>(1);
            const int* const address = key.get();
            map.spawn(std::move(key), [](int n) -> weir::task<> {
                CHECK(n == 4);
                co_return;
            }, 4);
            auto ended = co_await map.join_next();
            CHECK(ended->first.get() == address);
            CHECK(ended->second.has_value());

            weir::join_map<int, int> numbers;
            numbers.spawn(1, weir::spawn_options{"named"}, number_after(1, 1));
            numbers.spawn_on(elsewhere, 2, number_after(1, 2));
            CHECK(numbers.abort(2));  // nobody drives the other runtime
            auto first = co_await numbers.join_next();
            CHECK(first->first == 1);
        }(other.handle()));
    }
}
