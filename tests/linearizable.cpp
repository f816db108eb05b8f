// What concurrent callers see of a channel or a lock is what one caller after the other could have
// seen: histories of tasks and threads, some of which give up or are aborted, against a model.

#include <doctest/doctest.h>

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <weir/broadcast.hpp>
#include <weir/mpmc.hpp>
#include <weir/mutex.hpp>
#include <weir/rwlock.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

#include "common/linearizable.hpp"
#include "common/runtimes.hpp"

namespace {

using weir_test::is_linearizable;
using weir_test::recorded;

// What one caller has done.
template <class Operation>
class diary {
public:
    explicit diary(weir_test::history_clock& c) : clock_(&c) {}

    std::uint64_t now() { return clock_->tick(); }
    void note(std::uint64_t called, Operation o) { seen_.emplace_back(o, called, clock_->tick()); }
    const std::vector<recorded<Operation>>& seen() const { return seen_; }

private:
    weir_test::history_clock* clock_;
    std::vector<recorded<Operation>> seen_;
};

template <class Operation>
class diaries {
public:
    diary<Operation>& open() { return all_.emplace_back(clock_); }
    std::vector<recorded<Operation>> history() const {
        std::vector<recorded<Operation>> merged;
        for (const auto& d : all_) merged.insert(merged.end(), d.seen().begin(), d.seen().end());
        return merged;
    }

private:
    weir_test::history_clock clock_;
    std::deque<diary<Operation>> all_;
};

weir::task<> yield_often(int times) {
    for (int i = 0; i < times; ++i) co_await weir::yield_now();
}

// Lets the tasks run, aborts the last of them after a while, and waits for all.
weir::task<> abort_the_last(std::vector<weir::join_handle<void>>& tasks, int after) {
    co_await yield_often(after);
    tasks.back().abort();
    for (auto& t : tasks) {
        auto const ended = co_await t.result();
        static_cast<void>(ended);
    }
}

// -- mpmc ------------------------------------------------------------------------------------------

struct channel_operation {
    enum class kind { send, try_send, recv, try_recv, leave };
    kind what;
    std::optional<int> value;  // none: it has failed
};

// A try may fail whenever it likes: what is there may be promised to somebody who waits and has not
// gone on yet, and who then, on going on, takes something else that has come meanwhile.
struct channel_model {
    std::size_t capacity;
    int senders;
    std::vector<int> queue;

    auto operator<=>(const channel_model&) const = default;

