// What the locks have in common: owned and mapped guards, partial grants, wakers that are not ours.

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/rwlock.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

// Sizes: the exceptions carry a shared pointer and something else.
static_assert(sizeof(weir::mutex_guard<int>) == 8);
static_assert(sizeof(weir::mapped_mutex_guard<int>) == 16);
static_assert(sizeof(weir::owned_mutex_guard<int>) == 16);
static_assert(sizeof(weir::owned_mapped_mutex_guard<int>) == 24);
static_assert(sizeof(weir::semaphore::permit) == 16);
static_assert(sizeof(weir::semaphore::owned_permit) == 24);

namespace {

constinit weir::mutex<int> in_static_memory(3);

class needs_argument {
public:
    explicit needs_argument(int v) : value(v) {}
    int value;
};
static_assert(!std::is_default_constructible_v<weir::mutex<needs_argument>>);

using record = std::pair<int, std::string>;

// Holds the lock in one branch while the other branch of the same task wants it too.
weir::task<int> locks_in_a_branch(weir::mutex<int>& m) {
    auto g = co_await m.lock();
    co_await weir::yield_now();
    co_return *g;
}

}  // namespace

TEST_SUITE("mutex guards, owned and mapped") {
    TEST_CASE_TEMPLATE("a mapped owned guard keeps the mutex alive and unlocks", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto m = std::make_shared<weir::mutex<record>>(1, "text");
            std::weak_ptr<weir::mutex<record>> watch = m;
            auto g = co_await weir::mutex<record>::lock_owned(std::move(m));
            CHECK(g.mutex() == watch.lock());
            auto text = g.map([](record& r) -> std::string& { return r.second; });
            auto first = text.map([](std::string& s) -> char& { return s.front(); });
            *first = 'n';
            CHECK_FALSE(weir::mutex<record>::try_lock_owned(watch.lock()).has_value());
            auto h = weir::spawn([](decltype(first) moved) -> weir::task<char> {
                co_await weir::yield_now();
                co_return *moved;
            }(std::move(first)));
            const char c = co_await h;
            CHECK(c == 'n');
            CHECK(watch.expired());
        }());
    }

    TEST_CASE("try_map of an rvalue that finds nothing gives the guard back") {
        auto m = std::make_shared<weir::mutex<record>>(1, "text");
        auto g = weir::mutex<record>::try_lock_owned(m);
        auto none = std::move(*g).try_map([](record&) -> int* { return nullptr; });
        REQUIRE_FALSE(none.has_value());
        g.reset();
        none.error()->first = 2;
        CHECK_FALSE(m->try_lock().has_value());
        auto some = std::move(none.error()).try_map([](record& r) { return &r.first; });
        REQUIRE(some.has_value());
        CHECK(**some == 2);
        auto part_of_part = some->try_map([](int&) -> int* { return nullptr; });
        CHECK_FALSE(part_of_part.has_value());
        CHECK_FALSE(m->try_lock().has_value());
        some->unlock();
        CHECK(m->try_lock().has_value());
    }

    TEST_CASE("a mapping that throws leaves the guard as it was") {
        weir::mutex<int> m(1);
        auto g = m.try_lock();
        const auto fails = [](int&) -> int& { throw std::runtime_error("no part"); };
        CHECK_THROWS_AS(static_cast<void>(g->map(fails)), std::runtime_error);
        CHECK_FALSE(m.try_lock().has_value());
        CHECK(&g->mutex() == &m);
    }

    TEST_CASE("it lives in static memory, and gives its data to who has it alone") {
        CHECK(in_static_memory.get_mut() == 3);
        weir::mutex<std::string> m("data");
        CHECK(std::move(m).into_inner() == "data");
        auto shared = std::make_shared<weir::mutex<int>>(4);
        CHECK(*weir::mutex<int>::blocking_lock_owned(shared) == 4);
    }
}

