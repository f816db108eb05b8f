// Coroutines that are not weir's, woken by one call, while one of them destroys another.

#include <cstddef>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/barrier.hpp>
#include <weir/broadcast.hpp>
#include <weir/cancellation_token.hpp>
#include <weir/join_set.hpp>
#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/notify.hpp>
#include <weir/once_cell.hpp>
#include <weir/rwlock.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/task_local.hpp>
#include <weir/task_tracker.hpp>
#include <weir/watch.hpp>

#include "common/awaiting.hpp"

using namespace weir_test;

namespace {

constexpr std::size_t waiters = 5;

// Coroutines that all wait for one thing. Each that goes on destroys the one that comes after the
// next, so that of five the first, the second and the fifth go on, whatever the order of waking.
class crowd {
public:
    explicit crowd(std::size_t n = waiters) : members_(n) {}

    template <class Op>
    void add(Op op) {
        const std::size_t i = joined_++;
        members_[i].emplace(wait(*this, i, std::move(op)));
    }

    void went_on(std::size_t i) {
        order_.push_back(i);
        auto& victim = members_[(i + 2) % members_.size()];
        if (victim && !victim->done()) victim.reset();
    }
    void forget() { members_.clear(); }

    std::vector<std::size_t> order_;

private:
    template <class Op>
    static foreign<void> wait(crowd& self, std::size_t i, Op op) {
        static_cast<void>(co_await std::move(op));
        self.went_on(i);
    }

    std::vector<std::optional<foreign<void>>> members_;
    std::size_t joined_ = 0;
};

// As above, for operations that are awaited where they are.
template <class Op>
foreign<void> wait_here(Op& op, std::function<void()> then) {
    static_cast<void>(co_await op);
    then();
}

void check_survivors(const crowd& c) {
    REQUIRE(c.order_.size() == 3);
    CHECK(c.order_ == std::vector<std::size_t>{0, 1, 4});
}

}  // namespace

TEST_SUITE("foreign coroutines woken together") {
    TEST_CASE("notify_waiters") {
        weir::notify n;
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) c.add(n.notified());
        n.notify_waiters();
        check_survivors(c);
    }

    TEST_CASE("a barrier") {
        weir::barrier b(waiters + 1);
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) c.add(b.wait());
        CHECK(b.blocking_wait());
        check_survivors(c);
    }

    TEST_CASE("a value of a watch") {
        auto [tx, rx] = weir::watch::channel<int>(0);
        std::vector<weir::watch::receiver<int>> receivers(waiters, rx);
        crowd c;
        for (auto& r : receivers) c.add(r.changed());
        tx.send(1);
        check_survivors(c);
    }

    TEST_CASE("a value of a broadcast") {
        auto [tx, rx] = weir::broadcast::channel<std::string>(4);
        std::vector<weir::broadcast::receiver<std::string>> receivers;
        for (std::size_t i = 0; i < waiters; ++i) receivers.push_back(tx.subscribe());
        crowd c;
        for (auto& r : receivers) c.add(r.recv());
        CHECK(tx.send("all").has_value());
        check_survivors(c);
    }

    TEST_CASE("the end of a channel, for receivers and for senders") {
        auto [tx, rx] = weir::mpmc::channel<int>(1);
        std::optional sender(std::move(tx));
        crowd receiving;
        std::vector receivers(waiters, rx);
        for (auto& r : receivers) receiving.add(r.recv());
        sender.reset();
        check_survivors(receiving);

        auto [tx2, rx2] = weir::mpsc::channel<int>(1);
        CHECK(tx2.try_send(0).has_value());
        crowd sending;
        for (std::size_t i = 0; i < waiters; ++i) sending.add(tx2.reserve());
        rx2.close();
        check_survivors(sending);
    }

    TEST_CASE("the receiver that goes, for who waits to see it go") {
        auto [tx, rx] = weir::mpsc::channel<int>(1);
        auto receiver = std::make_unique<weir::mpsc::receiver<int>>(std::move(rx));
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) c.add(tx.closed());
        receiver.reset();
        check_survivors(c);
    }

    TEST_CASE("permits, and the close of a semaphore") {
        weir::semaphore s(0);
        crowd permits;
        for (std::size_t i = 0; i < waiters; ++i) permits.add(s.acquire());
        s.add_permits(waiters);
        check_survivors(permits);
        CHECK(s.available_permits() == waiters);  // also those of the ones that were destroyed

        crowd closing;
        for (std::size_t i = 0; i < waiters; ++i) closing.add(s.acquire(waiters + 1));
        s.close();
        check_survivors(closing);
    }

    TEST_CASE("the readers behind a writer") {
        weir::rwlock<int> l(0);
        std::optional writing(*l.try_write());
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) c.add(l.read());
        writing.reset();
        check_survivors(c);
        CHECK(l.try_write().has_value());
    }

    TEST_CASE("a cancelled token") {
        weir::cancellation_token token;
        weir::cancellation_token child = token.child_token();
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) c.add((i % 2 ? token : child).cancelled());
        token.cancel();
        CHECK(c.order_.size() >= 2);
        CHECK(c.order_.size() <= 4);
        c.forget();
    }

    TEST_CASE("a value that is set once") {
        weir::set_once<int> cell;
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) c.add(cell.wait());
        CHECK(cell.set(1).has_value());
        check_survivors(c);
    }

    TEST_CASE("the end of a tracker") {
        weir::task_tracker tracker;
        auto token = std::make_unique<weir::task_tracker_token>(tracker.token());
        tracker.close();
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) c.add(tracker.wait());
        token.reset();
        check_survivors(c);
    }

    TEST_CASE("selects, and what runs in a scope of its own") {
        static weir::task_local<int> key;
        weir::notify n;
        weir::notify never;
        crowd c;
        for (std::size_t i = 0; i < waiters; ++i) {
            if (i % 2 == 0)
                c.add(weir::select(n.notified(), never.notified()));
            else
                c.add(key.scope(1, n.notified()));
        }
        n.notify_waiters();
        check_survivors(c);
    }

    TEST_CASE("one that destroys all the others, and what they wait for") {
        auto n = std::make_unique<weir::notify>();
        std::vector<weir::notified> waits;
        for (std::size_t i = 0; i < waiters; ++i) waits.push_back(n->notified());
        std::vector<foreign<void>> all;
        int went_on = 0;
        for (auto& w : waits)
            all.push_back(wait_here(w, [&] {
                if (++went_on != 1) return;
                for (std::size_t i = 1; i < all.size(); ++i) all[i].cancel();
            }));
        n->notify_waiters();
        CHECK(went_on == 1);
        all.clear();
        waits.clear();
        n.reset();
    }

    TEST_CASE("a wake inside a wake runs at once, the rest afterwards") {
        weir::notify outer;
        weir::notify inner;
        std::string order;
        auto a = outer.notified();
        auto b = outer.notified();
        auto x = inner.notified();
        auto y = inner.notified();
        auto one = wait_here(a, [&] {
            order += 'a';
            inner.notify_waiters();
            order += 'A';
        });
        auto two = wait_here(b, [&] { order += 'b'; });
        auto three = wait_here(x, [&] { order += 'x'; });
        auto four = wait_here(y, [&] { order += 'y'; });
        outer.notify_waiters();
        CHECK(order == "axyAb");
    }
}
