#pragma once
// barrier: a number of tasks wait for each other.
//
// For rounds of work in which nobody may be a step ahead. To wait for tasks to end, join them; to
// wait for one event, see notify and set_once.

#include <coroutine>
#include <cstddef>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/standalone.hpp>

namespace weir { WEIR_ABI_BEGIN

/// Releases `count` tasks when the last of them has arrived, and starts anew for the next round.
///
///     weir::barrier phase(3);
///     bool const leader = co_await phase.wait();     // true for exactly one of the three
///
/// A count of 0 behaves like 1: nobody waits.
/// Lifetime       Must outlive its waiters.
/// Thread safety  Any thread.
class barrier {
public:
    constexpr explicit barrier(std::size_t count) noexcept : count_(count == 0 ? 1 : count) {}
    barrier(const barrier&) = delete;
    barrier& operator=(const barrier&) = delete;

    /// Arrives, and yields whether this was the last arrival, which leads the round.
    /// Suspends       Until the round is complete.
    /// Cancel safety  Loses data: who has arrived stays counted, so waiting again counts twice.
    ///                `select` and `timeout` refuse it; weir::lossy(b.wait()) is for a task that
    ///                will not come back to the barrier in this round.
    [[nodiscard("co_await it")]] auto wait() noexcept { return wait_operation(*this); }
    /// As wait, blocking the thread.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    bool blocking_wait() {
        return detail::block_thread_on(
            wait(), "barrier::blocking_wait on a thread that runs tasks: co_await wait()");
    }

private:
    class waiter : public detail::leaf_awaiter {
    public:
        waiter(barrier& b, detail::owner& o) noexcept : leaf_awaiter(o, detail::wait_kind::barrier_wait), barrier_(&b) {}
        ~waiter() {
            if (is_suspended()) barrier_->leave(*this);
        }
        bool await_ready() const noexcept { return false; }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            if (!barrier_->arrive(*this)) return true;
            if (who->has_budget()) {
                who->spend_budget();
                handle = nullptr;
                return false;
            }
            yield_granted();
            return true;
        }
        bool await_resume() noexcept {
            return leads_;
        }

    private:
        friend class barrier;
        barrier* barrier_;
        bool leads_ = false;
    };

    class wait_operation : public detail::awaitable_base {
    public:
        explicit wait_operation(barrier& b) noexcept : barrier_(&b) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::loses_data;
        static constexpr bool awaitable_as_lvalue = false;

        class awaiter : public waiter {
        public:
            awaiter(wait_operation& op, detail::owner& o) noexcept : waiter(*op.barrier_, o) {}
        };

        barrier* barrier_;
    };

    /// True: the round is complete, and everybody else in it has been woken.
    [[nodiscard]] bool arrive(waiter& w) noexcept {
        detail::wake_list wakes;
        detail::scoped_lock guard(lock_);
        if (++arrived_ < count_) {
            w.enqueue_in(waiters_);
            return false;
        }
        arrived_ = 0;
        while (!waiters_.empty()) wakes.wake(waiters_.pop_front());
        return w.leads_ = true;
    }
    /// Forgets who waited, but not that it has arrived.
    void leave(waiter& w) noexcept {
        detail::scoped_lock guard(lock_);
        if (w.state == detail::wait_node::phase::waiting)
            waiters_.erase(w);
        else if (w.state != detail::wait_node::phase::idle)
            w.who->retract(w);
        w.state = detail::wait_node::phase::idle;
    }

    detail::small_lock lock_;
    std::size_t count_;
    std::size_t arrived_ = 0;
    detail::wait_list waiters_;
};

WEIR_ABI_END }  // namespace weir
