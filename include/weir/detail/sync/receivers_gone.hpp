#pragma once
// `closed()` of the channels that a new subscription opens again.

#include <coroutine>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/resume_hook.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Waits until a channel has no receiver. Somebody may subscribe between the wake and the turn of
/// who waits; so it looks again on its turn, and goes on waiting where there is a receiver again.
/// State   Has `add_close_waiter(node)`, false where there is no receiver, and
///         `remove_close_waiter(node)`.
template <class State>
class receivers_gone_operation : public awaitable_base {
public:
    explicit receivers_gone_operation(State& s) noexcept : state_(&s) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public leaf_awaiter, private resume_hook<awaiter> {
    public:
        awaiter(receivers_gone_operation& op, owner& o) noexcept
            : leaf_awaiter(o, wait_kind::receivers_gone), state_(op.state_) {}
        ~awaiter() {
            if (this->is_suspended()) state_->remove_close_waiter(*this);
        }
        bool await_ready() const noexcept { return false; }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            waiter_ = h;
            return !look();
        }
        void await_resume() const noexcept {}

    private:
        friend class resume_hook<awaiter>;
        void resumed() noexcept {
            if (look()) who->transfer(waiter_);
        }
        /// True: there is no receiver. False: it waits, and may have been resumed elsewhere.
        [[nodiscard]] bool look() noexcept {
            this->wait_node::handle = resume_hook<awaiter>::handle();
            if (state_->add_close_waiter(*this)) return false;
            if (!who->has_budget()) {
                yield_granted();
                return false;
            }
            who->spend_budget();
            this->wait_node::handle = nullptr;
            return true;
        }

        State* state_;
        std::coroutine_handle<> waiter_;
    };

    State* state_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
