// weir/task_group.hpp

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/task_group.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/unconstrained.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<> add(int& sum, int n, int turns) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    sum += n;
}

weir::task<> add_from(int& sum, weir::oneshot::receiver<int> rx) {
    auto n = co_await rx;
    sum += n.value_or(1000);
}

weir::task<> fails(int turns, std::string text) {
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    throw std::runtime_error(text);
}

weir::task<> waits(counted) {
    for (;;) co_await weir::yield_now();
}

// How many are inside at once.
struct gauge {
    int now = 0;
    int most = 0;
};
weir::task<> measured(gauge& g, int turns) {
    if (++g.now > g.most) g.most = g.now;
    for (int i = 0; i < turns; ++i) co_await weir::yield_now();
    --g.now;
}

std::string message(std::exception_ptr e) {
    try {
        std::rethrow_exception(e);
    } catch (const std::exception& x) {
        return x.what();
    }
}

// What `op` throws; empty if it does not.
template <class Op>
weir::task<std::string> thrown_by(Op op) {
    std::exception_ptr e;
    try {
        co_await std::move(op);
    } catch (...) {
        e = std::current_exception();
    }
    co_return e ? message(e) : std::string();
}

}  // namespace

TEST_SUITE("task_group") {
    TEST_CASE_TEMPLATE("branches borrow from the owner, and join waits for all", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            weir::task_group group;
            for (int i = 1; i <= 10; ++i) co_await group.spawn(add(sum, i, i % 4));
            co_await group.join();
            CHECK(sum == 55);
            CHECK(group.empty());
            co_await group.spawn(add(sum, 1, 1));  // a group can be filled again
            CHECK(group.size() == 1);
            co_await group.join();
            CHECK(sum == 56);
            co_await group.join();  // of none
        }());
    }

    TEST_CASE_TEMPLATE("spawn runs the branch up to where it first waits", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            weir::task_group group;
            co_await group.spawn(add(sum, 1, 0));
            CHECK(sum == 1);
            CHECK(group.empty());
            co_await group.spawn(add(sum, 2, 1));
            CHECK(sum == 1);
            const bool first = co_await group.join_next();
            const bool second = co_await group.join_next();
            const bool third = co_await group.join_next();
            CHECK(sum == 3);
            CHECK(first);
            CHECK(second);
            CHECK_FALSE(third);
        }());
    }

    TEST_CASE_TEMPLATE("branches run while the owner waits for something else", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            auto [go, gone] = weir::oneshot::channel<int>();
            weir::task_group group;
            co_await group.spawn(add(sum, 1, 5));
            co_await group.spawn(add_from(sum, std::move(gone)));
            auto last = [](weir::mpsc::sender<int> out, int& s) -> weir::task<> {
                while (s != 11) co_await weir::yield_now();
                static_cast<void>(co_await out.send(s));
            };
            co_await group.spawn(last(std::move(tx), sum));
            auto other = [](weir::oneshot::sender<int> s) -> weir::task<> {
                static_cast<void>(s.send(10));
                co_return;
            };
            auto elsewhere = weir::spawn(other(std::move(go)));
            auto m = co_await rx.recv();  // no operation of the group
            CHECK(m.value_or(0) == 11);
            co_await elsewhere;
            co_await group.join();
        }());
    }

    TEST_CASE_TEMPLATE("no two branches run in parallel", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int counter = 0;  // not atomic: ThreadSanitizer watches
            auto count = [](int& c, weir::semaphore& s) -> weir::task<> {
                for (int i = 0; i < 100; ++i) {
                    auto p = co_await s.acquire();
                    const int before = c;
                    ++c;
                    CHECK(c == before + 1);
                }
            };
            auto feed = [](weir::semaphore& s) -> weir::task<> {
                for (int i = 0; i < 100; ++i) {
                    s.add_permits(1);
                    co_await weir::yield_now();
                }
            };
            weir::semaphore permits(0);
            auto feeder = weir::spawn(feed(permits));
            weir::task_group group;
            for (int i = 0; i < 4; ++i) co_await group.spawn(count(counter, permits));
            co_await group.join();
            CHECK(counter == 400);
            co_await feeder;
        }());
    }

    TEST_CASE_TEMPLATE("spawn waits where max_concurrency is reached", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            gauge g;
            weir::task_group group({.max_concurrency = 3});
            for (int i = 0; i < 20; ++i) {
                co_await group.spawn(measured(g, i % 5));
                CHECK(group.size() <= 3);
            }
            co_await group.join();
            CHECK(g.most == 3);
            CHECK(g.now == 0);
        }());
    }

    TEST_CASE_TEMPLATE("a spawn that waits goes on when a branch ends, not before", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            auto [tx, rx] = weir::oneshot::channel<int>();
            weir::task_group group({.max_concurrency = 1});
            co_await group.spawn(add_from(sum, std::move(rx)));
            auto late = co_await weir::timeout(1ms, weir::lossy(group.spawn(add(sum, 100, 0))));
            CHECK_FALSE(late.has_value());  // and its branch is destroyed unstarted
            CHECK(tx.send(1).has_value());
            co_await group.spawn(add(sum, 10, 1));
            co_await group.join();
            CHECK(sum == 11);
        }());
    }

    TEST_CASE("a group that could run nothing is refused") {
        CHECK_THROWS_AS(weir::task_group({.max_concurrency = 0}), std::invalid_argument);
    }

    TEST_CASE_TEMPLATE("leaving the scope destroys what is left, at once", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            int sum = 0;
            {
                weir::task_group group({.max_concurrency = 4});
                for (int i = 0; i < 4; ++i) co_await group.spawn(waits(counted(l)));
                co_await weir::yield_now();
                CHECK(l.live() == 4);
            }
            CHECK(l.live() == 0);
            {
                weir::task_group group;
                co_await group.spawn(add(sum, 1, 1000));
            }
            co_await settle();
            CHECK(sum == 0);
        }());
    }

    TEST_CASE_TEMPLATE("an abort of the owner destroys the branches with it", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            auto owns = [](ledger& shared, std::atomic<bool>& started) -> weir::task<> {
                weir::task_group group;
                for (int i = 0; i < 3; ++i) co_await group.spawn(waits(counted(shared)));
                started.store(true);
                co_await group.join();
            };
            std::atomic<bool> started{false};
            auto h = weir::spawn(owns(l, started));
            const bool ran = co_await until([&] { return started.load(); });
            CHECK(ran);
            h.abort();
            auto r = co_await h.result();
            CHECK(r.error().is_cancelled());
            CHECK(l.live() == 0);
        }());
    }

    TEST_CASE_TEMPLATE("a branch that held or waited for a lock hands it on when it is destroyed",
                       R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            auto hold = [](weir::mutex<int>& mutex) -> weir::task<> {
                auto g = co_await mutex.lock();
                ++*g;
                co_await weir::sleep_for(1h);
            };
            {
                weir::task_group group;
                for (int i = 0; i < 3; ++i) co_await group.spawn(hold(m));
                co_await weir::yield_now();
            }
            auto g = co_await m.lock();
            CHECK(*g == 1);
        }());
    }
}

