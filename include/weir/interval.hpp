#pragma once
// interval: a point of time every so often.

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <stdexcept>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/time.hpp>

namespace weir { WEIR_ABI_BEGIN

/// What an interval does about ticks whose time has passed while nobody waited.
enum class missed_tick : unsigned char {
    burst,  ///< makes up for them at once, one after the other, and is back on its schedule
    delay,  ///< begins a new schedule at the late tick
    skip    ///< leaves them out: the next tick is the first one of the old schedule that lies ahead
};

/// A schedule of ticks, the first of them at once.
///
///     weir::interval every(1s);
///     for (;;) {
///         co_await every.tick();
///         report();                             // once a second, however long it takes
///     }
///
/// A tick counts as missed when it comes more than 5 ms late, so that the usual lateness of a timer
/// does not move a schedule.
/// Lifetime  `tick` refers to the interval: keep that in place while it is awaited.
class interval {
    class tick_operation;

public:
    /// Errors  A period that is not positive throws std::invalid_argument.
    template <class Rep, class Period>
    explicit interval(std::chrono::duration<Rep, Period> period, missed_tick m = missed_tick::burst)
        : interval(clock::now(), period, m) {}
    /// The first tick is at `start`. Errors  As above.
    template <class Rep, class Period>
    interval(clock::time_point start, std::chrono::duration<Rep, Period> period,
             missed_tick m = missed_tick::burst)
        : next_(start.time_since_epoch().count()),
          period_(detail::deadline_after(0, period)),
          missed_(m) {
        if (period_ == 0)
            detail::fail<std::invalid_argument>("weir::interval: the period must be positive");
    }

    /// Waits until the next tick is due; yields the time that it was due at, which may be earlier
    /// than now. By one task at a time.
    /// Cancel safety  Safe: the tick stays due.
    /// Errors         Throws no_runtime_error when it is awaited by what is not a task of a runtime.
    [[nodiscard("co_await it")]] auto tick() noexcept;

    /// The next tick is one period from now.
    void reset() noexcept { reset_after(period()); }
    /// The next tick is due now.
    void reset_immediately() noexcept { reset_at(clock::now()); }
    /// The next tick is `d` from now.
    template <class Rep, class Period>
    void reset_after(std::chrono::duration<Rep, Period> d) noexcept {
        next_ = detail::deadline_after(clock::now().time_since_epoch().count(), d);
    }
    /// The next tick is at `t`; the others follow it.
    void reset_at(clock::time_point t) noexcept { next_ = t.time_since_epoch().count(); }

    [[nodiscard]] clock::duration period() const noexcept { return clock::duration(period_); }
    [[nodiscard]] missed_tick on_missed() const noexcept { return missed_; }
    void set_on_missed(missed_tick m) noexcept { missed_ = m; }

private:
    static constexpr std::int64_t tolerance = 5'000'000;  // nanoseconds

    static std::int64_t after(std::int64_t t, std::int64_t ns) noexcept {
        return detail::deadline_after(t, clock::duration(ns));
    }
    clock::time_point take_tick(std::int64_t now) noexcept {
        const std::int64_t due = next_;
        if (now <= after(due, tolerance) || missed_ == missed_tick::burst)
            next_ = after(due, period_);
        else if (missed_ == missed_tick::delay)
            next_ = after(now, period_);
        else
            next_ = after(now, period_ - (now - due) % period_);
        return clock::time_point(clock::duration(due));
    }

    std::int64_t next_;
    std::int64_t period_;
    missed_tick missed_;
};

class interval::tick_operation : public detail::awaitable_base {
public:
    explicit tick_operation(interval& i) noexcept : interval_(&i) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public detail::timer_awaiter {
    public:
        awaiter(tick_operation& op, detail::owner& o) : timer_awaiter(o), interval_(op.interval_) {}
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            return suspend_until(interval_->next_, h);
        }
        clock::time_point await_resume() const noexcept { return interval_->take_tick(now()); }

    private:
        interval* interval_;
    };

    interval* interval_;
};

inline auto interval::tick() noexcept { return tick_operation(*this); }

/// As the constructor with a start.
template <class Rep, class Period>
[[nodiscard]] interval interval_at(clock::time_point start,
                                   std::chrono::duration<Rep, Period> period,
                                   missed_tick m = missed_tick::burst) {
    return interval(start, period, m);
}

WEIR_ABI_END }  // namespace weir