    bool apply(const channel_operation& o, bool) {
        using kind = channel_operation::kind;
        switch (o.what) {
            case kind::try_send:
                if (!o.value) return true;
                [[fallthrough]];
            case kind::send:
                if (queue.size() == capacity) return false;
                queue.push_back(*o.value);
                return true;
            case kind::try_recv:
                if (!o.value) return true;
                [[fallthrough]];
            case kind::recv:
                if (!o.value) return queue.empty() && senders == 0;
                if (queue.empty() || queue.front() != *o.value) return false;
                queue.erase(queue.begin());
                return true;
            case kind::leave: --senders; return true;
        }
        return false;
    }
};

using channel_diary = diary<channel_operation>;
using ck = channel_operation::kind;

// A sender that notes when it goes, also where its task is aborted.
class noted_sender {
public:
    noted_sender(weir::mpmc::sender<int> tx, channel_diary& d) : tx_(std::move(tx)), diary_(&d) {}
    noted_sender(noted_sender&& other) noexcept
        : tx_(std::exchange(other.tx_, std::nullopt)), diary_(other.diary_) {}
    noted_sender& operator=(noted_sender&&) = delete;
    ~noted_sender() {
        if (!tx_) return;
        const auto called = diary_->now();
        tx_.reset();
        diary_->note(called, {ck::leave, {}});
    }
    weir::mpmc::sender<int>* operator->() { return &*tx_; }

private:
    std::optional<weir::mpmc::sender<int>> tx_;
    channel_diary* diary_;
};

weir::task<> send_values(noted_sender tx, channel_diary& d, int from, int count) {
    for (int v = from; v < from + count; ++v) {
        if (v % 3 == 0) {
            const auto called = d.now();
            const bool sent = tx->try_send(v).has_value();
            d.note(called, {ck::try_send, sent ? std::optional(v) : std::nullopt});
            if (sent) continue;
        }
        const auto called = d.now();
        auto const sent = co_await tx->send(v);
        REQUIRE(sent.has_value());
        d.note(called, {ck::send, v});
    }
}
weir::task<> receive_values(weir::mpmc::receiver<int> rx, channel_diary& d, bool gives_up) {
    for (int i = 0;; ++i) {
        const auto called = d.now();
        std::optional<int> value;
        if (i % 3 == 0) {
            if (auto tried = rx.try_recv()) value = *tried;
            d.note(called, {ck::try_recv, value});
            continue;
        }
        if (gives_up && i % 3 == 1) {
            auto first = co_await weir::select(rx.recv(), weir::yield_now());
            if (first.index() == 1) continue;  // nothing has been taken
            value = std::get<0>(first);
        } else {
            value = co_await rx.recv();
        }
        d.note(called, {ck::recv, value});
        if (!value) co_return;
    }
}

template <class R>
void check_mpmc(bool cancels, int round) {
    constexpr std::size_t capacity = 2;
    constexpr int each = 6;
    diaries<channel_operation> all;
    int senders = 3;
    {
        auto [tx, rx] = weir::mpmc::channel<int>(capacity);
        R rt;
        std::vector<weir::join_handle<void>> tasks;
        for (int i = 0; i < 2; ++i) {
            tasks.push_back(rt.spawn(receive_values(rx, all.open(), cancels)));
            auto& d = all.open();
            tasks.push_back(rt.spawn(send_values(noted_sender(tx, d), d, i * 100, each)));
        }
        if (cancels) {  // the one that is aborted
            auto& d = all.open();
            tasks.push_back(rt.spawn(send_values(noted_sender(tx, d), d, 300, each)));
            ++senders;
        }
        auto& sent = all.open();
        std::thread sending([own = noted_sender(tx, sent), &sent]() mutable {
            for (int v = 200; v < 200 + each; ++v) {
                const auto called = sent.now();
                const bool ok = own->blocking_send(v).has_value();
                sent.note(called, {ck::send, ok ? std::optional(v) : std::nullopt});
            }
            noted_sender const last = std::move(own);
        });
        std::thread receiving([own = rx, &received = all.open()]() mutable {
            for (std::optional<int> value = 0; value;) {
                const auto called = received.now();
                value = own.blocking_recv();
                received.note(called, {ck::recv, value});
            }
        });
        { auto const last = std::move(tx); }
        rt.block_on([](auto& t, bool abort, int after) -> weir::task<> {
            if (abort) {
                co_await abort_the_last(t, after);
            } else {
                for (auto& one : t) co_await one;
            }
        }(tasks, cancels, round));
        sending.join();
        receiving.join();
    }
    CHECK(is_linearizable(all.history(), channel_model{capacity, senders, {}}));
}

// -- locks -----------------------------------------------------------------------------------------

struct lock_operation {
    enum class kind { write, end_write, read, end_read, downgrade };
    kind what;
    int value;  // that was found, or that is left
};

struct lock_model {
    int readers = 0;
    bool writer = false;
    int value = 0;

    auto operator<=>(const lock_model&) const = default;

