// A wait that is given up, or taken over by another one, leaves nothing behind: neither what the
// waiter held nor a place from which it would be woken.

#include <coroutine>
#include <doctest/doctest.h>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <weir/join.hpp>
#include <weir/mpsc.hpp>
#include <weir/notify.hpp>
#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace mpsc = weir::mpsc;
namespace oneshot = weir::oneshot;

namespace {

weir::task<> receives(mpsc::receiver<int> rx, counted) { co_await rx.recv(); }

weir::task<int> awaits(oneshot::receiver<int>& rx, counted) {
    auto got = co_await rx;
    co_return got.value_or(-1);
}
weir::task<int> awaits_end(oneshot::sender<int>& tx, counted) {
    co_await tx.closed();
    co_return 0;
}
// Tells everybody who waits that it goes.
class notifies_at_its_end {
public:
    explicit notifies_at_its_end(weir::notify& n) : notify_(&n) {}
    notifies_at_its_end(notifies_at_its_end&& o) noexcept
        : notify_(std::exchange(o.notify_, nullptr)) {}
    ~notifies_at_its_end() {
        if (notify_ != nullptr) notify_->notify_waiters();
    }

private:
    weir::notify* notify_;
};

weir::task<int> joins(weir::join_handle<int>& h, counted) { co_return co_await h; }

// The former of two waits is given up, with what it held; the latter ends with `n`.
template <class Wait, class End>
weir::task<> check_taken_over(Wait wait, End end, int n) {
    ledger l;
    auto former = co_await start(wait(counted(l)));
    auto latter = co_await start(wait(counted(l)));
    CHECK(l.live() == 2);
    co_await former.abort();
    CHECK(l.live() == 1);
    CHECK_WAITS(latter);
    end();
    auto got = co_await latter.handle;
    CHECK(got == n);
    CHECK(l.live() == 0);
}

// Of two waits the end wakes the latter alone.
template <class Wait, class End>
weir::task<> check_only_latest(Wait wait, End end, int n) {
    ledger l;
    auto former = co_await start(wait(counted(l)));
    auto latter = co_await start(wait(counted(l)));
    end();
    auto got = co_await latter.handle;
    CHECK(got == n);
    CHECK_WAITS(former);
    co_await former.abort();
    CHECK(l.live() == 0);
}

}  // namespace

TEST_SUITE("released waiters") {
    TEST_CASE_TEMPLATE("a task that waits with its receiver goes although senders live", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            ledger l;
            auto [tx, rx] = mpsc::channel<int>(1);
            auto copy = tx;
            auto waits = weir::spawn(receives(std::move(rx), counted(l)));
            co_await settle();
            CHECK(l.live() == 1);
            waits.abort();
            auto ended = co_await waits.result();
            CHECK_FALSE(ended.has_value());
            CHECK(l.live() == 0);
            CHECK(copy.is_closed());
            auto sent = tx.try_send(1);  // and wakes nobody
            CHECK_FALSE(sent.has_value());
        }());
    }

    TEST_CASE_TEMPLATE("a oneshot receiver: the wait that was taken over is released", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const bool given_up : {true, false}) {
                auto ends = oneshot::channel<int>();
                auto wait = [&](counted held) { return awaits(ends.second, std::move(held)); };
                auto end = [&] { CHECK(ends.first.send(5).has_value()); };
                if (given_up)
                    co_await check_taken_over(wait, end, 5);
                else
                    co_await check_only_latest(wait, end, 5);
            }
        }());
    }

    TEST_CASE_TEMPLATE("a oneshot's closed(): the wait that was taken over is released", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const bool given_up : {true, false}) {
                auto ends = oneshot::channel<int>();
                auto wait = [&](counted held) { return awaits_end(ends.first, std::move(held)); };
                auto end = [&] { ends.second.close(); };
                if (given_up)
                    co_await check_taken_over(wait, end, 0);
                else
                    co_await check_only_latest(wait, end, 0);
            }
        }());
    }

    TEST_CASE_TEMPLATE("a join handle: the wait that was taken over is released", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto ends = oneshot::channel<int>();
            ledger l;
            auto joined = weir::spawn(awaits(ends.second, counted(l)));
            auto wait = [&](counted held) { return joins(joined, std::move(held)); };
            auto end = [&] { CHECK(ends.first.send(6).has_value()); };
            co_await check_taken_over(wait, end, 6);
        }());
    }

    TEST_CASE_TEMPLATE("two waits of one task: the loser of a race leaves the other one's place", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto ends = oneshot::channel<int>();
            auto loses = [](oneshot::receiver<int>& rx) -> weir::task<> {
                auto lost = co_await weir::select(rx, settle());
                CHECK(lost.index() == 1);
            };
            auto waits = [](oneshot::receiver<int>& rx) -> weir::task<int> {
                auto got = co_await rx;
                co_return got.value_or(-1);
            };
            auto sends = [](oneshot::sender<int> tx) -> weir::task<> {
                co_await settle();
                co_await settle();
                CHECK(tx.send(7).has_value());
            };
            auto all = co_await weir::join(loses(ends.second), waits(ends.second),
                                           sends(std::move(ends.first)));
            CHECK(std::get<1>(all) == 7);
        }());
    }

    TEST_CASE_TEMPLATE("what waits on both ends goes with them, in either order", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            for (const bool receiver_first : {true, false}) {
                ledger l;
                auto ends = oneshot::channel<int>();
                auto at_rx = weir::spawn([](oneshot::receiver<int> rx, counted) -> weir::task<> {
                    co_await rx;
                }, std::move(ends.second), counted(l));
                auto at_tx = weir::spawn([](oneshot::sender<int> tx, counted) -> weir::task<> {
                    co_await tx.closed();
                    co_await std::suspend_always();
                }, std::move(ends.first), counted(l));
                co_await settle();
                CHECK(l.live() == 2);
                auto& first = receiver_first ? at_rx : at_tx;
                auto& second = receiver_first ? at_tx : at_rx;
                first.abort();
                auto one = co_await first.result();
                CHECK_FALSE(one.has_value());
                second.abort();
                static_cast<void>(co_await second.result());
                CHECK(l.live() == 0);
            }
        }());
    }

    TEST_CASE_TEMPLATE("who is destroyed while it waits may give back what it waits for", R,
                       WEIR_RUNTIMES) {
        weir::semaphore places(2);
        R rt;
        rt.block_on([](weir::semaphore& s) -> weir::task<> {
            auto holds_one = co_await start([](weir::semaphore& of) -> weir::task<> {
                auto one = co_await of.acquire();
                auto all = co_await of.acquire(2);
            }(s));
            auto behind = co_await start([](weir::semaphore& of) -> weir::task<> {
                auto both = co_await of.acquire(2);
            }(s));
            CHECK(s.available_permits() == 0);
            CHECK_WAITS(behind);
            co_await holds_one.abort();
            CHECK_COMPLETES(behind);
            CHECK(s.available_permits() == 2);
        }(places));
    }

    TEST_CASE_TEMPLATE("who is destroyed while it waits may notify the others who do", R,
                       WEIR_RUNTIMES) {
        weir::notify all;
        R rt;
        rt.block_on([](weir::notify& n) -> weir::task<> {
            auto goes = co_await start([](weir::notify& on, notifies_at_its_end) -> weir::task<> {
                co_await on.notified();
            }(n, notifies_at_its_end(n)));
            auto first = co_await start(n.notified());
            auto second = co_await start(n.notified());
            CHECK_WAITS(first);
            co_await goes.abort();
            CHECK_COMPLETES(first);
            CHECK_COMPLETES(second);
        }(all));
    }
}
