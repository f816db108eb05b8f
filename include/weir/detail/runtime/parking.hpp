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
// all sleep, nobody gets up for nothing.

#include <chrono>
#include <cstddef>
#include <optional>

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
};

class parking_lot {
public:
    parking_lot(driver& events, time_driver& time, std::size_t workers) noexcept
        : events_(&events), time_(&time), awake_(workers) {}

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

    /// Registers as asleep; to be followed by a last look, then by `sleep` or `stay_awake`.
    void register_asleep(sleeper& s, bool was_searching) noexcept {
        scoped_lock guard(lock_);
        s.next = sleepers_;
        s.asleep = true;
        sleepers_ = &s;
        sleeping_.fetch_add(1, sync::memory_order_seq_cst);
        awake_.fetch_sub(1, sync::memory_order_relaxed);
        if (was_searching) searching_.fetch_sub(1, sync::memory_order_seq_cst);
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
        {
            scoped_lock guard(lock_);
            if (!s.asleep) return true;
            if (!driver_taken_) {
                driver_taken_ = s.in_driver = true;
                where = place::driver;
            } else if (!watched_ && awake_.load(sync::memory_order_relaxed) != 0) {
                watched_ = true;
                where = place::watch;
            }
        }
        if (where == place::driver)
            events_->park(driver_timeout());
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
    }
    [[nodiscard]] std::optional<std::chrono::nanoseconds> driver_timeout() const noexcept {
        const auto timer = time_->until_next();
        if (awake_.load(sync::memory_order_relaxed) == 0) return timer;
        return timer && *timer < rescue_interval ? *timer : rescue_interval;
    }

    driver* events_;
    time_driver* time_;
    small_lock lock_;
    sleeper* sleepers_ = nullptr;
    bool driver_taken_ = false;
    bool watched_ = false;  // whether a parked sleeper gets up now and then
    sync::atomic<std::size_t> sleeping_{0};
    sync::atomic<std::size_t> searching_{0};
    sync::atomic<std::size_t> awake_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