    bool apply(const lock_operation& o, bool) {
        using kind = lock_operation::kind;
        switch (o.what) {
            case kind::write:
                if (writer || readers != 0 || o.value != value) return false;
                writer = true;
                return true;
            case kind::read:
                if (writer || o.value != value) return false;
                ++readers;
                return true;
            case kind::end_write:
                writer = false;
                value = o.value;
                return true;
            case kind::downgrade:
                writer = false;
                value = o.value;
                ++readers;
                return true;
            case kind::end_read: --readers; return true;
        }
        return false;
    }
};

using lock_diary = diary<lock_operation>;
using lk = lock_operation::kind;

// A guard that notes its end, also where its task is aborted.
template <class Guard>
class noted_guard {
public:
    noted_guard(Guard g, lock_diary& d, std::uint64_t called, lk taken, lk end)
        : guard_(std::move(g)), diary_(&d), end_(end) {
        d.note(called, {taken, **guard_});
    }
    noted_guard(noted_guard&& other) noexcept
        : guard_(std::exchange(other.guard_, std::nullopt)), diary_(other.diary_), end_(other.end_) {}
    noted_guard& operator=(noted_guard&&) = delete;
    ~noted_guard() {
        if (!guard_) return;
        const int left = **guard_;
        const auto called = diary_->now();
        guard_.reset();
        diary_->note(called, {end_, left});
    }
    int& value() { return const_cast<int&>(**guard_); }
    Guard take() { return *std::exchange(guard_, std::nullopt); }

private:
    std::optional<Guard> guard_;
    lock_diary* diary_;
    lk end_;
};
template <class Guard>
noted_guard<Guard> writing(Guard g, lock_diary& d, std::uint64_t called) {
    return {std::move(g), d, called, lk::write, lk::end_write};
}
template <class Guard>
noted_guard<Guard> reading(Guard g, lock_diary& d, std::uint64_t called) {
    return {std::move(g), d, called, lk::read, lk::end_read};
}

weir::task<> use_mutex(weir::mutex<int>& m, lock_diary& d, int times) {
    for (int i = 0; i < times; ++i) {
        const auto called = d.now();
        if (i % 3 == 0) {
            if (auto g = m.try_lock()) ++writing(std::move(*g), d, called).value();
        } else if (i % 3 == 1) {
            auto g = co_await m.lock();
            auto held = writing(std::move(g), d, called);
            co_await weir::yield_now();
            ++held.value();
        } else {
            auto first = co_await weir::select(m.lock(), weir::yield_now());
            if (first.index() == 0) ++writing(std::get<0>(std::move(first)), d, called).value();
        }
    }
}

weir::task<> use_rwlock(weir::rwlock<int>& l, lock_diary& d, int times) {
    for (int i = 0; i < times; ++i) {
        const auto called = d.now();
        if (i % 4 == 0) {
            auto g = co_await l.write();
            auto held = writing(std::move(g), d, called);
            co_await weir::yield_now();
            ++held.value();
            const int left = held.value();
            const auto again = d.now();
            auto shared = held.take().downgrade();
            d.note(again, {lk::downgrade, left});
            CHECK(*shared == left);
            const auto end = d.now();
            { auto const last = std::move(shared); }
            d.note(end, {lk::end_read, left});
        } else if (i % 4 == 1) {
            auto g = co_await l.read();
            auto const held = reading(std::move(g), d, called);
            co_await weir::yield_now();
        } else if (i % 4 == 2) {
            auto first = co_await weir::select(l.write(), weir::yield_now());
            if (first.index() == 0) ++writing(std::get<0>(std::move(first)), d, called).value();
        } else {
            auto first = co_await weir::select(l.read(), weir::yield_now());
            if (first.index() == 0) reading(std::get<0>(std::move(first)), d, called);
        }
    }
}

// Three tasks, of which one is aborted, and two threads that block.
template <class R, class Lock, class Use, class Block>
void check_lock(int round, Use use, Block block) {
    Lock lock(0);
    diaries<lock_operation> all;
    {
        R rt;
        std::vector<weir::join_handle<void>> tasks;
        for (int i = 0; i < 3; ++i) tasks.push_back(rt.spawn(use(lock, all.open(), 12)));
        std::vector<std::thread> threads;
        for (int i = 0; i < 2; ++i)
            threads.emplace_back([&lock, &d = all.open(), block] {
                for (int k = 0; k < 8; ++k) block(lock, d);
            });
        rt.block_on(abort_the_last(tasks, round));
        for (auto& t : threads) t.join();
    }
    CHECK(is_linearizable(all.history(), lock_model{}));
}

// -- broadcast -------------------------------------------------------------------------------------

struct broadcast_operation {
    enum class kind { send, recv, lagged, empty, closed, leave };
    kind what;
    std::size_t receiver = 0;
    std::uint64_t number = 0;  // the value, or how many were missed
};

struct broadcast_model {
    std::size_t capacity;
    int senders;
    std::vector<std::uint64_t> sent;
    std::vector<std::size_t> at;  // of each receiver

