// weir/select.hpp: the first branch wins, the others are destroyed before the caller goes on.

#include <cstddef>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

template <class T>
weir::task<T> after_yields(int n, T value) {
    for (int i = 0; i < n; ++i) co_await weir::yield_now();
    co_return value;
}

weir::task<> holds_for_ever(counted) {
    for (;;) co_await weir::yield_now();
}

weir::task<int> throws_after(int n) {
    for (int i = 0; i < n; ++i) co_await weir::yield_now();
    throw std::runtime_error("branch");
}

weir::task<> counts_start(int& started) {
    ++started;
    for (;;) co_await weir::yield_now();
}

template <std::size_t... I>
weir::task<std::size_t> first_of(std::vector<weir::notify>& events, std::index_sequence<I...>) {
    auto v = co_await weir::select(events[I].notified()...);
    co_return v.index();
}

}  // namespace

TEST_SUITE("select") {
    TEST_CASE_TEMPLATE("the result is a variant in branch order whose index says who won", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto v = co_await weir::select(after_yields(9, 1), after_yields<std::string>(1, "b"));
            static_assert(std::is_same_v<decltype(v), std::variant<int, std::string>>);
            REQUIRE(v.index() == 1);
            CHECK(std::get<1>(v) == "b");
        }());
    }

    TEST_CASE_TEMPLATE("branches of the same type, and without a value, are told apart", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto v = co_await weir::select(after_yields(9, 1), after_yields(1, 2));
            static_assert(std::is_same_v<decltype(v), std::variant<int, int>>);
            REQUIRE(v.index() == 1);
            CHECK(std::get<1>(v) == 2);

            auto w = co_await weir::select(settle(), weir::yield_now());
            using nothing = std::variant<std::monostate, std::monostate>;
            static_assert(std::is_same_v<decltype(w), nothing>);
            CHECK(w.index() == 1);
        }());
    }

    TEST_CASE_TEMPLATE("move-only results pass", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto v = co_await weir::select(after_yields(1, std::make_unique<int>(4)), settle());
            REQUIRE(v.index() == 0);
            CHECK(*std::get<0>(v) == 4);
        }());
    }

    TEST_CASE_TEMPLATE("of two ready branches one wins, and each does at times", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int wins[2] = {0, 0};
            for (int i = 0; i < 200; ++i) {
                auto v = co_await weir::select(after_yields(0, 1), after_yields(0, 2));
                ++wins[v.index()];
            }
            CHECK(wins[0] + wins[1] == 200);
            CHECK(wins[0] > 20);
            CHECK(wins[1] > 20);
        }());
    }

    TEST_CASE_TEMPLATE("biased tries from the top, every time", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (int i = 0; i < 100; ++i) {
                auto v = co_await weir::select(weir::biased, after_yields(0, 1),
                                               after_yields(0, 2), after_yields(0, 3));
                CHECK(v.index() == 0);
                auto w = co_await weir::select(weir::biased, after_yields(5, 1),
                                               after_yields(0, 2), after_yields(0, 3));
                CHECK(w.index() == 1);
            }
        }());
    }

    TEST_CASE_TEMPLATE("a biased select does not start what comes after a ready branch", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            int started = 0;
            auto v = co_await weir::select(weir::biased, after_yields(0, 1),
                                           counts_start(started));
            CHECK(v.index() == 0);
            CHECK(started == 0);
        }());
    }

    TEST_CASE_TEMPLATE("all branches are destroyed before the caller goes on", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            for (int i = 0; i < 10; ++i) {
                auto v = co_await weir::select(holds_for_ever(counted(book)), after_yields(i, 1),
                                               holds_for_ever(counted(book)));
                CHECK(v.index() == 1);
                CHECK(book.live() == 0);
            }
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("what the losers borrowed may be used at once", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            std::optional held(co_await m.lock());
            auto branch = [](weir::mutex<int>& shared) -> weir::task<> {
                auto g = co_await shared.lock();
                ++*g;
            };
            auto v = co_await weir::select(branch(m), weir::yield_now());
            CHECK(v.index() == 1);
            held.reset();
            auto g = m.try_lock();
            REQUIRE(g.has_value());  // nobody queues any more
            CHECK(**g == 0);
        }());
    }

    TEST_CASE_TEMPLATE("a branch that throws wins, and the exception travels on", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            bool caught = false;
            try {
                auto v = co_await weir::select(holds_for_ever(counted(book)), throws_after(3));
                static_cast<void>(v);
            } catch (const std::runtime_error&) {
                caught = true;
                CHECK(book.live() == 0);
            }
            CHECK(caught);
        }(l));
    }

    TEST_CASE_TEMPLATE("selects nest", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto v = co_await weir::select(
                settle(), weir::select(settle(), weir::select(settle(), after_yields(2, 7))));
            REQUIRE(v.index() == 1);
            auto& inner = std::get<1>(v);
            REQUIRE(inner.index() == 1);
            REQUIRE(std::get<1>(inner).index() == 1);
            CHECK(std::get<1>(std::get<1>(inner)) == 7);
        }());
    }

    TEST_CASE_TEMPLATE("aborting a task destroys the branches of its select", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto p = co_await start(weir::select(holds_for_ever(counted(book)),
                                                 holds_for_ever(counted(book))));
            CHECK_WAITS(p);
            CHECK(book.live() == 2);
            co_await p.abort();
            CHECK(book.live() == 0);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a select that is never awaited starts nothing", R, WEIR_RUNTIMES) {
        R rt;
        int started = 0;
        { auto never = weir::select(counts_start(started), counts_start(started)); }
        CHECK(started == 0);
    }

    TEST_CASE_TEMPLATE("sixty-four branches work, whichever wins", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            constexpr auto all = std::make_index_sequence<64>();
            for (std::size_t winner = 0; winner < 64; ++winner) {
                std::vector<weir::notify> events(64);
                auto racing = co_await start(first_of(events, all));
                events[winner].notify_one();
                REQUIRE_COMPLETES(racing);
                const std::size_t won = co_await racing.handle;
                CHECK(won == winner);
            }
        }());
    }

    TEST_CASE_TEMPLATE("a select is an expression, also inside of another one", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            const int n = std::get<1>(co_await weir::select(
                              weir::biased, weir::sleep_for(1h),
                              weir::select(weir::biased, after_yields(2, 20),
                                           weir::select(after_yields(30, 1), weir::sleep_for(1h)))))
                              .index() == 0
                              ? 1
                              : 2;
            CHECK(n == 1);
            const int sum = std::get<0>(co_await weir::select(after_yields(1, 20))) +
                            std::get<0>(co_await weir::select(after_yields(1, 22)));
            CHECK(sum == 42);
        }());
    }
}

