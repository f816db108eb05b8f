// weir/spawn.hpp: spawn and join_handle. abort.cpp has the rest.

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

thread_local bool inside_spawn = false;

weir::task<int> add(int a, int b) { co_return a + b; }

// Waits for ever and owns a value that says when it is destroyed.
weir::task<> holds_and_waits(counted) {
    for (;;) co_await weir::yield_now();
}

weir::task<int> fails(std::string text) {
    throw std::runtime_error(text);
    co_return 0;
}

}  // namespace

TEST_SUITE("spawn") {
    TEST_CASE_TEMPLATE("spawn never runs the task inside the call", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            bool ran_inside = false;
            inside_spawn = true;
            auto h = weir::spawn([](bool& inside) -> weir::task<> {
                inside = inside_spawn;
                co_return;
            }(ran_inside));
            inside_spawn = false;
            co_await h;
            CHECK_FALSE(ran_inside);
        }());
    }

    TEST_CASE_TEMPLATE("a spawned task runs although its handle is never awaited", R,
                       WEIR_RUNTIMES) {
        R rt;
        const bool ran = rt.block_on([]() -> weir::task<bool> {
            auto flag = std::make_shared<std::atomic<bool>>(false);
            auto h = weir::spawn([](std::shared_ptr<std::atomic<bool>> f) -> weir::task<> {
                f->store(true);
                co_return;
            }(flag));
            co_return co_await until([&] { return flag->load(); });
        }());
        CHECK(ran);
    }

    TEST_CASE_TEMPLATE("spawn takes a callable with its arguments and keeps them alive", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto owned = std::make_unique<int>(5);
            auto h = weir::spawn(
                [p = std::move(owned)](int x, std::string s) -> weir::task<int> {
                    co_await weir::yield_now();
                    co_await weir::yield_now();
                    co_return *p + x + static_cast<int>(s.size());
                },
                3, "four");
            const int value = co_await h;
            CHECK(value == 12);
        }());
    }

    TEST_CASE_TEMPLATE("the stored callable and arguments are destroyed with the task", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            counted capture(book);
            auto h = weir::spawn([c = std::move(capture)](counted) -> weir::task<> {
                co_await weir::yield_now();
            }, counted(book));
            co_await h;
            CHECK(book.live() == 0);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("awaiting the handle of a finished task yields the value at once", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(add(1, 2));
            const bool finished = co_await until([&] { return h.is_finished(); });
            CHECK(finished);
            const int value = co_await h;
            CHECK(value == 3);
        }());
    }

    TEST_CASE_TEMPLATE("a task spawned by a task signals the root", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            auto outer = weir::spawn([](weir::oneshot::sender<int> s) -> weir::task<> {
                auto inner = weir::spawn([](weir::oneshot::sender<int> s2) -> weir::task<> {
                    co_await weir::yield_now();
                    CHECK(s2.send(9).has_value());
                }(std::move(s)));
                co_await weir::yield_now();
            }(std::move(tx)));
            auto value = co_await rx;
            CHECK(value == 9);
            co_await outer;
        }());
    }

    TEST_CASE_TEMPLATE("a chain of tasks each joining the next completes", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto last = weir::spawn(add(0, 0));
            for (int i = 0; i < 100; ++i) {
                last = weir::spawn([](weir::join_handle<int> before) -> weir::task<int> {
                    const int n = co_await before;
                    co_return n + 1;
                }(std::move(last)));
            }
            const int length = co_await last;
            CHECK(length == 100);
        }());
    }

    TEST_CASE_TEMPLATE("a thousand tasks all complete", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::vector<weir::join_handle<int>> handles;
            for (int i = 0; i < 1000; ++i) handles.push_back(weir::spawn(add(i, 1)));
            long sum = 0;
            for (auto& h : handles) sum += co_await h;
            CHECK(sum == 500500);
        }());
    }

    TEST_CASE("spawn without a runtime is a logic error that says what to do") {
        ledger l;
        auto call = [&] {
            auto t = holds_and_waits(counted(l));
            auto h = weir::spawn(std::move(t));
        };
        CHECK_THROWS_AS(call(), std::logic_error);
        CHECK(l.objects == 0);
    }

    TEST_CASE("results of tasks move through the handle") {
        static_assert(!std::is_copy_constructible_v<weir::join_handle<int>>);
        static_assert(std::is_nothrow_move_constructible_v<weir::join_handle<int>>);
        rt_current_thread rt;
        auto h = rt.spawn([]() -> weir::task<std::unique_ptr<int>> {
            co_return std::make_unique<int>(4);
        }());
        auto moved = std::move(h);
        auto p = rt.block_on(run_operation(std::move(moved)));
        CHECK(*p == 4);
    }
}