    auto operator<=>(const broadcast_model&) const = default;

    bool apply(const broadcast_operation& o, bool) {
        using kind = broadcast_operation::kind;
        const std::size_t oldest = sent.size() - std::min(sent.size(), capacity);
        switch (o.what) {
            case kind::send: sent.push_back(o.number); return true;
            case kind::leave: --senders; return true;
            case kind::recv: {
                std::size_t& i = at[o.receiver];
                if (i < oldest || i == sent.size() || sent[i] != o.number) return false;
                ++i;
                return true;
            }
            case kind::lagged: {
                std::size_t& i = at[o.receiver];
                if (i >= oldest || oldest - i != o.number) return false;
                i = oldest;
                return true;
            }
            case kind::empty: return at[o.receiver] == sent.size();
            case kind::closed: return at[o.receiver] == sent.size() && senders == 0;
        }
        return false;
    }
};

using broadcast_diary = diary<broadcast_operation>;
using bk = broadcast_operation::kind;

template <class T>
broadcast_operation operation_of(std::size_t receiver, const weir::broadcast::recv_result<T>& r) {
    if (r.is_closed()) return {bk::closed, receiver, 0};
    if (r.is_empty()) return {bk::empty, receiver, 0};
    if (r.is_lagged()) return {bk::lagged, receiver, r.lagged()};
    return {bk::recv, receiver, static_cast<std::uint64_t>(static_cast<int>(*r))};
}

template <class T>
weir::task<> receive_broadcast(weir::broadcast::receiver<T> rx, broadcast_diary& d, std::size_t self) {
    for (int i = 0;; ++i) {
        const auto called = d.now();
        if (i % 3 == 0) {
            d.note(called, operation_of(self, rx.try_recv()));
        } else if (i % 3 == 1) {
            auto const first = co_await weir::select(rx.recv(), weir::yield_now());
            if (first.index() == 1) continue;  // nothing has been taken
            d.note(called, operation_of(self, std::get<0>(first)));
            if (std::get<0>(first).is_closed()) co_return;
        } else {
            auto const r = co_await rx.recv();
            d.note(called, operation_of(self, r));
            if (r.is_closed()) co_return;
        }
    }
}

struct number {
    explicit number(int v) : value(v) {}
    explicit operator int() const { return value; }
    int value;
};

template <class R>
void check_broadcast(int round) {
    constexpr std::size_t capacity = 2;
    constexpr std::size_t receivers = 4;
    constexpr int each = 8;
    diaries<broadcast_operation> all;
    {
        weir::broadcast::sender<number> tx(capacity);
        R rt;
        std::vector<weir::join_handle<void>> tasks;
        for (std::size_t r = 0; r < 3; ++r)
            tasks.push_back(rt.spawn(receive_broadcast(tx.subscribe(), all.open(), r)));
        std::vector<std::thread> threads;
        threads.emplace_back([rx = tx.subscribe(), &d = all.open()]() mutable {
            for (bool open = true; open;) {
                const auto called = d.now();
                auto const r = rx.blocking_recv();
                d.note(called, operation_of(3, r));
                open = !r.is_closed();
            }
        });
        for (int s = 0; s < 2; ++s)
            threads.emplace_back([own = std::optional(tx), &d = all.open(), s]() mutable {
                for (int v = s * 100; v < s * 100 + each; ++v) {
                    const auto called = d.now();
                    const bool sent = own->send(number(v)).has_value();
                    CHECK(sent);
                    d.note(called, {bk::send, 0, static_cast<std::uint64_t>(v)});
                }
                const auto called = d.now();
                own.reset();
                d.note(called, {bk::leave});
            });
        { auto const last = std::move(tx); }
        rt.block_on(abort_the_last(tasks, round));
        for (auto& t : threads) t.join();
    }
    CHECK(is_linearizable(all.history(),
                          broadcast_model{capacity, 2, {}, std::vector<std::size_t>(receivers)}));
}

constexpr int rounds = 20;

}  // namespace

