#pragma once
// The operations of a watch channel that wait.

#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>  // std::invoke
#include <utility>

#include <weir/detail/core/resume_hook.hpp>
#include <weir/detail/watch/watch_state.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::watch {

/// Waits for a version that has not been seen, or for the end.
template <class T>
class change_awaiter : public ordered_waiter {
public:
    change_awaiter(watch_state<T>& s, std::uint64_t& seen, owner& o) noexcept
        : ordered_waiter(o, wait_kind::watch_changed), state_(&s), seen_(&seen) {}
    ~change_awaiter() {
        if (this->is_suspended()) state_->remove_waiter(*this);
    }
    bool await_ready() noexcept {
        if (!who->has_budget()) return false;
        const version now = state_->current();
        if (!now.is_last() && now.number() == *seen_) return false;
        who->spend_budget();
        return true;
    }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        handle = h;
        if (state_->add_waiter(*this, *seen_)) return true;
        if (who->has_budget()) {
            who->spend_budget();
            handle = nullptr;
            return false;
        }
        yield_granted();
        return true;
    }

protected:
    /// False: it has ended and its last value had been seen.
    [[nodiscard]] bool mark_seen() noexcept {
        const std::uint64_t now = state_->current().number();
        return std::exchange(*seen_, now) != now;
    }

private:
    watch_state<T>* state_;
    std::uint64_t* seen_;
};

/// Waits for a value that a predicate accepts, and then holds the value's lock for reading, until
/// `take_lock` or the end of this object. The predicate runs on the turn of who waits.
template <class T, class Pred>
class match_awaiter : public ordered_waiter, private resume_hook<match_awaiter<T, Pred>> {
public:
    match_awaiter(watch_state<T>& s, std::uint64_t& seen, Pred& accepts, owner& o) noexcept
        : ordered_waiter(o, wait_kind::watch_changed), state_(&s), seen_(&seen), accepts_(&accepts) {}
    ~match_awaiter() {
        if (this->is_suspended()) state_->remove_waiter(*this);
        if (locked_) state_->unlock_shared();
    }
    bool await_ready() const noexcept { return false; }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        waiter_ = h;
        return !look();
    }

protected:
    /// Whether a value was accepted; its lock is the caller's then. Throws what the predicate did.
    [[nodiscard]] bool take_lock() {
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
        return std::exchange(locked_, false);
    }
    [[nodiscard]] bool was_unseen() const noexcept { return unseen_; }

private:
    friend class resume_hook<match_awaiter>;

    void resumed() noexcept {
        if (look()) this->who->transfer(waiter_);
    }
    /// True: it has completed. False: it waits, and may have been resumed elsewhere already.
    [[nodiscard]] bool look() noexcept {
        this->wait_node::handle = resume_hook<match_awaiter>::handle();
        do {
            if (!this->who->has_budget()) {
                this->yield_granted();
                return false;
            }
            this->who->spend_budget();
            if (test()) {
                this->wait_node::handle = nullptr;
                return true;
            }
        } while (!state_->add_waiter(*this, *seen_));
        return false;
    }
    /// Looks at the current value: accepted, refused but the last one, or thrown at: true.
    [[nodiscard]] bool test() noexcept {
        state_->lock_shared();
        const version now = state_->current();
        unseen_ = std::exchange(*seen_, now.number()) != now.number();
        WEIR_TRY {
            locked_ = static_cast<bool>(std::invoke(*accepts_, state_->value()));
        }
        WEIR_CATCH_ALL { error_ = std::current_exception(); }
        if (locked_) return true;
        state_->unlock_shared();
        return error_ != nullptr || now.is_last();
    }

    watch_state<T>* state_;
    std::uint64_t* seen_;
    Pred* accepts_;
    std::coroutine_handle<> waiter_;
    std::exception_ptr error_;
    bool locked_ = false;
    bool unseen_ = false;
};

}  // namespace detail::watch
WEIR_ABI_END }  // namespace weir
