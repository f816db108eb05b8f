#pragma once
// The rows of waiting_table.hpp.

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <weir/weir.hpp>

#include "awaiting.hpp"
#include "waiting_table.hpp"

namespace weir_test::rows {

// What the operations wait in. A receiver or guard that has to go is behind a pointer.

struct bounded {
    std::pair<weir::mpsc::sender<int>, weir::mpsc::receiver<int>> ends =
        weir::mpsc::channel<int>(2);
    std::vector<int> out;
    weir::mpsc::sender<int>& tx() { return ends.first; }
    weir::mpsc::receiver<int>& rx() { return ends.second; }
    bool put() { return tx().try_send(1).has_value(); }
    bool get() { return rx().try_recv().has_value(); }
};
struct full : bounded {
    full() {
        put();
        put();
    }
};
struct unbounded {
    std::pair<weir::mpsc::unbounded_sender<int>, weir::mpsc::unbounded_receiver<int>> ends =
        weir::mpsc::unbounded_channel<int>();
    std::vector<int> out;
};
struct shared_bounded {
    std::pair<weir::mpmc::sender<int>, weir::mpmc::receiver<int>> ends =
        weir::mpmc::channel<int>(1);
    std::vector<int> out;
};
struct shared_unbounded {
    std::pair<weir::mpmc::unbounded_sender<int>, weir::mpmc::unbounded_receiver<int>> ends =
        weir::mpmc::unbounded_channel<int>();
};
struct one_shot {
    std::pair<weir::oneshot::sender<int>, weir::oneshot::receiver<int>> ends =
        weir::oneshot::channel<int>();
};
struct to_all {
    weir::broadcast::sender<int> tx{2};
    std::unique_ptr<weir::broadcast::receiver<int>> rx =
        std::make_unique<weir::broadcast::receiver<int>>(tx.subscribe());
};
struct latest {
    std::pair<weir::watch::sender<int>, weir::watch::receiver<int>> ends =
        weir::watch::channel<int>(0);
    std::unique_ptr<weir::watch::receiver<int>> rx =
        std::make_unique<weir::watch::receiver<int>>(std::move(ends.second));
};
struct held_mutex {
    std::shared_ptr<weir::mutex<int>> m = std::make_shared<weir::mutex<int>>(1);
    std::unique_ptr<weir::mutex_guard<int>> holder =
        std::make_unique<weir::mutex_guard<int>>(*m->try_lock());
};
struct written {
    std::shared_ptr<weir::rwlock<int>> l = std::make_shared<weir::rwlock<int>>(1);
    std::unique_ptr<weir::rwlock_write_guard<int>> holder =
        std::make_unique<weir::rwlock_write_guard<int>>(*l->try_write());
};
struct no_permits {
    std::shared_ptr<weir::semaphore> s = std::make_shared<weir::semaphore>(0);
};
struct quiet {
    std::shared_ptr<weir::notify> n = std::make_shared<weir::notify>();
    weir::notify other;
};
struct one_short {
    weir::barrier b{2};
    std::optional<foreign<bool>> last;
};
// An initializer is at work, and waits for its value.
struct initializing {
    std::pair<weir::oneshot::sender<int>, weir::oneshot::receiver<int>> value =
        weir::oneshot::channel<int>();
    weir::once_cell<int> cell;
    foreign<void> first = init(*this);