TEST_SUITE("linearizable") {
    TEST_CASE("the models reject what a wrong channel or lock would show") {
        using channel_history = std::vector<recorded<channel_operation>>;
        const channel_model channel{1, 1, {}};
        // Out of order, twice, more than there is room for, the end before the sender has gone.
        CHECK_FALSE(is_linearizable(channel_history{{{ck::send, 1}, 0, 1}, {{ck::recv, 2}, 2, 3}}, channel));
        CHECK_FALSE(is_linearizable(channel_history{{{ck::send, 1}, 0, 1},
                                                    {{ck::recv, 1}, 2, 5},
                                                    {{ck::recv, 1}, 3, 4}}, channel));
        CHECK_FALSE(is_linearizable(channel_history{{{ck::send, 1}, 0, 1}, {{ck::send, 2}, 2, 3}}, channel));
        CHECK_FALSE(is_linearizable(channel_history{{{ck::send, 1}, 0, 1}, {{ck::recv, {}}, 2, 3}}, channel));
        using lock_history = std::vector<recorded<lock_operation>>;
        CHECK(is_linearizable(lock_history{{{lk::read, 0}, 0, 3}, {{lk::read, 0}, 1, 2}}, lock_model{}));
        CHECK_FALSE(is_linearizable(lock_history{{{lk::read, 0}, 0, 3}, {{lk::write, 0}, 1, 2}}, lock_model{}));
        using broadcast_history = std::vector<recorded<broadcast_operation>>;
        const broadcast_model one_place{1, 1, {}, {0}};
        const broadcast_history two_sent{{{bk::send, 0, 7}, 0, 1}, {{bk::send, 0, 8}, 2, 3}};
        const auto then = [&](broadcast_operation o) {
            broadcast_history h = two_sent;
            h.emplace_back(o, 4, 5);
            return is_linearizable(h, one_place);
        };
        CHECK(then({bk::lagged, 0, 1}));
        CHECK_FALSE(then({bk::lagged, 0, 2}));
        CHECK_FALSE(then({bk::recv, 0, 7}));
    }

    TEST_CASE_TEMPLATE("mpmc: values come in one order, to one receiver each", R, WEIR_RUNTIMES) {
        for (int i = 0; i < rounds; ++i) check_mpmc<R>(false, i);
    }
    TEST_CASE_TEMPLATE("mpmc: also when waits are given up and a sender is aborted", R, WEIR_RUNTIMES) {
        for (int i = 0; i < rounds; ++i) check_mpmc<R>(true, i);
    }
    TEST_CASE_TEMPLATE("mutex: one at a time, in spite of waits that are given up", R, WEIR_RUNTIMES) {
        for (int i = 0; i < rounds; ++i)
            check_lock<R, weir::mutex<int>>(i, &use_mutex, [](weir::mutex<int>& m, lock_diary& d) {
                const auto called = d.now();
                ++writing(m.blocking_lock(), d, called).value();
            });
    }
    TEST_CASE_TEMPLATE("rwlock: a writer alone or readers together", R, WEIR_RUNTIMES) {
        for (int i = 0; i < rounds; ++i)
            check_lock<R, weir::rwlock<int>>(i, &use_rwlock, [](weir::rwlock<int>& l, lock_diary& d) {
                const auto called = d.now();
                ++writing(l.blocking_write(), d, called).value();
                const auto again = d.now();
                reading(l.blocking_read(), d, again);
            });
    }
    TEST_CASE_TEMPLATE("broadcast: every receiver sees one order, or how much it missed", R, WEIR_RUNTIMES) {
        for (int i = 0; i < rounds; ++i) check_broadcast<R>(i);
    }
}
