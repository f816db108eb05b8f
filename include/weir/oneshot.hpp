#pragma once
// oneshot: a channel for one value, from one sender to one receiver.
//
// State: one allocation with one word, `lock | sent | taken | sender gone | receiver closed | receiver
//        gone`, the waiting node of either side, and room for the value.
// The word is a lock whose release publishes the flags: a side that reads a flag without the lock
// bit knows that the other is done touching the state. So a send is one read-modify-write, and
// receiving a value that is there already is none.
// The value belongs to the receiver once `sent` is set, to the sender before. The side that finds
// the other one gone frees the state.

#include <coroutine>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/frame_pool.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/detail/oneshot_state.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace oneshot {

template <class T>
class sender;
template <class T>
class receiver;

/// Why try_recv has no value.
enum class try_recv_error {
    empty,   ///< nothing has been sent yet
    closed,  ///< nothing will be: the sender is gone, or the value was taken
};

/// A sender and a receiver for one value.
///
///     auto [tx, rx] = weir::oneshot::channel<int>();
///     tx.send(42).value();
///     std::optional<int> const v = co_await rx;
///
/// It costs one allocation. Neither end can be copied.
template <class T>
[[nodiscard]] std::pair<sender<T>, receiver<T>> channel() {
    auto* const s = detail::oneshot_state<T>::create();
    return {sender<T>(*s), receiver<T>(*s)};
}

/// The sending end. Destroying it unused tells the receiver that nothing will come.
/// Thread safety  One thread at a time; independent of the receiver.
template <class T>
class [[nodiscard]] sender {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>, "a channel carries movable objects");

public:
    sender(sender&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    sender& operator=(sender&& other) noexcept {
        sender(std::move(other)).swap(*this);
        return *this;
    }
    ~sender() {
        if (state_) state_->drop_sender();
    }
    void swap(sender& other) noexcept { std::swap(state_, other.state_); }

    /// Sends the value and gives this end up. Never waits: it may be called from plain threads and
    /// from destructors. Success is no promise that the value is looked at.
    /// Errors  The value comes back when the receiver is gone or closed. A second send throws
    ///         already_consumed_error.
    template <class U = T>
        requires detail::value_for<U, T>
    expected<void, T> send(U&& value) {
        detail::oneshot_state<T>& s = valid();
        s.construct(detail::as_value<T>(std::forward<U>(value)));
        state_ = nullptr;
        if (s.publish()) [[likely]]
            return {};
        struct give_up {
            ~give_up() { state->abandon(); }
            detail::oneshot_state<T>* state;
        } const end{&s};
        return expected<void, T>(unexpect, std::move(s.value()));
    }

    /// Waits until the receiver is gone or closed: nobody wants the value any more.
    /// Cancel safety  Safe.
    [[nodiscard("co_await it")]] auto closed() { return closed_operation(valid()); }
    [[nodiscard]] bool is_closed() const { return valid().is_closed(); }

private:
    template <class U>
    friend std::pair<sender<U>, receiver<U>> channel();
    explicit sender(detail::oneshot_state<T>& s) noexcept : state_(&s) {}

    detail::oneshot_state<T>& valid() const {
        if (state_ == nullptr)
            detail::fail<already_consumed_error>(
                "this oneshot::sender has sent already or was moved from: a oneshot carries one "
                "value; use mpsc for more");
        return *state_;
    }

    class closed_operation : public detail::awaitable_base {
    public:
        explicit closed_operation(detail::oneshot_state<T>& s) noexcept : state_(&s) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::safe;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public detail::leaf_awaiter {
        public:
            awaiter(closed_operation& op, detail::owner& o) noexcept
                : leaf_awaiter(o), state_(op.state_) {}
            ~awaiter() {
                if (this->is_suspended()) state_->remove_sender_waiter(*this);
            }
            bool await_ready() noexcept {
                if (!who->has_budget() || !state_->is_closed()) return false;
                who->spend_budget();
                return true;
            }
            WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
                handle = h;
                if (!state_->add_sender_waiter(*this)) yield_granted();
                return true;
            }
            void await_resume() const noexcept {}

        private:
            detail::oneshot_state<T>* state_;
        };

        detail::oneshot_state<T>* state_;
    };

    detail::oneshot_state<T>* state_;
};

