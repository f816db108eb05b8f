#pragma once
// A runtime's clock and its timers.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/runtime/timer_wheel.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// A timer that wakes one waiting operation.
struct wake_timer : timer_entry {
    wait_node* waiter = nullptr;
};

/// The wheel behind a lock, and a clock that can be stopped. Times are nanoseconds since the epoch
/// of the steady clock.
class time_driver {
public:
    explicit time_driver(bool start_paused) : paused_(start_paused), frozen_(steady_now()) {}

    [[nodiscard]] std::int64_t now() const noexcept {
        scoped_lock guard(lock_);
        return now_locked();
    }

    enum class added : std::uint8_t { yes, passed };

    /// Links `n` to be woken at `deadline_from(now)`, unless that has passed. `is_first`: no other timer
    /// is due earlier, so that a thread which sleeps in the runtime must look again.
    template <class DeadlineFrom>
    [[nodiscard]] added add(wake_timer& timer, wait_node& n, DeadlineFrom deadline_from,
                            bool& is_first) noexcept {
        scoped_lock guard(lock_);
        const std::int64_t now = now_locked();
        const std::int64_t deadline = deadline_from(now);
        if (deadline <= now) return added::passed;
        const std::optional<std::int64_t> before = wheel_.next_expiry();
        timer.waiter = &n;
        n.state = wait_node::phase::waiting;
        wheel_.insert(timer, deadline, now);
        is_first = !before || deadline < *before;
        return added::yes;
    }

    /// Abandons a timer, on its owner's turn: unlinks it, or takes back the wake.
    void remove(wake_timer& timer, wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (n.state == wait_node::phase::waiting) {
            wheel_.erase(timer);
            n.state = wait_node::phase::idle;
        } else if (n.state != wait_node::phase::idle) {
            n.who->retract(n);
        }
    }

    /// Wakes everything that is due. True: something was.
    bool fire() noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (wheel_.empty()) return false;
        return fire_locked(wakes);
    }

    /// How long until fire() has something to do; none: there is no timer.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> until_next() const noexcept {
        scoped_lock guard(lock_);
        const std::optional<std::int64_t> next = wheel_.next_expiry();
        if (!next) return std::nullopt;
        const std::int64_t now = now_locked();
        return std::chrono::nanoseconds(*next > now ? *next - now : 0);
    }

    // -- a simulation ----------------------------------------------------------------------------

    /// Stops the clock at zero for good; what is due at the same time then wakes in the order that
    /// `ties` draws.
    void simulate(scheduler& ties) noexcept {
        scoped_lock guard(lock_);
        ties_ = &ties;
        paused_ = true;
        frozen_ = 0;
    }
    [[nodiscard]] std::optional<std::int64_t> earliest() const noexcept {
        scoped_lock guard(lock_);
        return wheel_.earliest_deadline();
    }
    /// Moves the stopped clock on to `t`, if that lies ahead, and fires what is passed.
    void advance_to(std::int64_t t) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (t > frozen_) frozen_ = t;
        fire_locked(wakes);
    }

    // -- the stopped clock -----------------------------------------------------------------------

    [[nodiscard]] bool is_paused() const noexcept {
        scoped_lock guard(lock_);
        return paused_;
    }
    /// Where several threads run tasks, nobody could say when nothing runs.
    void forbid_pause() noexcept { pausable_ = false; }
    void pause() {
        scoped_lock guard(lock_);
        if (!pausable_)
            fail<std::logic_error>("weir::clock can be paused on a current_thread_runtime only");
        if (paused_) fail<std::logic_error>("weir::clock is paused already: resume() it first");
        frozen_ = now_locked();
        paused_ = true;
    }
    void resume() {
        scoped_lock guard(lock_);
        if (!paused_) fail<std::logic_error>("weir::clock runs already: pause() it first");
        if (ties_ != nullptr)
            fail<std::logic_error>("weir::clock cannot run in a simulation: its time is virtual");
        offset_ = frozen_ - steady_now();
        paused_ = false;
    }
    /// Moves the stopped clock on and fires what is passed.
    void advance(std::chrono::nanoseconds by) {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (!paused_) fail<std::logic_error>("weir::clock::advance needs a paused clock: pause() it first");
        if (by < by.zero()) fail<std::invalid_argument>("weir::clock::advance: time does not go back");
        frozen_ += by.count();
        fire_locked(wakes);
    }
    /// Until released, the stopped clock does not jump: something is going on that takes real time.
    void hold() noexcept {
        scoped_lock guard(lock_);
        ++holds_;
    }
    /// True: the stopped clock may jump again.
    bool release() noexcept {
        scoped_lock guard(lock_);
        return --holds_ == 0 && paused_;
    }
    /// With the clock stopped and nothing to run: jumps to the next deadline and fires it.
    bool advance_to_next() noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (!paused_ || holds_ != 0) return false;
        const std::optional<std::int64_t> next = wheel_.earliest_deadline();
        if (!next) return false;
        if (*next > frozen_) frozen_ = *next;
        return fire_locked(wakes);
    }

private:
    static std::int64_t steady_now() noexcept {
        return sync::now().time_since_epoch() / std::chrono::nanoseconds(1);
    }
    std::int64_t now_locked() const noexcept { return paused_ ? frozen_ : steady_now() + offset_; }

    bool fire_locked(wake_list& wakes) noexcept {
        const std::int64_t now = now_locked();
        if (ties_ != nullptr) [[unlikely]]
            return fire_shuffled(wakes, now);
        bool fired = false;
        while (timer_entry* const e = paused_ ? wheel_.pop_exact(now) : wheel_.pop_expired(now)) {
            wakes.wake(*static_cast<wake_timer*>(e)->waiter);
            fired = true;
        }
        return fired;
    }

    // As fire_locked; entries of one deadline wake in a random order.
    WEIR_COLD bool fire_shuffled(wake_list& wakes, std::int64_t now) noexcept {
        timer_entry* next = wheel_.pop_exact(now);
        const bool fired = next != nullptr;
        while (next != nullptr) {
            timer_entry* const first = next;
            timer_entry* same = nullptr;
            std::uint64_t count = 0;
            for (; next != nullptr && next->deadline == first->deadline;
                 next = wheel_.pop_exact(now), ++count) {
                // Into a random place: an entry that has left the wheel lends its link.
                timer_entry** at = &same;
                for (std::uint64_t skip = ties_->random() % (count + 1); skip != 0; --skip)
                    at = &(*at)->next;
                next->next = *at;
                *at = next;
            }
            for (; same != nullptr; same = same->next)
                wakes.wake(*static_cast<wake_timer*>(same)->waiter);
        }
        return fired;
    }

    mutable small_lock lock_;
    timer_wheel wheel_;
    bool pausable_ = true;
    bool paused_;
    std::int64_t frozen_;      // the time while paused
    std::int64_t offset_ = 0;  // of this clock to the steady clock while it runs
    scheduler* ties_ = nullptr;  // a simulation's
    std::size_t holds_ = 0;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
