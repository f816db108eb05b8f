#pragma once
// Which workers sleep, how they are woken, and who of them waits for sockets and timers.
//
// A worker that has found nothing registers as asleep, looks once more at the injection queue, and
// sleeps. A thread that has pushed there wakes a sleeper unless somebody is searching. The look and
// the push take the same lock: either the look finds the entry, or the push came later and then
// sees the registration. So no wake-up is lost, and none is paid for while a worker is awake to
// find the work by itself.
//
// One sleeper at a time waits in the event driver, the others on their parkers. While some worker
// is awake, one sleeper gets up now and then: the one in the driver every millisecond, or, when that
// has left with work, another one every ten. It takes what is stuck behind a long turn, and goes into
// the driver if that is empty, so that sockets and timers are looked at however long a turn is. Where
// all sleep, nobody gets up for nothing. So when one worker is woken from that and puts something
// into its slot, it calls another one, which goes back to sleep as the one that gets up. The same
// does a worker that got up and leaves with work while others are awake.
//
// A sleeper is placed (it sleeps, with a time limit or without one) or it looks around: from its
// registration until it is placed, and from its wake-up until it has found work or is placed again.
// Who looks around needs no watch. All of that changes under the lock.

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/sync.hpp>
#include <weir/detail/runtime/driver.hpp>
#include <weir/detail/runtime/time_driver.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// What a worker brings along to sleep.
struct sleeper {
    sync::parker parker;
    sleeper* next = nullptr;
    bool asleep = false;       // in the list of sleepers; under the lock
    bool in_driver = false;    // under the lock
    bool took_events = false;  // whether the last sleep was in the driver; the worker's own
    enum class state : unsigned char { working, looking, timed, untimed } state = state::working;
    bool called = false;       // to become the one that gets up by itself; under the lock
};

class parking_lot {
public:
    parking_lot(driver& events, time_driver& time, std::size_t workers) noexcept
        : events_(&events), time_(&time), count_{workers}, awake_(workers) {}

    /// Wakes a sleeper to search, unless somebody searches already or nobody sleeps. Any thread.
    void wake_one() noexcept {
        if (searching_.load(sync::memory_order_seq_cst) != 0 ||
            sleeping_.load(sync::memory_order_seq_cst) == 0)
            return;
        scoped_lock guard(lock_);
        if (sleepers_ == nullptr) return;
        sleeper& s = *sleepers_;
        take_out(s);
        searching_.fetch_add(1, sync::memory_order_seq_cst);
        const bool in_driver = s.in_driver;
        guard.unlock();  // a system call follows
        in_driver ? events_->unpark() : s.parker.unpark();
    }
    void wake_all() noexcept {
        scoped_lock guard(lock_);
        while (sleepers_ != nullptr) {
            sleeper& s = *sleepers_;
            take_out(s);
            searching_.fetch_add(1, sync::memory_order_seq_cst);
            s.in_driver ? events_->unpark() : s.parker.unpark();
        }
    }
    /// Whether all that sleep would do so however long a turn is, and nobody else looks around.
    [[nodiscard]] bool is_unwatched() const noexcept {
        return unwatched_.load(sync::memory_order_relaxed);
    }
    /// Makes a sleeper get up now and then, if none does so.
    void call_watch() noexcept {
        scoped_lock guard(lock_);
        if (!is_unwatched()) return;
        sleeper* s = sleepers_;
        for (sleeper* other = s; other != nullptr; other = other->next)
            if (other->in_driver) s = other;
        s->called = true;
        ++called_;
        note_watch();
        const bool in_driver = s->in_driver;
        guard.unlock();  // a system call follows
        in_driver ? events_->unpark() : s->parker.unpark();
    }

    /// Lets whoever sleeps in the driver look at the timers again. Any thread.
    void timers_changed() noexcept {
        scoped_lock guard(lock_);
        if (driver_taken_) events_->unpark();
    }

    [[nodiscard]] std::size_t sleeping() const noexcept {
        return sleeping_.load(sync::memory_order_relaxed);
    }

    // -- a worker --------------------------------------------------------------------------------

    /// Becomes a searcher, if fewer than half of the workers are.
    [[nodiscard]] bool try_search(std::size_t workers) noexcept {
        if (2 * searching_.load(sync::memory_order_relaxed) >= workers) return false;
        searching_.fetch_add(1, sync::memory_order_seq_cst);
        return true;
    }
    /// Ends a search. True: nobody searches any more, so that one more should be woken if there is
    /// more to find.
    bool stop_search() noexcept {
        return searching_.fetch_sub(1, sync::memory_order_seq_cst) == 1;
    }