TEST_SUITE("join_handle") {
    TEST_CASE_TEMPLATE("an exception is contained, and thrown to who awaits the handle", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto other = weir::spawn(add(1, 1));
            auto h = weir::spawn(fails("broken"));
            std::string caught;
            try {
                static_cast<void>(co_await h);
            } catch (const std::runtime_error& e) {
                caught = e.what();
            }
            CHECK(caught == "broken");
            const int two = co_await other;
            CHECK(two == 2);
        }());
    }

    TEST_CASE_TEMPLATE("result() gives the exception as a value with its task and text", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(fails("broken"));
            const auto id = h.id();
            auto r = co_await h.result();
            REQUIRE_FALSE(r.has_value());
            CHECK_FALSE(r.error().is_cancelled());
            CHECK(r.error().task() == id);
            CHECK(std::string(r.error().what()).find("broken") != std::string::npos);
            REQUIRE(r.error().exception() != nullptr);
            CHECK_THROWS_AS(std::rethrow_exception(r.error().exception()), std::runtime_error);
        }());
    }

    TEST_CASE_TEMPLATE("an exception that is no std::exception is carried too", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn([]() -> weir::task<> {
                throw 42;
                co_return;
            }());
            auto r = co_await h.result();
            REQUIRE_FALSE(r.has_value());
            CHECK_FALSE(std::string(r.error().what()).empty());
            CHECK_THROWS_AS(std::rethrow_exception(r.error().exception()), int);
        }());
    }

    TEST_CASE_TEMPLATE("result() gives the value of a task that succeeded", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(add(2, 3));
            auto r = co_await h.result();
            REQUIRE(r.has_value());
            CHECK(*r == 5);
            auto v = weir::spawn([]() -> weir::task<> { co_return; }());
            auto rv = co_await v.result();
            CHECK(rv.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("awaiting a handle again after it yielded is a logic error", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(add(2, 3));
            const int value = co_await h;
            CHECK(value == 5);
            bool refused = false;
            try {
                static_cast<void>(co_await h);
            } catch (const std::logic_error&) {
                refused = true;
            }
            CHECK(refused);
        }());
    }

    TEST_CASE_TEMPLATE("a handle that has yielded or was moved from says so when it is asked", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(add(2, 3));
            const int value = co_await h;
            CHECK(value == 5);
            CHECK_THROWS_AS(static_cast<void>(h.is_finished()), std::logic_error);
            CHECK_THROWS_AS(static_cast<void>(h.id()), std::logic_error);
            auto other = weir::spawn(add(2, 3));
            auto moved = std::move(other);
            CHECK_THROWS_AS(static_cast<void>(other.get_abort_handle()), std::logic_error);
            const int again = co_await moved;
            CHECK(again == 5);
        }());
    }

    TEST_CASE_TEMPLATE("abort after the result was taken does nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(add(2, 3));
            const bool finished = co_await until([&] { return h.is_finished(); });
            CHECK(finished);
            auto v = co_await weir::select(weir::biased, h, settle());
            CHECK(v.index() == 0);
            h.abort();  // the natural line after a race, whoever won it
        }());
    }

    TEST_CASE_TEMPLATE("dropping or detaching a handle lets the task run on", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto runs = std::make_shared<std::atomic<int>>(0);
            auto body = [](std::shared_ptr<std::atomic<int>> n) -> weir::task<> {
                co_await weir::yield_now();
                co_await weir::yield_now();
                ++*n;
            };
            { auto dropped = weir::spawn(body(runs)); }
            weir::spawn(body(runs)).detach();
            const bool both = co_await until([&] { return runs->load() == 2; });
            CHECK(both);
        }());
    }

    TEST_CASE_TEMPLATE("the task is destroyed before its completion can be observed", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            for (int i = 0; i < 50; ++i) {
                auto h = weir::spawn([](counted c) -> weir::task<int> {
                    co_await weir::yield_now();
                    co_return c.value;
                }(counted(book, i)));
                const int value = co_await h;
                CHECK(value == i);
                CHECK(book.live() == 0);
            }
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a result that nobody takes is destroyed once", R, WEIR_RUNTIMES) {
        ledger l;
        {
            R rt;
            rt.block_on([](ledger& book) -> weir::task<> {
                auto make = [](ledger& b) -> weir::task<counted> { co_return counted(b); };
                auto early = weir::spawn(make(book));
                weir::spawn(make(book)).detach();
                const bool all = co_await until([&] { return book.made == 2; });
                CHECK(all);
                co_await settle();
            }(l));
        }
        CHECK(l.made == 2);
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a handle that lost a race is awaited again and yields the value", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            auto h = weir::spawn(run_operation(std::move(rx)));
            for (int i = 0; i < 3; ++i) {
                auto v = co_await weir::select(h, weir::yield_now());
                CHECK(v.index() == 1);
            }
            CHECK(tx.send(6).has_value());
            auto value = co_await h;
            CHECK(value == 6);
        }());
    }

    TEST_CASE("a coroutine that is not ours awaits a handle") {
        rt_current_thread rt;
        auto h = rt.spawn(add(3, 4));
        auto f = start_foreign(std::move(h));
        CHECK_FALSE(f.done());
        rt.block_on(settle());
        REQUIRE(f.done());
        CHECK(f.value() == 7);
    }
}