TEST_SUITE("task_group: exceptions") {
    TEST_CASE_TEMPLATE("join throws the first exception and has destroyed the others", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            weir::task_group group;
            for (int i = 0; i < 3; ++i) co_await group.spawn(waits(counted(l)));
            co_await group.spawn(fails(3, "second"));
            co_await group.spawn(fails(2, "first"));
            const std::string text = co_await thrown_by(group.join());
            CHECK(text == "first");
            CHECK(l.live() == 0);
            CHECK(group.empty());
            int sum = 0;
            co_await group.spawn(add(sum, 1, 1));  // usable again
            co_await group.join();
            CHECK(sum == 1);
        }());
    }

    TEST_CASE_TEMPLATE("join_next throws each exception once, the others go on", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            weir::task_group group;
            co_await group.spawn(fails(1, "one"));
            co_await group.spawn(fails(3, "two"));
            co_await group.spawn(add(sum, 1, 5));
            const std::string one = co_await thrown_by(group.join_next());
            const std::string two = co_await thrown_by(group.join_next());
            CHECK(one == "one");
            CHECK(two == "two");
            const bool third = co_await group.join_next();
            CHECK(third);
            CHECK(sum == 1);
            const bool fourth = co_await group.join_next();
            CHECK_FALSE(fourth);
        }());
    }

    TEST_CASE_TEMPLATE("spawn throws what an earlier branch has thrown", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            weir::task_group group({.max_concurrency = 1});
            co_await group.spawn(fails(0, "at once"));
            const std::string first = co_await thrown_by(group.spawn(add(sum, 1, 0)));
            CHECK(first == "at once");
            CHECK(sum == 0);
            co_await group.spawn(fails(2, "later"));
            const std::string second = co_await thrown_by(group.spawn(add(sum, 1, 0)));
            CHECK(second == "later");
            co_await group.spawn(add(sum, 1, 1));
            co_await group.join();
            CHECK(sum == 1);
        }());
    }

    TEST_CASE_TEMPLATE("an exception that nobody joins goes to on_unhandled", R, WEIR_RUNTIMES) {
        auto texts = std::make_shared<std::vector<std::string>>();
        weir::runtime_options o;
        auto keep = [texts](const weir::unhandled_exception_info& info) {
            texts->push_back(message(info.exception));
        };
        o.on_unhandled = weir::unhandled(keep);
        R rt(std::move(o));
        rt.block_on([]() -> weir::task<> {
            weir::task_group group;
            co_await group.spawn(fails(0, "lost"));
        }());
        CHECK(*texts == std::vector<std::string>{"lost"});
    }
}

