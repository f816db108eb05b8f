// weir/tracked_mutex.hpp: a lock that must not be held where a task suspends.

#include <chrono>
#include <doctest/doctest.h>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/notify.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/tracked_mutex.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;
using weir::suspended_while_locked_error;

namespace {

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string at_line(int line) { return std::string(__FILE__) + ":" + std::to_string(line); }

weir::task<> waits(weir::notify& n) { co_await n.notified(); }

weir::task<> returns_at_once() { co_return; }

// Awaitable that knows nothing of weir and is never resumed.
class never {
public:
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept { FAIL("it must not be started"); }
    void await_resume() const noexcept {}
};

weir::task<> add(weir::tracked_mutex& a, weir::tracked_mutex& b, long& sum) {
    for (int i = 0; i < 100; ++i) {
        {
            std::scoped_lock both(a, b);
            ++sum;
        }
        co_await weir::yield_now();
    }
}

}  // namespace

TEST_SUITE("tracked_mutex") {
    TEST_CASE_TEMPLATE("a co_await that suspends throws and names both places", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::tracked_mutex m("accounts");
            const int made = __LINE__ - 1;
            weir::notify n;
            std::string what;
            const int locked = __LINE__ + 2;
            try {
                weir::tracked_lock lock(m);
                co_await n.notified();
            } catch (const suspended_while_locked_error& e) {
                what = e.what();
            }
            INFO(what);
            CHECK(contains(what, "accounts"));
            CHECK(contains(what, at_line(made)));
            CHECK(contains(what, at_line(locked)));
            CHECK(contains(what, at_line(locked + 1)));
            CHECK(m.try_lock());  // the exception has unlocked it
            m.unlock();
        }());
    }

    TEST_CASE_TEMPLATE("a co_await that does not suspend is allowed", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::tracked_mutex m;
            weir::semaphore s(1);
            std::scoped_lock lock(m);
            co_await returns_at_once();
            auto permit = co_await s.acquire();
            CHECK(permit.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("what would have been waited for is cancelled", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::tracked_mutex m;
            weir::semaphore s(0);
            bool caught = false;
            try {
                std::scoped_lock lock(m);
                auto permit = co_await s.acquire(2);
                CHECK_FALSE(permit.has_value());
            } catch (const suspended_while_locked_error&) {
                caught = true;
            }
            CHECK(caught);
            s.add_permits(1);
            CHECK(s.available_permits() == 1);  // nobody is in the queue
            co_await weir::yield_now();         // without the lock it may suspend again
        }());
    }

    TEST_CASE_TEMPLATE("it is noticed below, in a branch and for want of budget", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::tracked_mutex m;
            weir::notify n;
            weir::semaphore s(1);
            int caught = 0;
            for (int form = 0; form < 5; ++form) {
                try {
                    std::scoped_lock lock(m);
                    if (form == 0) co_await waits(n);
                    if (form == 1) static_cast<void>(co_await weir::select(n.notified(), waits(n)));
                    if (form == 2) static_cast<void>(co_await weir::join(waits(n), waits(n)));
                    if (form == 3) co_await weir::sleep_for(1h);
                    if (form == 4)
                        for (;;) static_cast<void>(co_await s.acquire());
                } catch (const suspended_while_locked_error&) {
                    ++caught;
                }
            }
            CHECK(caught == 5);
            co_await weir::yield_now();
        }());
    }

    TEST_CASE_TEMPLATE("a foreign awaitable is not even started", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::tracked_mutex m;
            bool caught = false;
            try {
                std::scoped_lock lock(m);
                co_await never();
            } catch (const suspended_while_locked_error&) {
                caught = true;
            }
            CHECK(caught);
        }());
    }

    TEST_CASE_TEMPLATE("with several locks held the message names each of them", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::tracked_mutex a("first");
            weir::tracked_mutex b("second");
            weir::tracked_mutex c("third");
            std::string what;
            try {
                std::unique_lock la(a);
                std::unique_lock lb(b);
                std::unique_lock lc(c);
                lb.unlock();  // not in the order of their locking
                co_await weir::yield_now();
            } catch (const suspended_while_locked_error& e) {
                what = e.what();
            }
            CHECK(contains(what, "'first'"));
            CHECK_FALSE(contains(what, "'second'"));
            CHECK(contains(what, "'third'"));
            co_await weir::yield_now();
        }());
    }

    TEST_CASE_TEMPLATE("tasks and threads share plain sections", R, WEIR_RUNTIMES) {
        R rt;
        weir::tracked_mutex a;
        weir::tracked_mutex b;
        long sum = 0;
        std::thread other([&] {
            for (int i = 0; i < 1000; ++i) {
                std::scoped_lock both(b, a);
                ++sum;
            }
        });
        rt.block_on([](weir::tracked_mutex& x, weir::tracked_mutex& y, long& n) -> weir::task<> {
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 10; ++i) tasks.push_back(weir::spawn(add(x, y, n)));
            for (auto& t : tasks) co_await t;
        }(a, b, sum));
        other.join();
        CHECK(sum == 2000);
    }

    TEST_CASE("a thread that runs no task may hold it while a task waits") {
        rt_current_thread rt;
        weir::tracked_mutex m;
        std::scoped_lock lock(m);
        rt.block_on(settle());
        std::thread other([&] { CHECK_FALSE(m.try_lock()); });
        other.join();
    }
}
