// weir/task_local.hpp

#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/task_group.hpp>
#include <weir/task_local.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task_local<int> request;
weir::task_local<std::string> user;

int seen() { return request.try_get().value_or(-1); }

weir::task<int> nested(int depth) {
    if (depth > 0) co_return co_await nested(depth - 1);
    co_await weir::yield_now();
    co_return request.get();
}

// Looks after each of many suspensions, between which other tasks and other scopes run.
weir::task<int> looks(int turns) {
    int same = 0;
    const int first = seen();
    for (int i = 0; i < turns; ++i) {
        co_await weir::yield_now();
        if (seen() == first) ++same;
    }
    co_return same == turns ? first : -2;
}

// Says what it sees when it is destroyed.
class witness {
public:
    explicit witness(int& out) : out_(&out) {}
    witness(const witness&) = delete;
    witness& operator=(const witness&) = delete;
    ~witness() { *out_ = seen(); }

private:
    int* out_;
};
weir::task<> ends_with_witness(int& out) {
    witness w(out);
    co_await weir::yield_now();
}
weir::task<> waits_with_witness(int& out) {
    witness w(out);
    co_await weir::sleep_for(1h);
}

}  // namespace

TEST_SUITE("task_local") {
    TEST_CASE_TEMPLATE("a value is visible in nested awaits and absent after the scope", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            CHECK_FALSE(request.is_bound());
            const int n = co_await request.scope(5, nested(10));
            CHECK(n == 5);
            CHECK_FALSE(request.is_bound());
            CHECK_FALSE(request.try_get().has_value());
            CHECK_THROWS_AS(static_cast<void>(request.get()), weir::unbound_task_local_error);
            CHECK_THROWS_AS(request.with([](int&) {}), weir::unbound_task_local_error);
        }());
    }

    TEST_CASE_TEMPLATE("a nested scope of the same key shadows and restores", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto outer = []() -> weir::task<std::vector<int>> {
                std::vector<int> list{seen()};
                list.push_back(co_await request.scope(2, nested(1)));
                list.push_back(seen());
                co_await weir::yield_now();
                list.push_back(seen());
                co_return list;
            };
            auto list = co_await request.scope(1, outer());
            CHECK(list == std::vector<int>{1, 2, 1, 1});
        }());
    }

    TEST_CASE_TEMPLATE("two tasks see their own values", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto run = [](int n) -> weir::task<int> {
                co_return co_await request.scope(n, looks(200));
            };
            std::vector<weir::join_handle<int>> handles;
            for (int i = 0; i < 8; ++i) handles.push_back(weir::spawn(run(i)));
            for (int i = 0; i < 8; ++i) {
                const int n = co_await handles[static_cast<std::size_t>(i)];
                CHECK(n == i);
            }
        }());
    }

    TEST_CASE_TEMPLATE("the branches of one task see their own values", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto both = [](int n) -> weir::task<int> {
                auto r = co_await weir::join(looks(30), request.scope(n, looks(20)), looks(10));
                co_return std::get<0>(r) * 100 + std::get<1>(r) * 10 + std::get<2>(r);
            };
            auto r = co_await weir::join(request.scope(1, both(2)), request.scope(3, both(4)));
            CHECK(std::get<0>(r) == 121);
            CHECK(std::get<1>(r) == 343);
        }());
    }

    TEST_CASE_TEMPLATE("a spawned task does not inherit the value", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto spawns = []() -> weir::task<int> {
                auto h = weir::spawn([]() -> weir::task<int> { co_return seen(); });
                co_return co_await h;
            };
            const int n = co_await request.scope(5, spawns());
            CHECK(n == -1);
        }());
    }

    TEST_CASE_TEMPLATE("the value is there in destructors, on completion and on cancellation", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int at_end = 0;
            co_await request.scope(1, ends_with_witness(at_end));
            CHECK(at_end == 1);
            int lost = 0;
            auto r = co_await weir::select(request.scope(2, waits_with_witness(lost)),
                                           weir::yield_now());
            CHECK(r.index() == 1);
            CHECK(lost == 2);
            int aborted = 0;
            auto run = [](int& out) -> weir::task<> {
                co_await request.scope(3, waits_with_witness(out));
            };
            auto h = weir::spawn(run(aborted));
            co_await settle();
            h.abort();
            static_cast<void>(co_await h.result());
            CHECK((aborted == 3 || (parallel && aborted == 0)));
            int unstarted = 0;
            auto owns = [](std::unique_ptr<witness>) -> weir::task<> { co_return; };
            { auto op = request.scope(4, owns(std::make_unique<witness>(unstarted))); }
            CHECK(unstarted == 4);
        }());
    }

    TEST_CASE("sync_scope binds a value for a plain function") {
        CHECK(seen() == -1);
        const int n = request.sync_scope(3, [] {
            const int inner = request.sync_scope(4, [] { return seen(); });
            return inner * 10 + seen();
        });
        CHECK(n == 43);
        CHECK(seen() == -1);
        CHECK_THROWS_AS(request.sync_scope(1, [] { throw std::runtime_error("out"); }),
                        std::runtime_error);
        CHECK(seen() == -1);
    }

    TEST_CASE_TEMPLATE("sync_scope inside of a task", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto run = []() -> weir::task<int> {
                const int n = request.sync_scope(2, [] { return seen(); });
                co_return n * 10 + seen();
            };
            const int n = co_await request.scope(1, run());
            CHECK(n == 21);
        }());
    }

    TEST_CASE("what a thread has bound is not seen by the tasks that it drives") {
        rt_current_thread rt;
        const int n = request.sync_scope(9, [&] {
            return rt.block_on([]() -> weir::task<int> { co_return seen(); }());
        });
        CHECK(n == -1);
    }
}

