// Futurelock: a branch of a task was granted a lock, the task does something else that needs the
// same lock, and nobody resumes the branch. It cannot happen here: a branch that lost its race is
// destroyed, and passes the grant on, before the task goes on; one that is still wanted is resumed
// whatever its task awaits.

#include <doctest/doctest.h>
#include <optional>
#include <utility>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/rwlock.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/task_group.hpp>
#include <weir/timeout.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

// Everything that one at a time can have: `take` yields what gives it back when it is destroyed.
struct by_mutex {
    weir::mutex<> lock;
    auto take() { return lock.lock(); }
};
struct by_rwlock {
    weir::rwlock<> lock;
    auto take() { return lock.write(); }
};
struct by_read_lock {
    weir::rwlock<> lock{weir::max_readers(1)};
    auto take() { return lock.read(); }
};
struct by_semaphore {
    weir::semaphore permits{1};
    auto take() { return permits.acquire(); }
};
struct by_channel {
    std::pair<weir::mpsc::sender<int>, weir::mpsc::receiver<int>> ends =
        weir::mpsc::channel<int>(1);
    auto take() { return ends.first.reserve(); }
};

template <class Lock>
weir::task<> takes_and_goes(Lock& lock) {
    auto held = co_await lock.take();
    co_await weir::yield_now();
}

// The handler of a select wants the lock that the losing branch was granted in the same turn.
template <class Lock>
weir::task<> handler_wants_the_lock() {
    Lock lock;
    weir::notify event;
    std::optional held(co_await lock.take());
    auto racer = weir::spawn([](Lock& l, weir::notify& e) -> weir::task<> {
        auto waits = l.take();  // by reference: it survives the race
        auto first = co_await weir::select(weir::biased, e.notified(), waits);
        CHECK(first.index() == 0);
        {
            auto mine = co_await l.take();
        }
        auto again = co_await waits;
    }(lock, event));
    co_await settle();
    event.notify_one();
    held.reset();
    co_await racer;
}

// Task A goes on from its select into a long handler; the grant it lost is B's.
template <class Lock>
weir::task<> grant_passes_to_another_task() {
    Lock lock;
    weir::notify event;
    weir::notify b_was_served;
    std::optional held(co_await lock.take());
    auto a = co_await start([](Lock& l, weir::notify& e, weir::notify& served) -> weir::task<> {
        auto waits = l.take();
        auto first = co_await weir::select(weir::biased, e.notified(), waits);
        CHECK(first.index() == 0);
        co_await served.notified();
    }(lock, event, b_was_served));
    auto b = co_await start([](Lock& l, weir::notify& served) -> weir::task<> {
        auto mine = co_await l.take();
        served.notify_one();
    }(lock, b_was_served));
    event.notify_one();
    held.reset();
    REQUIRE_COMPLETES(b);
    REQUIRE_COMPLETES(a);
    co_await a.handle;
}

// The owner of a group wants the lock that a branch was granted, and does not look at the group.
template <class Lock>
weir::task<> owner_of_a_group_wants_the_lock() {
    Lock lock;
    weir::task_group group;
    std::optional held(co_await lock.take());
    for (int i = 0; i < 3; ++i) co_await group.spawn(takes_and_goes(lock));
    held.reset();
    {
        auto mine = co_await lock.take();  // behind the branches, which nobody joins meanwhile
    }
    co_await group.join();
}

// One branch of a join holds the lock while it waits for the other one to come by.
template <class Lock>
weir::task<> branches_take_turns() {
    Lock lock;
    int in_turn = 0;
    const auto branch = [](Lock& l, int& n) -> weir::task<> {
        for (int i = 0; i < 10; ++i) {
            auto mine = co_await l.take();
            ++n;
            co_await weir::yield_now();
        }
    };
    co_await weir::join(branch(lock, in_turn), branch(lock, in_turn), branch(lock, in_turn));
    CHECK(in_turn == 30);
}

// A wait that ran out of time in the turn in which it was granted.
template <class Lock>
weir::task<> timeout_gives_the_lock_back() {
    Lock lock;
    std::optional held(co_await lock.take());
    for (int i = 0; i < 5; ++i) {
        auto waits = lock.take();
        auto r = co_await weir::timeout(std::chrono::nanoseconds(0), waits);
        CHECK_FALSE(r.has_value());
    }
    held.reset();
    auto mine = co_await lock.take();
}

#define WEIR_EVERY_LOCK(R, test)   \
    do {                           \
        R rt;                      \
        rt.block_on(test<by_mutex>());     \
        rt.block_on(test<by_rwlock>());    \
        rt.block_on(test<by_read_lock>()); \
        rt.block_on(test<by_semaphore>()); \
        rt.block_on(test<by_channel>());   \
    } while (false)

}  // namespace

TEST_SUITE("futurelock") {
    TEST_CASE_TEMPLATE("futurelock: the handler of a select may take the lock of a lost branch", R,
                       WEIR_RUNTIMES) {
        WEIR_EVERY_LOCK(R, handler_wants_the_lock);
    }
    TEST_CASE_TEMPLATE("futurelock: a lost branch passes its grant to another task at once", R,
                       WEIR_RUNTIMES) {
        WEIR_EVERY_LOCK(R, grant_passes_to_another_task);
    }
    TEST_CASE_TEMPLATE("futurelock: branches of a group go on while their owner awaits the lock",
                       R, WEIR_RUNTIMES) {
        WEIR_EVERY_LOCK(R, owner_of_a_group_wants_the_lock);
    }
    TEST_CASE_TEMPLATE("futurelock: branches of a join hold a lock across their waits", R,
                       WEIR_RUNTIMES) {
        WEIR_EVERY_LOCK(R, branches_take_turns);
    }
    TEST_CASE_TEMPLATE("futurelock: a wait that timed out leaves nothing behind", R,
                       WEIR_RUNTIMES) {
        WEIR_EVERY_LOCK(R, timeout_gives_the_lock_back);
    }
}
