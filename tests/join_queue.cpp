// weir/join_queue.hpp

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/join_queue.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>

#include "common/awaiting.hpp"
#include "common/members.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<int> fails(std::string text) {
    co_await weir::yield_now();
    throw std::runtime_error(text);
}

using gates = std::vector<weir::oneshot::sender<int>>;

// A queue of tasks each of which ends with the number that is sent to it.
gates fill(weir::join_queue<int>& queue, int n) {
    gates senders;
    for (int i = 0; i < n; ++i) {
        auto [tx, rx] = weir::oneshot::channel<int>();
        queue.spawn(number_from(std::move(rx)));
        senders.push_back(std::move(tx));
    }
    return senders;
}

void send(gates& g, std::size_t i, int n) { CHECK(g[i].send(n).has_value()); }

}  // namespace

TEST_SUITE("join_queue") {
    TEST_CASE_TEMPLATE("results come in the order of the spawns, whoever ends first", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_queue<int> queue;
            gates g = fill(queue, 3);
            auto next = [](weir::join_queue<int>& q) -> weir::task<int> {
                auto ended = co_await q.join_next();
                co_return ended->value();
            };
            send(g, 2, 20);
            send(g, 1, 10);
            co_await settle();
            CHECK_FALSE(queue.try_join_next().has_value());
            CHECK(queue.size() == 3);
            auto joined = co_await weir::select(next(queue), settle());
            CHECK(joined.index() == 1);
            CHECK(queue.size() == 3);
            send(g, 0, 0);
            std::vector<int> order;
            while (auto ended = co_await queue.join_next()) order.push_back(ended->value());
            CHECK(order == std::vector<int>{0, 10, 20});
            CHECK(queue.empty());

            queue.spawn(number_after(1, 4));  // it can be filled again
            auto last = co_await next(queue);
            CHECK(last == 4);
        }());
    }

    TEST_CASE_TEMPLATE("try_join_next takes the oldest task once it has ended", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_queue<int> queue;
            CHECK_FALSE(queue.try_join_next().has_value());
            auto oldest = queue.spawn(number_after(3, 1));
            auto ended = co_await until([&] { return oldest.is_finished(); });
            CHECK(ended);
            auto got = queue.try_join_next();
            REQUIRE(got.has_value());
            CHECK(got->value() == 1);
            CHECK(queue.empty());
        }());
    }

    TEST_CASE_TEMPLATE("join_next_with_id returns the id that the task had at its spawn", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_queue<int> queue;
            const auto first = queue.spawn(number_after(2, 1)).id();
            const auto second = queue.spawn(fails("second")).id();
            auto a = co_await queue.join_next_with_id();
            CHECK(a->first == first);
            CHECK(a->second.value() == 1);
            auto b = co_await queue.join_next_with_id();
            CHECK(b->first == second);
            CHECK(b->second.error().task() == second);
            auto none = co_await queue.join_next_with_id();
            CHECK_FALSE(none.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("join_all returns the values in order, and throws the oldest exception", R,
                       WEIR_RUNTIMES) {
        ledger l;
        weir::runtime_options options;
        options.on_unhandled = weir::unhandled::ignore;  // of those that nobody joins any more
        R rt(std::move(options));
        rt.block_on([](ledger& values) -> weir::task<> {
            weir::join_queue<int> queue;
            for (int i = 0; i < 5; ++i) queue.spawn(number_after(9 - i, i));
            auto all = co_await queue.join_all();
            CHECK(all == std::vector<int>{0, 1, 2, 3, 4});
            queue.spawn(number_after(1, 1));
            queue.spawn(fails("older"));
            queue.spawn(fails("newer"));
            queue.spawn(holds_and_waits(counted(values)));
            std::string thrown;
            try {
                co_await queue.join_all();
            } catch (const std::runtime_error& e) {
                thrown = e.what();
            }
            CHECK(thrown == "older");
            CHECK(queue.empty());
            auto gone = co_await until([&] { return values.live() == 0; });
            CHECK(gone);

            weir::join_queue<> without_value;
            without_value.spawn([]() -> weir::task<> { co_await weir::yield_now(); });
            co_await without_value.join_all();
            CHECK(without_value.empty());
        }(l));
    }

    TEST_CASE_TEMPLATE("its tasks are aborted with it, by abort_all and by shutdown", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& values) -> weir::task<> {
            weir::join_queue<int> queue;
            queue.spawn(holds_and_waits(counted(values)));
            queue.spawn(holds_and_waits(counted(values)));
            queue.abort_all();
            CHECK(queue.size() == 2);
            auto first = co_await queue.join_next();
            CHECK(first->error().is_cancelled());
            queue.spawn(fails("on the way"));
            co_await queue.shutdown();
            CHECK(queue.empty());
            CHECK(values.live() == 0);
            {
                weir::join_queue<int> dropped;
                dropped.spawn(holds_and_waits(counted(values)));
                dropped = weir::join_queue<int>();
                dropped.spawn(holds_and_waits(counted(values)));
            }
            auto gone = co_await until([&] { return values.live() == 0; });
            CHECK(gone);
        }(l));
    }

    TEST_CASE_TEMPLATE("detach_all lets the tasks go on when the queue is gone", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> ended{0};
        R rt;
        rt.block_on([](std::atomic<int>& count) -> weir::task<> {
            {
                weir::join_queue<> queue;
                for (int i = 0; i < 3; ++i)
                    queue.spawn([](std::atomic<int>& n) -> weir::task<> {
                        co_await settle();
                        ++n;
                    }, std::ref(count));
                queue.detach_all();
                CHECK(queue.empty());
            }
            auto all = co_await until([&] { return count == 3; });
            CHECK(all);
        }(ended));
    }

    TEST_CASE_TEMPLATE("a second join_next at once is an error, and takes nothing", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_queue<int> queue;
            gates g = fill(queue, 2);
            auto next = [](weir::join_queue<int>& q) -> weir::task<int> {
                auto ended = co_await q.join_next();
                co_return ended->value();
            };
            auto refused = [](weir::join_queue<int>& q, gates& to) -> weir::task<> {
                int errors = 0;
                try {
                    co_await q.join_next();
                } catch (const std::logic_error&) {
                    ++errors;
                }
                try {
                    q.detach_all();
                } catch (const std::logic_error&) {
                    ++errors;
                }
                CHECK(errors == 2);
                send(to, 0, 5);
            };
            auto both = co_await weir::join(next(queue), refused(queue, g));
            CHECK(std::get<0>(both) == 5);
            CHECK(queue.size() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("join_next takes part in the budget", R, WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::join_queue<int> queue;
            for (int i = 0; i < 300; ++i) queue.spawn(number_after(0, i));
            co_await settle();
            int others = 0;
            auto beside = weir::spawn([](int& n) -> weir::task<> {
                for (;;) {
                    ++n;
                    co_await weir::yield_now();
                }
            }, std::ref(others));
            while (auto ended = co_await queue.join_next()) {
            }
            CHECK(others >= 2);
            beside.abort();
            static_cast<void>(co_await beside.result());
        }());
    }

    TEST_CASE_TEMPLATE("its tasks may be local ones, and functions that block", R, WEIR_RUNTIMES) {
        R rt;
        weir::local_set local;
        local.block_on(rt, []() -> weir::task<> {
            const auto here = std::this_thread::get_id();
            weir::join_queue<bool> queue;
            queue.spawn_local([here]() -> weir::task<bool> {
                co_await weir::yield_now();
                co_return std::this_thread::get_id() == here;
            });
            queue.spawn_blocking([here] { return std::this_thread::get_id() != here; });
            queue.spawn_on(weir::runtime_handle::current(),
                           []() -> weir::task<bool> { co_return true; });
            auto all = co_await queue.join_all();
            CHECK(all == std::vector<bool>{true, true, true});
        }());
    }
}