TEST_SUITE("task_local: details") {
    TEST_CASE_TEMPLATE("with gives access to the value itself", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto grows = []() -> weir::task<std::string> {
                for (int i = 0; i < 3; ++i) {
                    user.with([](std::string& s) { s += 'x'; });
                    co_await weir::yield_now();
                }
                co_return user.get();
            };
            const std::string s = co_await user.scope("a", grows());
            CHECK(s == "axxx");
        }());
    }

    TEST_CASE_TEMPLATE("two keys at once, and a value that only moves", R, WEIR_RUNTIMES) {
        static weir::task_local<std::unique_ptr<int>> owned;
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto reads = []() -> weir::task<int> {
                co_await weir::yield_now();
                co_return seen() + owned.with([](auto& p) { return *p; }) +
                    static_cast<int>(user.get().size());
            };
            auto value = std::make_unique<int>(100);
            auto inner = request.scope(10, reads());
            auto middle = owned.scope(std::move(value), std::move(inner));
            const int n = co_await user.scope("four", std::move(middle));
            CHECK(n == 114);
        }());
    }

    TEST_CASE_TEMPLATE("everything that waits works inside of a scope", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto all = [](weir::mutex<int>& m) -> weir::task<int> {
                auto [tx, rx] = weir::mpsc::channel<int>(1);
                auto sends = [](weir::mpsc::sender<int> out) -> weir::task<> {
                    for (int i = 0; i < 50; ++i) static_cast<void>(co_await out.send(seen()));
                };
                auto h = weir::spawn([](weir::mutex<int>& shared) -> weir::task<> {
                    auto g = co_await shared.lock();
                    co_await weir::yield_now();
                    ++*g;
                }(m));
                auto sums = [](weir::mpsc::receiver<int> in) -> weir::task<int> {
                    int sum = 0;
                    while (auto n = co_await in.recv()) sum += *n;
                    co_return sum;
                };
                auto r = co_await weir::join(sends(std::move(tx)), sums(std::move(rx)));
                auto late = co_await weir::timeout(1ms, weir::sleep_for(1h));
                CHECK_FALSE(late.has_value());
                co_await h;
                auto g = co_await m.lock();
                co_return std::get<1>(r) + *g + seen();
            };
            weir::mutex<int> m(0);
            const int n = co_await request.scope(2, all(m));
            CHECK(n == 103);
        }());
    }

    TEST_CASE_TEMPLATE("a group that is made inside of a scope runs inside of it", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto fans_out = []() -> weir::task<int> {
                auto adds = [](int& sum) -> weir::task<> {
                    co_await weir::yield_now();
                    sum += seen();
                };
                int sum = 0;
                weir::task_group group({.max_concurrency = 2});
                for (int i = 0; i < 5; ++i) co_await group.spawn(adds(sum));
                co_await group.join();
                co_return sum;
            };
            const int n = co_await request.scope(3, fans_out());
            CHECK(n == 15);
        }());
    }

    TEST_CASE_TEMPLATE("a scope shares the budget of the task around it", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int turns = 0;
            auto watch = [](int& n) -> weir::task<> {
                for (;; ++n) co_await weir::yield_now();
            };
            auto watcher = weir::spawn(watch(turns));
            auto consume = [](int n) -> weir::task<> {
                for (int i = 0; i < n; ++i) co_await weir::this_task::consume_budget();
            };
            co_await weir::yield_now();
            const int before = turns;
            for (int i = 0; i < 10; ++i) co_await request.scope(i, consume(100));
            CHECK(turns - before >= 7);  // 1000 operations at 128 a turn
            watcher.abort();
        }());
    }

    TEST_CASE_TEMPLATE("wakes from other threads while scopes come and go", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto races = [](weir::oneshot::receiver<int> rx) -> weir::task<int> {
                static_cast<void>(co_await weir::select(rx, weir::yield_now()));
                co_return seen();
            };
            auto send = [](weir::oneshot::sender<int> tx) -> weir::task<> {
                static_cast<void>(tx.send(1));
                co_return;
            };
            for (int i = 0; i < 500; ++i) {
                auto [tx, rx] = weir::oneshot::channel<int>();
                auto h = weir::spawn(send(std::move(tx)));
                auto r = co_await weir::select(request.scope(i, races(std::move(rx))),
                                               weir::this_task::consume_budget(),
                                               weir::sleep_for(1h));
                if (r.index() == 0) CHECK(std::get<0>(r) == i);
                co_await h;
            }
        }());
    }

    TEST_CASE("a coroutine that is not ours and a plain thread can open a scope") {
        auto [tx, rx] = weir::oneshot::channel<int>();
        auto receives = [](weir::oneshot::receiver<int> in) -> weir::task<int> {
            auto n = co_await in;
            co_return n.value_or(0) + seen();
        };
        auto f = start_foreign(request.scope(5, receives(std::move(rx))));
        CHECK_FALSE(f.done());
        std::thread([](weir::oneshot::sender<int> s) { static_cast<void>(s.send(10)); },
                    std::move(tx)).join();
        REQUIRE(f.done());
        CHECK(f.value() == 15);
    }
}
