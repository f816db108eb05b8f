// Every suspension of every lock and signal between tasks, cancelled: permits are conserved, locks
// come free, and who waits next gets what the cancelled one was granted.

#include <atomic>
#include <doctest/doctest.h>
#include <memory>
#include <utility>

#include <weir/barrier.hpp>
#include <weir/cancellation_token.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/once_cell.hpp>
#include <weir/rwlock.hpp>
#include <weir/semaphore.hpp>

#include "common/probes.hpp"
#include "common/sweep.hpp"

using namespace weir_test;

namespace {

// Notices when two are inside at once.
class alone {
public:
    explicit alone(std::atomic<int>& inside) : inside_(&inside) { CHECK(inside.fetch_add(1) == 0); }
    alone(const alone&) = delete;
    alone& operator=(const alone&) = delete;
    ~alone() { inside_->fetch_sub(1); }

private:
    std::atomic<int>* inside_;
};

struct mutex_lock : scenario {
    weir::task<> victim() { co_await use(3); }
    weir::task<> use(int times) {
        for (int i = 0; i < times; ++i) {
            auto guard = co_await m.lock();
            const alone here(inside);
            co_await weir::yield_now();
            ++*guard;
        }
    }
    weir::task<> beside() {
        auto another = weir::spawn(use(3));
        co_await use(3);
        co_await another;
    }
    void check() {
        auto guard = m.try_lock();
        REQUIRE(guard.has_value());
        CHECK(**guard >= 6);
        CHECK(**guard <= 9);
    }

    weir::mutex<int> m{0};
    std::atomic<int> inside{0};
};

struct mutex_lock_owned : scenario {
    weir::task<> victim() {
        for (int i = 0; i < 2; ++i) {
            auto guard = co_await weir::mutex<int>::lock_owned(m);
            co_await weir::yield_now();
        }
    }
    weir::task<> beside() {
        for (int i = 0; i < 3; ++i) {
            auto guard = co_await m->lock();
            co_await weir::yield_now();
        }
    }
    void check() {
        CHECK(m.use_count() == 1);
        CHECK(m->try_lock().has_value());
    }

    std::shared_ptr<weir::mutex<int>> m = std::make_shared<weir::mutex<int>>(0);
};

struct rwlock_write : scenario {
    weir::task<> victim() { co_await write(2); }
    weir::task<> write(int times) {
        for (int i = 0; i < times; ++i) {
            auto guard = co_await l.write();
            const alone here(inside);
            co_await weir::yield_now();
            ++*guard;
        }
    }
    weir::task<> read(int times) {
        for (int i = 0; i < times; ++i) {
            auto guard = co_await l.read();
            const int before = *guard;
            co_await weir::yield_now();
            CHECK(*guard == before);
        }
    }
    weir::task<> beside() {
        auto a = weir::spawn(read(2));
        auto b = weir::spawn(read(2));
        co_await write(2);
        co_await a;
        co_await b;
    }
    void check() { CHECK(l.try_write().has_value()); }

    weir::rwlock<int> l{0};
    std::atomic<int> inside{0};
};

struct rwlock_read : rwlock_write {
    weir::task<> victim() { co_await read(2); }
};

struct rwlock_downgrade : rwlock_write {
    weir::task<> victim() {
        auto guard = co_await l.write();
        co_await weir::yield_now();
        auto shared = std::move(guard).downgrade();
        co_await weir::yield_now();
    }
};

struct semaphore_acquire : scenario {
    weir::task<> victim() {
        for (std::size_t n = 1; n <= 3; ++n) {
            const auto permit = co_await places.acquire(n);
            CHECK(permit.has_value());
            co_await weir::yield_now();
        }
    }
    weir::task<> take(std::size_t n) {
        const auto permit = co_await places.acquire(n);
        CHECK(permit.has_value());
        co_await weir::yield_now();
    }
    weir::task<> beside() {
        auto a = weir::spawn(take(2));
        auto b = weir::spawn(take(1));
        co_await take(3);
        co_await a;
        co_await b;
    }
    void check() { CHECK(places.available_permits() == 3); }

    weir::semaphore places{3};
};

struct semaphore_owned : scenario {
    weir::task<> victim() {
        auto first = co_await weir::semaphore::acquire_owned(places, 1);
        auto second = co_await weir::semaphore::acquire_owned(places, 1);
        co_await weir::yield_now();
    }
    weir::task<> beside() {
        for (int i = 0; i < 3; ++i) {
            const auto permit = co_await places->acquire(2);
            co_await weir::yield_now();
        }
    }
    void check() {
        CHECK(places->available_permits() == 3);
        CHECK(places.use_count() == 1);
    }

    std::shared_ptr<weir::semaphore> places = std::make_shared<weir::semaphore>(3);
};

struct semaphore_close : scenario {
    weir::task<> victim() {
        auto permit = co_await places.acquire();
        CHECK_FALSE(permit.has_value());
    }
    weir::task<> wait() {
        auto permit = co_await places.acquire();
        CHECK_FALSE(permit.has_value());
    }
    weir::task<> beside() {
        auto waiting = weir::spawn(wait());
        co_await weir::yield_now();
        places.close();
        co_await waiting;
    }
    void check() { CHECK(places.available_permits() == 0); }