/// The receiving end: `co_await rx` yields the value, or nullopt when the sender went without one.
/// Cancel safety  Safe: a lost `select(rx, …)` leaves the receiver and the value as they were. Of
///                several waits at once only the latest is woken.
/// Errors         Awaiting it again after it has yielded throws already_consumed_error. What moving
///                the value throws: it stays, and can be received again.
/// Thread safety  One thread at a time; independent of the sender.
template <class T>
class [[nodiscard]] receiver : public detail::awaitable_base {
public:
    receiver(receiver&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), terminated_(other.terminated_) {}
    receiver& operator=(receiver&& other) noexcept {
        receiver(std::move(other)).swap(*this);
        return *this;
    }
    ~receiver() {
        if (state_) state_->drop_receiver();
    }
    void swap(receiver& other) noexcept {
        std::swap(state_, other.state_);
        std::swap(terminated_, other.terminated_);
    }

    /// The value if it has been sent.
    expected<T, try_recv_error> try_recv() {
        detail::oneshot_state<T>& s = valid();
        if (!s.is_settled()) return unexpected<try_recv_error>(try_recv_error::empty);
        if (!s.settles_with_value()) {
            terminated_ = true;
            return unexpected<try_recv_error>(try_recv_error::closed);
        }
        auto v = s.take([](T&& value) { return expected<T, try_recv_error>(std::move(value)); });
        terminated_ = true;
        return v;
    }

    /// Blocks the thread until there is a value or never will be one.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    std::optional<T> blocking_recv() {
        return detail::block_thread_on(
            *this, "oneshot::receiver::blocking_recv on a thread that runs tasks: co_await it");
    }

    /// Refuses a value from now on. One that has been sent already can still be received.
    void close() noexcept {
        if (state_) state_->close();
    }

    /// Whether it has yielded its result, a value or the lack of one.
    [[nodiscard]] bool is_terminated() const noexcept { return terminated_; }
    /// Whether no value is there to be taken now.
    [[nodiscard]] bool empty() const noexcept { return state_ == nullptr || !state_->has_value(); }

private:
    template <class U>
    friend std::pair<sender<U>, receiver<U>> channel();
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    explicit receiver(detail::oneshot_state<T>& s) noexcept : state_(&s) {}

    detail::oneshot_state<T>& valid() const {
        if (state_ == nullptr)
            detail::fail<already_consumed_error>("this oneshot::receiver was moved from");
        return *state_;
    }

    class awaiter : public detail::leaf_awaiter {
    public:
        awaiter(receiver& rx, detail::owner& o) : leaf_awaiter(o), rx_(&rx) {
            rx.valid();
            if (rx.terminated_)
                detail::fail<already_consumed_error>(
                    "this oneshot::receiver has yielded its result already: await it once");
        }
        ~awaiter() {
            if (this->is_suspended()) rx_->state_->remove_receiver_waiter(*this);
        }
        bool await_ready() noexcept {
            if (!who->has_budget() || !rx_->state_->is_settled()) return false;
            who->spend_budget();
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            if (!rx_->state_->add_receiver_waiter(*this)) yield_granted();
            return true;
        }
        std::optional<T> await_resume() {
            if (!rx_->state_->settles_with_value()) {
                rx_->terminated_ = true;
                return std::nullopt;
            }
            auto v = rx_->state_->take([](T&& value) { return std::optional<T>(std::move(value)); });
            rx_->terminated_ = true;
            return v;
        }

    private:
        receiver* rx_;
    };

    detail::oneshot_state<T>* state_;
    bool terminated_ = false;
};

}  // namespace oneshot
WEIR_ABI_END }  // namespace weir