    /// Ends the look around of a worker that has found work.
    void stop_looking(sleeper& s) noexcept {
        {
            scoped_lock guard(lock_);
            enter(s, sleeper::state::working);
            if (!is_unwatched() || awake_.load(sync::memory_order_relaxed) < 2) return;
        }
        call_watch();
    }

    /// Registers as asleep; to be followed by a last look, then by `sleep` or `stay_awake`.
    void register_asleep(sleeper& s, bool was_searching) noexcept {
        scoped_lock guard(lock_);
        s.next = sleepers_;
        s.asleep = true;
        sleepers_ = &s;
        sleeping_.fetch_add(1, sync::memory_order_seq_cst);
        awake_.fetch_sub(1, sync::memory_order_relaxed);
        if (was_searching) searching_.fetch_sub(1, sync::memory_order_seq_cst);
        enter(s, sleeper::state::looking);
    }
    /// Takes a registration back. True: a waker was faster, and the worker counts as searching.
    [[nodiscard]] bool stay_awake(sleeper& s) noexcept {
        scoped_lock guard(lock_);
        if (!s.asleep) return true;
        take_out(s);
        return false;
    }

    /// Sleeps until woken, an event, a timer, or a look around is due. True: woken to search.
    [[nodiscard]] bool sleep(sleeper& s) {
        place where = place::parked;
        bool gets_up = false;
        {
            scoped_lock guard(lock_);
            if (!s.asleep) return true;
            gets_up = awake_.load(sync::memory_order_relaxed) != 0;
            if (!driver_taken_) {
                driver_taken_ = s.in_driver = true;
                where = place::driver;
            } else if (!watched_ && gets_up) {
                watched_ = true;
                where = place::watch;
            } else {
                gets_up = false;
            }
            enter(s, gets_up ? sleeper::state::timed : sleeper::state::untimed);
        }
        if (where == place::driver)
            events_->park(driver_timeout(gets_up));
        else if (where == place::watch)
            s.parker.park_for(watch_interval);
        else
            s.parker.park();
        scoped_lock guard(lock_);
        if (where == place::driver) {
            driver_taken_ = s.in_driver = false;
        } else if (where == place::watch) {
            watched_ = false;
        }
        s.took_events = where == place::driver;
        const bool woken = !s.asleep;
        if (!woken) take_out(s);
        return woken;
    }

private:
    enum class place { parked, driver, watch };
    static constexpr std::chrono::nanoseconds rescue_interval = std::chrono::milliseconds(1);
    static constexpr std::chrono::nanoseconds watch_interval = std::chrono::milliseconds(10);

    void take_out(sleeper& s) noexcept {  // with the lock held
        sleeper** at = &sleepers_;
        while (*at != &s) at = &(*at)->next;
        *at = s.next;
        s.asleep = false;
        sleeping_.fetch_sub(1, sync::memory_order_seq_cst);
        awake_.fetch_add(1, sync::memory_order_relaxed);
        enter(s, sleeper::state::looking);
    }
    void enter(sleeper& s, enum sleeper::state to) noexcept {  // with the lock held
        --count_[static_cast<std::size_t>(s.state)];
        ++count_[static_cast<std::size_t>(to)];
        s.state = to;
        if (std::exchange(s.called, false)) --called_;
        note_watch();
    }
    void note_watch() noexcept {  // with the lock held
        const auto count = [this](enum sleeper::state s) { return count_[static_cast<std::size_t>(s)]; };
        using state = enum sleeper::state;
        unwatched_.store(count(state::untimed) != 0 && count(state::timed) == 0 &&
                             count(state::looking) == 0 && called_ == 0,
                         sync::memory_order_relaxed);
    }
    [[nodiscard]] std::optional<std::chrono::nanoseconds> driver_timeout(bool gets_up) const noexcept {
        const auto timer = time_->until_next();
        if (!gets_up) return timer;
        return timer && *timer < rescue_interval ? *timer : rescue_interval;
    }

    driver* events_;
    time_driver* time_;
    small_lock lock_;
    sleeper* sleepers_ = nullptr;
    bool driver_taken_ = false;
    bool watched_ = false;  // whether a parked sleeper gets up now and then
    std::array<std::size_t, 4> count_;  // of the workers in each state
    std::size_t called_ = 0;
    sync::atomic<bool> unwatched_{false};
    sync::atomic<std::size_t> sleeping_{0};
    sync::atomic<std::size_t> searching_{0};
    sync::atomic<std::size_t> awake_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