    weir::semaphore places{0};
};

// A notification that the victim was given and did not use goes to another waiter, or is kept.
struct notify_one : scenario {
    weir::task<> victim() {
        co_await n.notified();
        used = true;
    }
    weir::task<> wait() { co_await n.notified(); }
    weir::task<> beside() {
        auto waiting = weir::spawn(wait());
        co_await weir::yield_now();
        n.notify_one();
        co_await weir::yield_now();
        n.notify_one();
        co_await waiting;
    }
    void check() {
        const bool kept = weir::test::poll_once(n.notified());
        // Two calls may fall into one while nobody waits: then none is left over.
        if (used) CHECK_FALSE(kept);
    }

    weir::notify n;
    bool used = false;
};

struct notify_waiters : scenario {
    weir::task<> victim() {
        auto first = n.notified();
        auto second = n.notified();
        co_await first;
        co_await second;
    }
    weir::task<> beside() {
        while (!ended) {
            n.notify_waiters();
            co_await weir::yield_now();
        }
    }
    weir::task<> after() {
        ended = true;
        co_return;
    }
    void check() { CHECK_FALSE(weir::test::poll_once(n.notified())); }

    weir::notify n;
    std::atomic<bool> ended{false};
};

// Who has arrived stays counted, also when it leaves.
struct barrier_wait : scenario {
    weir::task<> victim() {
        co_await weir::yield_now();
        arrived = true;
        if (const bool leads = co_await b.wait()) leaders += leads ? 1 : 0;
    }
    weir::task<> beside() {
        if (const bool leads = co_await b.wait()) leaders += leads ? 1 : 0;
    }
    weir::task<> after() {
        if (arrived) co_return;
        if (const bool leads = co_await b.wait()) leaders += leads ? 1 : 0;
    }
    void check() { CHECK(leaders <= 1); }

    weir::barrier b{2};
    std::atomic<int> leaders{0};
    bool arrived = false;
};

struct once_cell_init : scenario {
    weir::task<counted> make() {
        ++started;
        co_await weir::yield_now();
        co_await weir::yield_now();
        co_return counted(values, 7);
    }
    weir::task<> get() {
        auto initializer = [this] { return make(); };
        const counted& value = co_await cell->get_or_init(initializer);
        CHECK(value.value == 7);
    }
    weir::task<> victim() { co_await get(); }
    weir::task<> beside() {
        auto another = weir::spawn(get());
        co_await get();
        co_await another;
    }
    void check() {
        CHECK(started >= 1);
        CHECK(started <= 2);
        CHECK(values.live() == 1);
        cell.reset();
        CHECK(values.live() == 0);
    }

    ledger values;
    std::atomic<int> started{0};
    std::unique_ptr<weir::once_cell<counted>> cell = std::make_unique<weir::once_cell<counted>>();
};

struct set_once_wait : scenario {
    weir::task<> victim() { co_await cell.wait(); }
    weir::task<> wait() {
        const int& value = co_await cell.wait();
        CHECK(value == 4);
    }
    weir::task<> beside() {
        auto waiting = weir::spawn(wait());
        co_await weir::yield_now();
        CHECK(cell.set(4).has_value());
        co_await waiting;
    }
    void check() { CHECK(*cell.get() == 4); }

    weir::set_once<int> cell;
};

struct token_cancelled : scenario {
    weir::task<> victim() { co_await child.cancelled(); }
    weir::task<> wait() { co_await child.cancelled_owned(); }
    weir::task<> beside() {
        auto waiting = weir::spawn(wait());
        co_await weir::yield_now();
        token.cancel();
        co_await waiting;
    }
    void check() { CHECK(child.is_cancelled()); }

    weir::cancellation_token token;
    weir::cancellation_token child = token.child_token();
};

struct token_run_until : scenario {
    weir::task<> hold() {
        const auto permit = co_await places.acquire();
        co_await weir::yield_now();
        co_await weir::yield_now();
    }
    weir::task<> victim() {
        for (int i = 0; i < 3; ++i) {
            auto ended = co_await token.run_until_cancelled(hold());
            if (!ended) co_return;
        }
    }
    weir::task<> beside() {
        co_await hold();
        token.cancel();
        co_await hold();
    }
    void check() { CHECK(places.available_permits() == 1); }

    weir::semaphore places{1};
    weir::cancellation_token token;
};

}  // namespace

TEST_SUITE("cancellation sweep: locks") {
    TEST_CASE("mutex lock") { sweep<mutex_lock>(9); }
    TEST_CASE("mutex lock_owned") { sweep<mutex_lock_owned>(7); }
    TEST_CASE("rwlock write") { sweep<rwlock_write>(7); }
    TEST_CASE("rwlock read") { sweep<rwlock_read>(7); }
    TEST_CASE("rwlock downgrade") { sweep<rwlock_downgrade>(5); }
    TEST_CASE("semaphore acquire") { sweep<semaphore_acquire>(9); }
    TEST_CASE("semaphore acquire_owned") { sweep<semaphore_owned>(5); }
    TEST_CASE("semaphore close") { sweep<semaphore_close>(3); }
    TEST_CASE("notify_one") { sweep<notify_one>(3); }
    TEST_CASE("notify_waiters") { sweep<notify_waiters>(5); }
    TEST_CASE("barrier") { sweep<barrier_wait>(5); }
    TEST_CASE("once_cell get_or_init") { sweep<once_cell_init>(5); }
    TEST_CASE("set_once") { sweep<set_once_wait>(3); }
    TEST_CASE("cancellation_token cancelled") { sweep<token_cancelled>(3); }
    TEST_CASE("cancellation_token run_until_cancelled") { sweep<token_run_until>(9); }
}
