// Every operation takes part in the budget: a task in which it is always ready gives way to others.

#include <atomic>
#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <weir/weir.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

constexpr int rounds = 1000;
constexpr int budget = 128;

struct ready_row {
    std::string name;
    std::function<weir::task<>()> loop;  // `rounds` times an operation that does not have to wait
};

// The operation that `op` makes of the state is ready each time.
template <class State, class Op>
weir::task<> repeat(std::unique_ptr<State> state, Op op) {
    for (int i = 0; i < rounds; ++i) {
        auto made = op(*state);
        static_cast<void>(co_await std::move(made));
    }
}

template <class State, class Op>
ready_row row(std::string name, Op op) {
    return {std::move(name), [op] { return repeat(std::make_unique<State>(), op); }};
}

struct full_mpsc {
    std::pair<weir::mpsc::sender<int>, weir::mpsc::receiver<int>> ends =
        weir::mpsc::channel<int>(rounds);
    std::vector<int> out;
    full_mpsc() {
        for (int i = 0; i < rounds; ++i) static_cast<void>(ends.first.try_send(i));
    }
};
struct empty_mpsc {
    std::pair<weir::mpsc::sender<int>, weir::mpsc::receiver<int>> ends =
        weir::mpsc::channel<int>(rounds);
};
struct closed_mpsc : empty_mpsc {
    closed_mpsc() { ends.second.close(); }
};
struct full_unbounded {
    std::pair<weir::mpsc::unbounded_sender<int>, weir::mpsc::unbounded_receiver<int>> ends =
        weir::mpsc::unbounded_channel<int>();
    full_unbounded() {
        for (int i = 0; i < rounds; ++i) static_cast<void>(ends.first.send(i));
    }
};
struct full_mpmc {
    std::pair<weir::mpmc::sender<int>, weir::mpmc::receiver<int>> ends =
        weir::mpmc::channel<int>(rounds);
    full_mpmc() {
        for (int i = 0; i < rounds; ++i) static_cast<void>(ends.first.try_send(i));
    }
};
struct oneshots {
    weir::oneshot::receiver<int> next() {
        auto [tx, rx] = weir::oneshot::channel<int>();
        static_cast<void>(tx.send(1));
        return std::move(rx);
    }
};
struct closed_oneshot {
    std::pair<weir::oneshot::sender<int>, weir::oneshot::receiver<int>> ends =
        weir::oneshot::channel<int>();
    closed_oneshot() { ends.second.close(); }
};
struct full_broadcast {
    std::pair<weir::broadcast::sender<int>, weir::broadcast::receiver<int>> ends =
        weir::broadcast::channel<int>(rounds);
    full_broadcast() {
        for (int i = 0; i < rounds; ++i) static_cast<void>(ends.first.send(i));
    }
};
struct left_broadcast {
    weir::broadcast::sender<int> tx{1};
};
struct watched {
    std::pair<weir::watch::sender<int>, weir::watch::receiver<int>> ends =
        weir::watch::channel<int>(0);
};
struct left_watch {
    weir::watch::sender<int> tx = std::move(weir::watch::channel<int>(0).first);
};
struct free_locks {
    std::shared_ptr<weir::mutex<int>> m = std::make_shared<weir::mutex<int>>(0);
    std::shared_ptr<weir::rwlock<int>> l = std::make_shared<weir::rwlock<int>>(0);
    std::shared_ptr<weir::semaphore> s = std::make_shared<weir::semaphore>(1);
};
struct events {
    std::shared_ptr<weir::notify> n = std::make_shared<weir::notify>();
    weir::barrier b{1};
    weir::once_cell<int> cell;
    weir::set_once<int> event;
    weir::cancellation_token token;
    weir::task_tracker tracker;
    events() {
        static_cast<void>(cell.set(1));
        static_cast<void>(event.set(1));
        token.cancel();
        tracker.close();
    }
};

