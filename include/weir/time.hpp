#pragma once
// sleep, and the clock that it goes by.
//
// Each runtime has a hierarchical timing wheel: a timer costs O(1) to start and to abandon and
// lives in the sleeping frame. A sleep never ends early; the lateness is at most 66 us for sleeps
// below 16 ms and 1.05 ms for longer ones, plus whatever keeps the runtime busy.

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <limits>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/runtime/runtime_core.hpp>
#include <weir/detail/runtime/time_driver.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A steady clock that follows the current runtime's time, which tests can stop and move.
/// Outside of a runtime it is std::chrono::steady_clock.
struct clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<clock>;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now() noexcept {
        if (detail::runtime_core* const r = detail::runtime_core::current())
            return time_point(duration(r->time().now()));
        return time_point(detail::sync::now().time_since_epoch());
    }

    /// Stops the current runtime's clock. While it is stopped and no task can run, it jumps to the
    /// next deadline by itself.
    /// Errors  All three throw no_runtime_error outside of a runtime, and std::logic_error where the
    ///         clock is in the wrong state, or belongs to a multi_thread_runtime.
    static void pause() { detail::runtime_core::current_or_throw().time().pause(); }
    static void resume() { detail::runtime_core::current_or_throw().time().resume(); }
    /// Moves a stopped clock on; what is due by then wakes.
    static void advance(duration by) {
        detail::runtime_core::current_or_throw().time().advance(by);
    }
};

namespace detail {

template <class... Args>
inline constexpr bool is_included<time_header, Args...> = true;

/// A deadline from a duration of any kind; far ones saturate instead of overflowing.
template <class Rep, class Period>
std::int64_t deadline_after(std::int64_t now, std::chrono::duration<Rep, Period> d) noexcept {
    constexpr auto limit = std::numeric_limits<std::int64_t>::max();
    if (d <= d.zero()) return now;
    if (std::chrono::duration<double, std::nano>(d).count() >= static_cast<double>(limit - now))
        return limit;
    const std::int64_t ns = std::chrono::ceil<std::chrono::nanoseconds>(d).count();
    return ns > limit - now ? limit : now + ns;
}

/// Waits for a deadline on the runtime of the task that awaits it.
class timer_awaiter : public leaf_awaiter {
public:
    timer_awaiter(owner& o) : leaf_awaiter(o), core_(o.home().runtime()) {
        if (core_ == nullptr)
            fail<no_runtime_error>(
                "a sleep or a timeout needs a weir runtime: await it in a weir::task");
    }
    ~timer_awaiter() {
        if (is_suspended()) core_->time().remove(timer_, *this);
    }
    bool await_ready() noexcept { return false; }
    void await_resume() const noexcept {}

protected:
    [[nodiscard]] std::int64_t now() const noexcept { return core_->time().now(); }

    /// As await_suspend. False: the deadline has passed.
    bool suspend_until(std::int64_t deadline, std::coroutine_handle<> h) noexcept {
        return suspend(h, [deadline](std::int64_t) { return deadline; });
    }
    /// The same; the duration begins now.
    template <class Duration>
    bool suspend_for(Duration d, std::coroutine_handle<> h) noexcept {
        return suspend(h, [d](std::int64_t now) { return deadline_after(now, d); });
    }

private:
    template <class DeadlineFrom>
    bool suspend(std::coroutine_handle<> h, DeadlineFrom deadline_from) noexcept {
        handle = h;
        bool is_first = false;
        switch (core_->time().add(timer_, *this, deadline_from, is_first)) {
            case time_driver::added::yes:
                if (is_first) core_->timers_changed();
                return true;
            case time_driver::added::passed: break;
        }
        if (who->has_budget()) {
            who->spend_budget();
            return false;
        }
        yield_granted();
        return true;
    }

    runtime_core* core_;
    wake_timer timer_;
};

class sleep_until_operation : public awaitable_base {
public:
    explicit sleep_until_operation(clock::time_point t) noexcept
        : deadline_(t.time_since_epoch().count()) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public timer_awaiter {
    public:
        awaiter(sleep_until_operation& op, owner& o) : timer_awaiter(o), deadline_(op.deadline_) {}
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            return suspend_until(deadline_, h);
        }

    private:
        std::int64_t deadline_;
    };

    std::int64_t deadline_;
};

template <class Duration>
class sleep_for_operation : public awaitable_base {
public:
    explicit sleep_for_operation(Duration d) noexcept : duration_(d) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public timer_awaiter {
    public:
        awaiter(sleep_for_operation& op, owner& o) : timer_awaiter(o), duration_(op.duration_) {}
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            return suspend_for(duration_, h);
        }

    private:
        Duration duration_;
    };

    Duration duration_;
};

}  // namespace detail

/// Waits for a duration that begins when it is awaited.
/// Cancel safety  Safe.
/// Errors         Throws no_runtime_error when it is awaited by what is not a task of a runtime.
template <class Rep, class Period>
[[nodiscard("co_await it")]] auto sleep_for(std::chrono::duration<Rep, Period> d) noexcept {
    return detail::sleep_for_operation<std::chrono::duration<Rep, Period>>(d);
}

/// Waits until a point of time of weir::clock.
/// Cancel safety  Safe.
/// Errors         As sleep_for.
[[nodiscard("co_await it")]] inline auto sleep_until(clock::time_point t) noexcept {
    return detail::sleep_until_operation(t);
}

/// A deadline that can be moved and awaited again: a timer that a loop keeps.
///
///     weir::sleep idle(30s);
///     co_await weir::select(rx.recv(), idle);    // an lvalue branch keeps its deadline
///     idle.reset(weir::clock::now() + 30s);
///
/// Cancel safety  Safe: the deadline stays as it was.
class [[nodiscard("co_await it")]] sleep : public detail::awaitable_base {
public:
    /// The duration begins now.
    template <class Rep, class Period>
    explicit sleep(std::chrono::duration<Rep, Period> d) noexcept
        : deadline_(detail::deadline_after(clock::now().time_since_epoch().count(), d)) {}
    explicit sleep(clock::time_point t) noexcept : deadline_(t.time_since_epoch().count()) {}

    [[nodiscard]] clock::time_point deadline() const noexcept {
        return clock::time_point(clock::duration(deadline_));
    }
    [[nodiscard]] bool is_elapsed() const noexcept { return clock::now() >= deadline(); }
    /// Moves the deadline, before or after it has passed; not while it is being awaited.
    void reset(clock::time_point t) noexcept { deadline_ = t.time_since_epoch().count(); }

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public detail::timer_awaiter {
    public:
        awaiter(sleep& s, detail::owner& o) : timer_awaiter(o), deadline_(s.deadline_) {}
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            return suspend_until(deadline_, h);
        }

    private:
        std::int64_t deadline_;
    };

    std::int64_t deadline_;
};

WEIR_ABI_END }  // namespace weir
