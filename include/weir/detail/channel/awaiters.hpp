#pragma once
// How a channel's operations wait: for slots, and for values.

#include <coroutine>
#include <cstdint>
#include <utility>

#include <weir/detail/channel/state.hpp>
#include <weir/detail/core/awaitable.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// What can be said of the channel whatever it carries.
class channel_wait : public leaf_awaiter {
public:
    [[nodiscard]] const handle_counts& channel() const noexcept { return *channel_; }

protected:
    channel_wait(handle_counts& c, owner& o, wait_kind k) noexcept
        : leaf_awaiter(o, k), channel_(&c) {}

    handle_counts* channel_;
};

template <class State>
class channel_awaiter : public channel_wait {
protected:
    channel_awaiter(State& s, owner& o, wait_kind k) noexcept : channel_wait(s, o, k) {}

    [[nodiscard]] State& state() const noexcept { return static_cast<State&>(*channel_); }

    /// What is ready goes on in this turn (true) while its budget lasts, otherwise in the next one.
    [[nodiscard]] bool complete_now() noexcept {
        if (who->has_budget()) {
            who->spend_budget();
            handle = nullptr;
            return true;
        }
        const bool was_granted = granted;
        yield_granted();
        granted = was_granted;
        return false;
    }
};

/// Waits for `amount` slots. Derived classes say what becomes of them; one that does not take them
/// over by `take_grant` gives them back.
template <class State>
class slot_awaiter : public channel_awaiter<State> {
public:
    slot_awaiter(State& s, owner& o, std::uint32_t n) noexcept : channel_awaiter<State>(s, o, wait_kind::channel_send) {
        this->amount = n;
    }
    ~slot_awaiter() {
        if (this->is_suspended() || this->granted) this->state().cancel_reserve(*this);
    }
    bool await_ready() noexcept {
        if (!this->who->has_budget() || this->state().try_reserve(this->amount) != claim::granted)
            return false;
        this->who->spend_budget();
        this->granted = true;
        return true;
    }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        return request(h) || !this->complete_now();
    }

protected:
    /// True: it waits.
    [[nodiscard]] bool request(std::coroutine_handle<> h) noexcept {
        this->handle = h;
        const claim c = this->state().reserve_or_wait(*this);
        if (c == claim::full) return true;
        this->granted = c == claim::granted;
        return false;
    }
    /// Whether the slots are the caller's now.
    [[nodiscard]] bool take_grant() noexcept { return std::exchange(this->granted, false); }
};

/// Waits for a slot and puts a value into it.
template <class State>
class push_awaiter : public slot_awaiter<State> {
public:
    push_awaiter(State& s, owner& o, typename State::value_type& value) noexcept
        : slot_awaiter<State>(s, o, 1), value_(&value) {}
    bool await_ready() {
        if (!this->who->has_budget() || this->state().looks_full() ||
            this->state().try_push(*value_) != claim::granted)
            return false;
        this->who->spend_budget();
        value_ = nullptr;
        return true;
    }

protected:
    /// Whether the value is in the channel. If its move throws, the slot is given back.
    [[nodiscard]] bool deliver() {
        return value_ == nullptr || (this->granted && deliver_granted());
    }
    [[nodiscard]] typename State::value_type&& undelivered() noexcept { return std::move(*value_); }

private:
    WEIR_NOINLINE bool deliver_granted() {
        const bool pushed = this->state().push_reserved(*value_);
        this->granted = false;
        return pushed;
    }

    typename State::value_type* value_;  // null once it has been sent
};

/// Waits for the right to a value, or for the end. Derived classes take what they were granted;
/// otherwise the right passes on.
template <class State>
class value_awaiter : public channel_awaiter<State> {
public:
    value_awaiter(State& s, owner& o) noexcept
        : channel_awaiter<State>(s, o, wait_kind::channel_recv) {}
    ~value_awaiter() {
        if (this->is_suspended() || this->granted) this->state().cancel_receive(*this);
    }
    bool await_ready() noexcept {
        if (!this->who->has_budget()) return false;
        const auto p = this->state().try_promise();
        if (p == State::poll::empty) return false;
        this->who->spend_budget();
        this->granted = p == State::poll::value;
        return true;
    }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        this->handle = h;
        const auto p = this->state().promise_or_wait(*this);
        if (p == State::poll::empty) return true;
        this->granted = p == State::poll::value;
        return !this->complete_now();
    }
};

/// Waits for the receivers' end.
template <class State>
class close_awaiter : public channel_awaiter<State> {
public:
    close_awaiter(State& s, owner& o) noexcept
        : channel_awaiter<State>(s, o, wait_kind::channel_closed) {}
    ~close_awaiter() {
        if (this->is_suspended()) this->state().remove_close_waiter(*this);
    }
    bool await_ready() noexcept {
        if (!this->who->has_budget() || !this->state().is_closed()) return false;
        this->who->spend_budget();
        return true;
    }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        this->handle = h;
        return this->state().add_close_waiter(*this) || !this->complete_now();
    }
    void await_resume() const noexcept {}
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