const std::vector<ready_row>& every_ready_operation() {
    static const std::vector<ready_row> rows{
        row<empty_mpsc>("mpsc send", [](auto& s) { return s.ends.first.send(1); }),
        row<empty_mpsc>("mpsc send_for",
                        [](auto& s) { return s.ends.first.send_for(1, std::chrono::hours(1)); }),
        row<empty_mpsc>("mpsc reserve", [](auto& s) { return s.ends.first.reserve(); }),
        row<empty_mpsc>("mpsc reserve_many", [](auto& s) { return s.ends.first.reserve_many(2); }),
        row<empty_mpsc>("mpsc reserve_owned",
                        [](auto& s) {
                            return weir::mpsc::sender<int>(s.ends.first).reserve_owned();
                        }),
        row<closed_mpsc>("mpsc send, closed", [](auto& s) { return s.ends.first.send(1); }),
        row<full_mpsc>("mpsc recv", [](auto& s) { return s.ends.second.recv(); }),
        row<full_mpsc>("mpsc recv_many",
                       [](auto& s) { return s.ends.second.recv_many(s.out, 1); }),
        row<closed_mpsc>("mpsc recv, closed", [](auto& s) { return s.ends.second.recv(); }),
        row<closed_mpsc>("mpsc closed", [](auto& s) { return s.ends.first.closed(); }),
        row<full_unbounded>("mpsc unbounded recv", [](auto& s) { return s.ends.second.recv(); }),
        row<full_mpmc>("mpmc recv", [](auto& s) { return s.ends.second.recv(); }),
        row<oneshots>("oneshot receiver", [](auto& s) { return s.next(); }),
        row<closed_oneshot>("oneshot closed", [](auto& s) { return s.ends.first.closed(); }),
        row<full_broadcast>("broadcast recv", [](auto& s) { return s.ends.second.recv(); }),
        row<left_broadcast>("broadcast closed", [](auto& s) { return s.tx.closed(); }),
        row<watched>("watch changed",
                     [](auto& s) {
                         s.ends.first.send(1);
                         return s.ends.second.changed();
                     }),
        row<watched>("watch wait_for",
                     [](auto& s) {
                         return s.ends.second.wait_for([](const int&) { return true; });
                     }),
        row<left_watch>("watch closed", [](auto& s) { return s.tx.closed(); }),
        row<free_locks>("mutex lock", [](auto& s) { return s.m->lock(); }),
        row<free_locks>("mutex lock_owned",
                        [](auto& s) { return weir::mutex<int>::lock_owned(s.m); }),
        row<free_locks>("rwlock read", [](auto& s) { return s.l->read(); }),
        row<free_locks>("rwlock write", [](auto& s) { return s.l->write(); }),
        row<free_locks>("semaphore acquire", [](auto& s) { return s.s->acquire(); }),
        row<free_locks>("semaphore acquire_owned",
                        [](auto& s) { return weir::semaphore::acquire_owned(s.s); }),
        row<events>("notified",
                    [](auto& s) {
                        s.n->notify_one();
                        return s.n->notified();
                    }),
        row<events>("barrier wait", [](auto& s) { return s.b.wait(); }),
        row<events>("once_cell get_or_init",
                    [](auto& s) {
                        auto const other = [] { return 2; };
                        return s.cell.get_or_init(other);
                    }),
        row<events>("set_once wait", [](auto& s) { return s.event.wait(); }),
        row<events>("cancelled", [](auto& s) { return s.token.cancelled(); }),
        row<events>("task_tracker wait", [](auto& s) { return s.tracker.wait(); }),
        row<events>("consume_budget", [](auto&) { return weir::this_task::consume_budget(); }),
        row<watched>("select",
                     [](auto& s) {
                         s.ends.first.send(1);
                         return weir::select(s.ends.second.changed(), weir::yield_now());
                     }),
        row<empty_mpsc>("timeout",
                        [](auto& s) {
                            return weir::timeout(std::chrono::hours(1), s.ends.first.reserve());
                        }),
        row<empty_mpsc>("join",
                        [](auto& s) {
                            return weir::join(s.ends.first.reserve(), s.ends.first.reserve());
                        }),
    };
    return rows;
}

}  // namespace

TEST_SUITE("budget of every operation") {
    TEST_CASE_TEMPLATE("a task whose operations are always ready gives way to others", R,
                       weir_test::rt_current_thread, weir_test::rt_multi_thread<1>) {
        for (const ready_row& ready : every_ready_operation()) {
            CAPTURE(ready.name);
            R rt;
            std::atomic<int> turns{0};
            std::atomic<bool> over{false};
            auto other = rt.spawn([](std::atomic<int>& n, std::atomic<bool>& end) -> weir::task<> {
                while (!end) {
                    ++n;
                    co_await weir::yield_now();
                }
            }, std::ref(turns), std::ref(over));
            auto busy = rt.spawn([](const ready_row& r, std::atomic<int>& n,
                                    std::atomic<bool>& end) -> weir::task<int> {
                while (n == 0) co_await weir::yield_now();
                const int before = n;
                co_await r.loop();
                end = true;
                co_return n - before;
            }, std::cref(ready), std::ref(turns), std::ref(over));
            const int gave_way = rt.block_on(std::move(busy));
            rt.block_on(std::move(other));
            CHECK(gave_way >= rounds / budget);
        }
    }

    TEST_CASE_TEMPLATE("a handle that is joined in a loop, and a set that is", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::vector<weir::join_handle<int>> handles;
            const auto one = []() -> weir::task<int> { co_return 1; };
            for (int i = 0; i < rounds; ++i) handles.push_back(weir::spawn(one()));
            while (!handles.back().is_finished()) co_await weir::yield_now();
            int turns = 0;
            bool over = false;
            auto other = weir::spawn([](int& n, bool& end) -> weir::task<> {
                while (!end) {
                    ++n;
                    co_await weir::yield_now();
                }
            }, std::ref(turns), std::ref(over));
            for (auto& h : handles) static_cast<void>(co_await h);
            over = true;
            co_await other;
            CHECK(turns >= rounds / budget);
        }());
    }
}
