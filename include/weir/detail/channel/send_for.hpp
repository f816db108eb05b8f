#pragma once
// A channel's send with a deadline.

#include <coroutine>
#include <optional>
#include <utility>

#include <weir/detail/channel/awaiters.hpp>
#include <weir/detail/channel/errors.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/expected.hpp>
#include <weir/time.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// A send with a deadline. It waits with two nodes, one in the channel and one in the timer; both
/// resume the same coroutine, and whichever comes first takes the other one out.
template <class State, class Duration>
class send_for_operation : public awaitable_base {
    using T = typename State::value_type;

public:
    template <class U>
    send_for_operation(State& s, U&& value, Duration d)
        : state_(&s), value_(as_value<T>(std::forward<U>(value))), duration_(d) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_data;
    static constexpr bool awaitable_as_lvalue = true;

    class timer : public timer_awaiter {
    public:
        explicit timer(owner& o) : timer_awaiter(o) {}
        bool start(Duration d, std::coroutine_handle<> h) noexcept {
            if (suspend_for(d, h)) return true;
            handle = nullptr;
            return false;
        }
    };

    class awaiter : public push_awaiter<State> {
    public:
        awaiter(send_for_operation& op, owner& o)
            : push_awaiter<State>(*op.state_, o, op.value_), duration_(op.duration_),
              timer_(std::in_place, o) {}
        // Being queued, it may be granted a slot at once; but to be resumed it needs this turn to
        // have ended.
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            if (!this->request(h)) return !this->complete_now();
            if (timer_->start(duration_, h)) return true;
            stop_waiting();
            return false;
        }
        expected<void, send_timeout_error<T>> await_resume() {
            timer_.reset();
            stop_waiting();
            if (this->deliver()) return {};
            return expected<void, send_timeout_error<T>>(
                unexpect, timed_out_ ? claim::full : claim::closed, this->undelivered());
        }

    private:
        void stop_waiting() noexcept {
            if (this->is_suspended()) timed_out_ = this->state_->stop_waiting_for_slots(*this);
            this->handle = nullptr;
        }

        Duration duration_;
        std::optional<timer> timer_;
        bool timed_out_ = false;
    };

    State* state_;
    T value_;
    Duration duration_;
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
