// What weir says to likely mistakes that only running shows; tests/compile_fail has the others.

#include <chrono>
#include <doctest/doctest.h>
#include <exception>
#include <stdexcept>
#include <string>

#include <weir/weir.hpp>

#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<int> answer() { co_return 42; }

// The text of the std::logic_error that `f` throws.
template <class F>
std::string said_by(F f) {
    try {
        f();
    } catch (const std::logic_error& e) {
        return e.what();
    }
    return "";
}

bool says(const std::string& text, const std::string& what_to_do) {
    if (text.find(what_to_do) != std::string::npos) return true;
    MESSAGE(text);
    return false;
}

}  // namespace

TEST_SUITE("mistakes") {
    TEST_CASE("to spawn without a runtime") {
        const char* const advice = "call this inside block_on, inside a task, or under runtime.enter()";
        CHECK(says(said_by([] { weir::spawn(answer()).detach(); }), advice));
        CHECK(says(said_by([] { weir::spawn_blocking([] {}).detach(); }), advice));
    }

    TEST_CASE("a channel without capacity") {
        CHECK(says(said_by([] { (void)weir::mpsc::channel<int>(0); }), "use 1 for a hand-over"));
        CHECK(says(said_by([] { (void)weir::mpmc::channel<int>(0); }), "use 1 for a hand-over"));
        CHECK(says(said_by([] { (void)weir::broadcast::channel<int>(0); }),
                   "use 1 to keep the last value, or weir::watch"));
    }

    TEST_CASE_TEMPLATE("to block a worker", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            auto [reply, answered] = weir::oneshot::channel<int>();
            weir::mutex<int> m(1);
            CHECK(says(said_by([&] { (void)rx.blocking_recv(); }), "co_await recv() instead"));
            CHECK(says(said_by([&] { (void)tx.blocking_send(1); }), "co_await send() instead"));
            CHECK(says(said_by([&] { (void)answered.blocking_recv(); }), "co_await"));
            CHECK(says(said_by([&] { (void)m.blocking_lock(); }), "co_await lock()"));
            CHECK(says(said_by([] { weir::block_on(answer()); }), "use co_await here"));
            co_return;
        }());
    }

    TEST_CASE("to block the only thread of a runtime") {
        rt_current_thread rt;
        rt.block_on([]() -> weir::task<> {
            CHECK(says(said_by([] { weir::block_in_place([] {}); }), "use spawn_blocking"));
            co_return;
        }());
    }

    TEST_CASE_TEMPLATE("to hold a guard over co_await", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::tracked_mutex m;
            weir::notify n;
            std::string text;
            try {
                weir::tracked_lock guard(m);
                co_await n.notified();
            } catch (const std::logic_error& e) {
                text = e.what();
            }
            CHECK(says(text, "or use weir::mutex, which may be held across co_await"));
        }());
    }

    TEST_CASE_TEMPLATE("to await a task twice", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto t = answer();
            const int first = co_await std::move(t);
            CHECK(first == 42);
            std::string text;
            try {
                co_await std::move(t);
            } catch (const std::logic_error& e) {
                text = e.what();
            }
            CHECK(says(text, "call the coroutine function again"));
        }());
    }
}