TEST_SUITE("semaphore, partial grants and owned permits") {
    TEST_CASE_TEMPLATE("close gives back what a waiter had collected", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::semaphore s(3);
            auto big = co_await start(s.acquire(5));
            CHECK_WAITS(big);
            CHECK(s.available_permits() == 0);
            s.close();
            REQUIRE_COMPLETES(big);
            auto refused = co_await big.handle;
            CHECK_FALSE(refused.has_value());
            CHECK(s.available_permits() == 3);
        }());
    }

    TEST_CASE_TEMPLATE("an owned permit returns when its task ends or is aborted", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto s = std::make_shared<weir::semaphore>(2);
            using permit = weir::semaphore::owned_permit;
            auto holds = [](permit, bool forever) -> weir::task<> {
                do co_await weir::yield_now();
                while (forever);
            };
            auto a = co_await weir::semaphore::acquire_owned(s);
            auto b = weir::semaphore::try_acquire_owned(s);
            REQUIRE(a.has_value());
            REQUIRE(b.has_value());
            auto ends = weir::spawn(holds(*std::move(a), false));
            auto aborted = weir::spawn(holds(*std::move(b), true));
            co_await ends;
            CHECK(s->available_permits() == 1);
            aborted.abort();
            static_cast<void>(co_await aborted.result());
            CHECK(s->available_permits() == 2);
        }());
    }

    TEST_CASE("assigning a permit gives the old one back at once") {
        weir::semaphore a(1);
        weir::semaphore b(1);
        auto pa = a.try_acquire();
        auto pb = b.try_acquire();
        *pa = *std::move(pb);
        CHECK(a.available_permits() == 1);
        CHECK(b.available_permits() == 0);
        std::thread other([&] { CHECK(a.blocking_acquire().has_value()); });
        other.join();
    }
}

TEST_SUITE("notify, owned") {
    TEST_CASE_TEMPLATE("an owned wait keeps its notify alive and may move", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto n = std::make_shared<weir::notify>();
            auto registered = weir::notify::notified_owned(n);
            auto moved = std::move(registered);
            CHECK_FALSE(moved.is_notified());
            n->notify_one();
            CHECK(moved.is_notified());
            n.reset();
            co_await std::move(moved);
        }());
    }

    TEST_CASE_TEMPLATE("a stored notification is taken when the wait is made", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::notify n;
            n.notify_one();
            auto first = n.notified();
            CHECK(first.is_notified());
            auto second = n.notified();
            CHECK_FALSE(second.is_notified());
            { auto gone = std::move(first); }  // passes it on
            co_await second;
        }());
    }

    TEST_CASE("who is woken may notify again from inside the wake") {
        weir::notify n;
        int woken = 0;
        auto again = [](weir::notify& event, int& count) -> foreign<void> {
            co_await event.notified();
            ++count;
            event.notify_waiters();
        };
        auto a = again(n, woken);
        auto b = again(n, woken);
        n.notify_one();
        CHECK(a.done());
        CHECK(b.done());
        CHECK(woken == 2);
    }
}

TEST_SUITE("no futurelock") {
    TEST_CASE_TEMPLATE("a branch that waits for a lock is served while another branch holds on", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(1);
            std::optional held(co_await m.lock());
            auto both = weir::spawn([](weir::mutex<int>& lock) -> weir::task<int> {
                auto r = co_await weir::join(locks_in_a_branch(lock), locks_in_a_branch(lock));
                co_return std::get<0>(r) + std::get<1>(r);
            }(m));
            co_await settle();
            held.reset();
            const int sum = co_await both;
            CHECK(sum == 2);
        }());
    }

    TEST_CASE_TEMPLATE("a branch granted the lock while its task is busy elsewhere passes it on", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            weir::mutex<int> m(1);
            std::optional held(co_await m.lock());
            weir::notify lost;
            // The task waits for the lock and for the event at once; the event wins, and what comes
            // next wants the lock too: with the branch still in the queue that would never end.
            auto racer = weir::spawn([](weir::mutex<int>& lock,
                                        weir::notify& event) -> weir::task<> {
                auto v = co_await weir::select(weir::biased, event.notified(), lock.lock());
                CHECK(v.index() == 0);
                auto g = co_await lock.lock();
                ++*g;
            }(m, lost));
            co_await settle();
            lost.notify_one();
            held.reset();
            co_await racer;
            CHECK(m.get_mut() == 2);
        }());
    }
}