TEST_SUITE("select loses nothing") {
    TEST_CASE_TEMPLATE("a recv that loses takes no message", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(64);
            auto [tx2, rx2] = weir::mpsc::channel<int>(64);
            for (int i = 0; i < 64; ++i) {
                CHECK(tx.try_send(i).has_value());
                CHECK(tx2.try_send(i).has_value());
            }
            int next = 0;
            int next2 = 0;
            for (int i = 0; i < 64; ++i) {
                auto v = co_await weir::select(rx.recv(), rx2.recv());
                if (v.index() == 0) {
                    CHECK(std::get<0>(v) == next++);
                } else {
                    CHECK(std::get<1>(v) == next2++);
                }
            }
            CHECK(next + next2 == 64);
            CHECK(rx.size() + rx2.size() == 64);
        }());
    }

    TEST_CASE_TEMPLATE("two receivers woken in the same turn: the loser keeps its message", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            auto [tx2, rx2] = weir::mpsc::channel<int>(1);
            for (int i = 0; i < 20; ++i) {
                auto p = co_await start(weir::select(rx.recv(), rx2.recv()));
                CHECK(tx.try_send(1).has_value());
                CHECK(tx2.try_send(2).has_value());
                REQUIRE_COMPLETES(p);
                auto v = co_await p.handle;
                CHECK(rx.size() == (v.index() == 0 ? 0u : 1u));
                CHECK(rx2.size() == (v.index() == 1 ? 0u : 1u));
                if (v.index() == 0) {
                    CHECK(rx2.try_recv() == 2);
                } else {
                    CHECK(rx.try_recv() == 1);
                }
            }
        }());
    }

    TEST_CASE_TEMPLATE("a lock granted to a branch in the turn it loses moves on", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            for (int i = 0; i < 20; ++i) {
                std::optional held(co_await m.lock());
                auto [tx, rx] = weir::oneshot::channel<int>();
                auto p = co_await start(weir::select(m.lock(), std::move(rx)));
                auto next = co_await start(m.lock());
                held.reset();
                CHECK(tx.send(1).has_value());
                REQUIRE_COMPLETES(p);
                {
                    auto v = co_await std::move(p.handle);
                    if (v.index() == 0) CHECK_WAITS(next);
                }
                REQUIRE_COMPLETES(next);
                { auto g = co_await std::move(next.handle); }
                CHECK(m.try_lock().has_value());
            }
        }());
    }

    TEST_CASE("a sleep that loses is gone and does not hold the clock") {
        weir::runtime_options o;
        o.start_paused = true;
        rt_current_thread rt(o);
        rt.block_on([]() -> weir::task<> {
            const auto begin = weir::clock::now();
            auto v = co_await weir::select(weir::sleep_for(1h), weir::sleep_for(1s));
            CHECK(v.index() == 1);
            co_await weir::sleep_for(1s);
            CHECK(weir::clock::now() - begin < 3s);
        }());
    }

    TEST_CASE_TEMPLATE("a task that took a lock is not held up by its own pending branch", R,
                       WEIR_RUNTIMES) {
        R rt;
        // A branch waits in the queue of a lock, the other branch wins and its task asks for the
        // same lock: with the loser still queued and never resumed this would hang.
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(0);
            auto holder = weir::spawn([](weir::mutex<int>& shared) -> weir::task<> {
                auto g = co_await shared.lock();
                co_await settle();
            }(m));
            co_await weir::yield_now();
            auto branch = [](weir::mutex<int>& shared) -> weir::task<> {
                auto g = co_await shared.lock();
                co_await settle();
            };
            auto v = co_await weir::select(branch(m), weir::yield_now());
            static_cast<void>(v);
            auto g = co_await m.lock();
            ++*g;
            co_await holder;
        }());
    }
}