TEST_SUITE("task_group: details") {
    TEST_CASE_TEMPLATE("branches may spawn into their own group", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            struct crawl {
                static weir::task<> visit(weir::task_group& g, int depth, int& visits) {
                    ++visits;
                    if (depth % 2 == 0) co_await weir::yield_now();
                    for (int i = 0; depth > 0 && i < 2; ++i)
                        co_await g.spawn(visit(g, depth - 1, visits));
                }
            };
            int visits = 0;
            weir::task_group group;
            co_await group.spawn(crawl::visit(group, 7, visits));
            co_await group.join();
            CHECK(visits == 255);
        }());
    }

    TEST_CASE_TEMPLATE("anything that yields nothing can be a branch", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            auto waiting = n.notified();
            weir::task_group group;
            co_await group.spawn(waiting);  // an lvalue is referred to
            co_await group.spawn(weir::sleep_for(1ms));
            co_await group.spawn(weir::yield_now());
            n.notify_waiters();
            co_await group.join();
            CHECK(group.empty());
        }());
    }

    TEST_CASE_TEMPLATE("join_next and join are cancel-safe", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            weir::task_group group;
            for (int i = 0; i < 20; ++i) co_await group.spawn(add(sum, 1, i));
            int joined = 0;
            for (int i = 0; i < 10; ++i) {
                auto r = co_await weir::select(group.join_next(), weir::yield_now());
                if (r.index() == 0 && std::get<0>(r)) ++joined;
                auto all = co_await weir::select(weir::biased, weir::yield_now(), group.join());
                CHECK(all.index() == 0);
            }
            while (co_await group.join_next()) ++joined;
            CHECK(joined == 20);
            CHECK(sum == 20);
        }());
    }

    TEST_CASE_TEMPLATE("groups nest, and end with their branch", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto inner = [](ledger& l, int& sum) -> weir::task<> {
                weir::task_group group({.max_concurrency = 2});
                co_await group.spawn(waits(counted(l)));
                for (int i = 0; i < 5; ++i) co_await group.spawn(add(sum, 1, i));
                while (sum % 5 != 0) co_await weir::yield_now();
            };
            ledger l;
            int sum = 0;
            weir::task_group group;
            for (int i = 0; i < 3; ++i) co_await group.spawn(inner(l, sum));
            co_await group.join();
            CHECK(sum == 15);
            CHECK(l.live() == 0);
        }());
    }

    TEST_CASE_TEMPLATE("a group is used by one task, and joined once at a time", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int sum = 0;
            weir::notify go;
            weir::task_group group;
            auto gated = [](weir::notify& gate, int& total) -> weir::task<> {
                co_await gate.notified();
                ++total;
            };
            co_await group.spawn(gated(go, sum));
            auto use = [](weir::task_group& g, int& s) -> weir::task<> {
                co_await g.spawn(add(s, 1, 0));
            };
            auto other = co_await weir::spawn(use(group, sum)).result();
            REQUIRE_FALSE(other.has_value());
            CHECK(message(other.error().exception()).find("another task") != std::string::npos);
            const std::string inside =
                co_await thrown_by(weir::unconstrained(use(group, sum)));
            CHECK(inside.find("unconstrained") != std::string::npos);
            auto both = weir::join(group.join(), group.join_next());
            const std::string twice = co_await thrown_by(std::move(both));
            CHECK(twice.find("owner alone") != std::string::npos);
            go.notify_one();
            co_await group.join();
            CHECK(sum == 1);
        }());
        weir::task_group outside;
        auto f = start_foreign(outside.join());
        REQUIRE(f.done());
        CHECK_THROWS_AS(f.value(), weir::no_runtime_error);
    }

    TEST_CASE_TEMPLATE("spawning branches that end at once still lets other tasks run", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            bool ran = false;
            auto other = weir::spawn([](bool& flag) -> weir::task<> {
                flag = true;
                co_return;
            }(ran));
            int sum = 0;
            weir::task_group group;
            for (int i = 0; i < 1000; ++i) co_await group.spawn(add(sum, 1, 0));
            CHECK(ran);
            CHECK(sum == 1000);
            co_await other;
        }());
    }
}