    static weir::task<int> make(initializing* self) {
        auto v = co_await self->value.second;
        co_return v.value_or(0);
    }
    static foreign<void> init(initializing& self) {
        auto* const that = &self;
        auto const initializer = [that] { return make(that); };
        static_cast<void>(co_await self.cell.get_or_init(initializer));
    }
};
struct unset {
    weir::set_once<int> cell;
};
struct uncancelled {
    weir::cancellation_token token;
    weir::cancellation_token child = token.child_token();
    weir::notify never;
};
struct tracked {
    weir::task_tracker tracker;
    std::optional<weir::task_tracker_token> token{tracker.token()};
    tracked() { tracker.close(); }
};

inline const auto has_value = [](auto& r) { return r.has_value(); };
inline const auto closed_error = [](auto& r) { return !r.has_value(); };
inline const auto is_one = [](auto& r) { return r == 1; };
inline const auto is_1_inside = [](auto& r) { return *r == 1; };
inline const auto anything = [](auto&&...) { return true; };

inline void channels(waiting_table& t) {
    t.add<full>("mpsc send", [](auto& s) { return s.tx().send(3); }, [](auto& s) { s.get(); },
                has_value, [](auto& s) { return s.tx().blocking_send(3); });
    t.add<full>("mpsc send, ended by close", [](auto& s) { return s.tx().send(3); },
                [](auto& s) { s.rx().close(); }, closed_error);
    t.add<full>("mpsc reserve", [](auto& s) { return s.tx().reserve(); },
                [](auto& s) { s.get(); }, has_value);
    t.add<full>("mpsc reserve_many", [](auto& s) { return s.tx().reserve_many(2); },
                [](auto& s) { return s.get() && s.get(); }, has_value);
    t.add<full>("mpsc reserve_owned",
                [](auto& s) { return weir::mpsc::sender<int>(s.tx()).reserve_owned(); },
                [](auto& s) { s.get(); }, has_value);
    t.add<bounded>("mpsc recv", [](auto& s) { return s.rx().recv(); }, [](auto& s) { s.put(); },
                   is_1_inside, [](auto& s) { return s.rx().blocking_recv(); });
    t.add<bounded>("mpsc recv_many", [](auto& s) { return s.rx().recv_many(s.out, 9); },
                   [](auto& s) { s.put(); }, is_one,
                   [](auto& s) { return s.rx().blocking_recv_many(s.out, 9); });
    t.add<bounded>("mpsc closed", [](auto& s) { return s.tx().closed(); },
                   [](auto& s) { s.rx().close(); }, anything);
    t.add<unbounded>("mpsc unbounded recv", [](auto& s) { return s.ends.second.recv(); },
                     [](auto& s) { return s.ends.first.send(1); }, is_1_inside,
                     [](auto& s) { return s.ends.second.blocking_recv(); });
    t.add<unbounded>("mpsc unbounded recv_many",
                     [](auto& s) { return s.ends.second.recv_many(s.out, 9); },
                     [](auto& s) { return s.ends.first.send(1); }, is_one,
                     [](auto& s) { return s.ends.second.blocking_recv_many(s.out, 9); });
    t.add<unbounded>("mpsc unbounded closed", [](auto& s) { return s.ends.first.closed(); },
                     [](auto& s) { s.ends.second.close(); }, anything);
    t.add<shared_bounded>("mpmc recv", [](auto& s) { return s.ends.second.recv(); },
                          [](auto& s) { return s.ends.first.try_send(1); }, is_1_inside,
                          [](auto& s) { return s.ends.second.blocking_recv(); });
    t.add<shared_bounded>("mpmc recv_many", [](auto& s) { return s.ends.second.recv_many(s.out, 9); },
                          [](auto& s) { return s.ends.first.try_send(1); }, is_one,
                          [](auto& s) { return s.ends.second.blocking_recv_many(s.out, 9); });
    t.add<shared_bounded>("mpmc closed", [](auto& s) { return s.ends.first.closed(); },
                          [](auto& s) { s.ends.second.close(); }, anything);
    t.add<shared_unbounded>("mpmc unbounded recv", [](auto& s) { return s.ends.second.recv(); },
                            [](auto& s) { return s.ends.first.send(1); }, is_1_inside,
                            [](auto& s) { return s.ends.second.blocking_recv(); });
    t.add_once<one_shot>("oneshot receiver", [](auto& s) { return std::move(s.ends.second); },
                         [](auto& s) { return s.ends.first.send(1); }, is_1_inside,
                         [](auto& s) { return s.ends.second.blocking_recv(); });
    t.add<one_shot>("oneshot closed", [](auto& s) { return s.ends.first.closed(); },
                    [](auto& s) { s.ends.second.close(); }, anything);
    t.add<to_all>("broadcast recv", [](auto& s) { return s.rx->recv(); },
                  [](auto& s) { return s.tx.send(1); }, is_1_inside,
                  [](auto& s) { return s.rx->blocking_recv(); });
    t.add<to_all>("broadcast closed", [](auto& s) { return s.tx.closed(); },
                  [](auto& s) { s.rx.reset(); }, anything);
    t.add<latest>("watch changed", [](auto& s) { return s.rx->changed(); },
                  [](auto& s) { return s.ends.first.send(1); }, has_value);
    t.add<latest>("watch wait_for",
                  [](auto& s) { return s.rx->wait_for([](const int& v) { return v == 1; }); },
                  [](auto& s) { return s.ends.first.send(1); }, [](auto& r) { return **r == 1; });
    t.add<latest>("watch closed", [](auto& s) { return s.ends.first.closed(); },
                  [](auto& s) { s.rx.reset(); }, anything);
}

inline void locks(waiting_table& t) {
    t.add<held_mutex>("mutex lock", [](auto& s) { return s.m->lock(); },
                      [](auto& s) { s.holder.reset(); }, is_1_inside,
                      [](auto& s) { return *s.m->blocking_lock(); });
    t.add<held_mutex>("mutex lock_owned", [](auto& s) { return weir::mutex<int>::lock_owned(s.m); },
                      [](auto& s) { s.holder.reset(); }, is_1_inside,
                      [](auto& s) { return *weir::mutex<int>::blocking_lock_owned(s.m); });
    t.add<written>("rwlock read", [](auto& s) { return s.l->read(); },
                   [](auto& s) { s.holder.reset(); }, is_1_inside,
                   [](auto& s) { return *s.l->blocking_read(); });
    t.add<written>("rwlock write", [](auto& s) { return s.l->write(); },
                   [](auto& s) { s.holder.reset(); }, is_1_inside,
                   [](auto& s) { return *s.l->blocking_write(); });
    t.add<written>("rwlock read_owned", [](auto& s) { return weir::rwlock<int>::read_owned(s.l); },
                   [](auto& s) { s.holder.reset(); }, is_1_inside,
                   [](auto& s) { return *weir::rwlock<int>::blocking_read_owned(s.l); });
    t.add<written>("rwlock write_owned",
                   [](auto& s) { return weir::rwlock<int>::write_owned(s.l); },
                   [](auto& s) { s.holder.reset(); }, is_1_inside,
                   [](auto& s) { return *weir::rwlock<int>::blocking_write_owned(s.l); });
    t.add<no_permits>("semaphore acquire", [](auto& s) { return s.s->acquire(); },
                      [](auto& s) { s.s->add_permits(1); }, has_value,
                      [](auto& s) { return s.s->blocking_acquire(); });
    t.add<no_permits>("semaphore acquire of several", [](auto& s) { return s.s->acquire(3); },
                      [](auto& s) { s.s->add_permits(3); }, has_value,
                      [](auto& s) { return s.s->blocking_acquire(3); });
    t.add<no_permits>("semaphore acquire_owned",
                      [](auto& s) { return weir::semaphore::acquire_owned(s.s); },
                      [](auto& s) { s.s->add_permits(1); }, has_value,
                      [](auto& s) { return weir::semaphore::blocking_acquire_owned(s.s); });
    t.add<no_permits>("semaphore acquire, ended by close", [](auto& s) { return s.s->acquire(); },
                      [](auto& s) { s.s->close(); }, closed_error);
}

inline void events(waiting_table& t) {
    t.add<quiet>("notify_one", [](auto& s) { return s.n->notified(); },
                 [](auto& s) { s.n->notify_one(); }, anything);
    t.add<quiet>("notify_last", [](auto& s) { return s.n->notified(); },
                 [](auto& s) { s.n->notify_last(); }, anything);
    t.add<quiet>("notify_waiters", [](auto& s) { return s.n->notified(); },
                 [](auto& s) { s.n->notify_waiters(); }, anything);
    t.add<quiet>("notified_owned", [](auto& s) { return weir::notify::notified_owned(s.n); },
                 [](auto& s) { s.n->notify_one(); }, anything);
    t.add_once<one_short>("barrier wait", [](auto& s) { return s.b.wait(); },
                          [](auto& s) { s.last.emplace(start_foreign(s.b.wait())); }, anything,
                          [](auto& s) { return s.b.blocking_wait(); });
    t.add<initializing>("once_cell get_or_init",
                        [](auto& s) {
                            auto const other = [] { return 7; };
                            return s.cell.get_or_init(other);
                        },
                        [](auto& s) { return s.value.first.send(1); }, is_one);
    t.add<unset>("set_once wait", [](auto& s) { return s.cell.wait(); },
                 [](auto& s) { return s.cell.set(1); }, is_one,
                 [](auto& s) { return s.cell.blocking_wait(); });
    t.add<uncancelled>("cancelled", [](auto& s) { return s.token.cancelled(); },
                       [](auto& s) { s.token.cancel(); }, anything);
    t.add<uncancelled>("cancelled, of a child", [](auto& s) { return s.child.cancelled(); },
                       [](auto& s) { s.token.cancel(); }, anything);
    t.add<uncancelled>("run_until_cancelled",
                       [](auto& s) { return s.token.run_until_cancelled(s.never.notified()); },
                       [](auto& s) { s.token.cancel(); }, [](auto& r) { return !r; });
    t.add<tracked>("task_tracker wait", [](auto& s) { return s.tracker.wait(); },
                   [](auto& s) { s.token.reset(); }, anything);
    t.add<quiet>("select",
                 [](auto& s) { return weir::select(s.other.notified(), s.n->notified()); },
                 [](auto& s) { s.n->notify_one(); }, [](auto& r) { return r.index() == 1; });
    t.add<quiet>("join", [](auto& s) { return weir::join(s.other.notified(), s.n->notified()); },
                 [](auto& s) {
                     s.other.notify_one();
                     s.n->notify_one();
                 },
                 anything);
    t.add<quiet>("unconstrained", [](auto& s) { return weir::unconstrained(s.n->notified()); },
                 [](auto& s) { s.n->notify_one(); }, anything);
}

}  // namespace weir_test::rows

namespace weir_test {

inline const std::vector<waiting_row>& make_every_wait() {
    static const waiting_table table = [] {
        waiting_table t;
        rows::channels(t);
        rows::locks(t);
        rows::events(t);
        return t;
    }();
    return table.rows();
}

}  // namespace weir_test
