#pragma once
// broadcast: every receiver gets every value that is sent after it subscribed.
//
// Sending never waits: a channel keeps the last `capacity` values, and a receiver that falls
// further behind than that loses the oldest and is told how many. So a slow receiver costs itself,
// and neither the sender nor the others. Each value is stored once, copied to each receiver outside
// of every lock, and destroyed when the last one has seen it. A sender is one word; a receiver is
// five, with its place among the others. How it works: ring_state.hpp and slot.hpp.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/detail/broadcast/received.hpp>
#include <weir/detail/broadcast/ring_state.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/detail/sync/receivers_gone.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace broadcast {

template <class T>
class sender;
template <class T>
class receiver;
template <class T>
class weak_sender;

/// There was no receiver; the value comes back.
template <class T>
struct send_error {
    explicit send_error(T&& v) : value(std::move(v)) {}

    T value;
};

/// What a receive found. There is no conversion to bool: to have missed values is not the end, and
/// a loop that takes it for the end goes deaf.
///
///     for (;;) {
///         auto const r = co_await rx.recv();
///         if (r.is_closed()) break;
///         if (r.is_lagged()) count_missed(r.lagged());
///         else use(*r);
///     }
template <class T>
class [[nodiscard]] recv_result {
public:
    [[nodiscard]] bool has_value() const noexcept { return what_.kind() == outcome::value; }
    /// Values were overwritten before this receiver came to them; it goes on with the oldest kept.
    [[nodiscard]] bool is_lagged() const noexcept { return what_.kind() == outcome::lagged; }
    /// How many; 0 unless is_lagged().
    [[nodiscard]] std::uint64_t lagged() const noexcept { return is_lagged() ? what_.missed() : 0; }
    /// No sender is left and everything was received.
    [[nodiscard]] bool is_closed() const noexcept { return what_.kind() == outcome::closed; }
    /// Nothing is there now; only try_recv says so.
    [[nodiscard]] bool is_empty() const noexcept { return what_.kind() == outcome::empty; }

    /// The value. Only where has_value().
    T& operator*() & noexcept { return what_.value(); }
    const T& operator*() const& noexcept { return what_.value(); }
    T&& operator*() && noexcept { return std::move(what_.value()); }
    T* operator->() noexcept { return std::addressof(what_.value()); }
    const T* operator->() const noexcept { return std::addressof(what_.value()); }

    /// The value. Errors  Throws std::logic_error where there is none.
    T& value() & { return checked(), **this; }
    const T& value() const& { return checked(), **this; }
    T&& value() && { return checked(), std::move(what_.value()); }

private:
    friend class receiver<T>;
    using outcome = detail::broadcast::outcome;

    recv_result() = default;

    void checked() const {
        if (!has_value())
            detail::fail<std::logic_error>(
                "this broadcast::recv_result holds no value: ask is_closed(), is_lagged() and, "
                "after try_recv, is_empty() first");
    }

    detail::broadcast::received<T> what_;
};

/// A channel that keeps the last `capacity` values; not one more. Further receivers: subscribe().
///
///     auto [tx, rx] = weir::broadcast::channel<std::string>(16);
///     auto other = tx.subscribe();
///     tx.send("to both").value();
///
/// Errors  Throws std::invalid_argument for a capacity of 0 or of 2^29 and more.
template <class T>
[[nodiscard]] std::pair<sender<T>, receiver<T>> channel(std::size_t capacity) {
    sender<T> tx(capacity);
    receiver<T> rx = tx.subscribe();
    return {std::move(tx), std::move(rx)};
}

/// The sending end. A copy is another sender of the same channel; the channel ends for the
/// receivers when the last one is gone.
/// Thread safety  Different senders of one channel may be used by different threads.
template <class T>
class [[nodiscard]] sender {
    static_assert(std::is_object_v<T> && !std::is_const_v<T> && std::is_copy_constructible_v<T>,
                  "a broadcast channel copies its value to each receiver: for what cannot be "
                  "copied, send a std::shared_ptr<T const>");

public:
    /// A channel without a receiver yet.
    /// Errors  Throws std::invalid_argument for a capacity of 0 or of 2^29 and more.
    explicit sender(std::size_t capacity) : state_(state::create(capacity)) {}
    sender(const sender& other) noexcept : state_(other.state_) {
        if (state_) state_->counts.add_strong();
    }
    sender(sender&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    sender& operator=(sender other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~sender() {
        if (state_) state_->drop_sender();
    }

    /// Sends a value to every receiver there is, and returns how many these are. Never suspends;
    /// where the ring is full the oldest value is overwritten. Success is no promise of receipt.
    /// Errors  The value comes back when there is no receiver; later ones will not see it.
    template <class U = T>
        requires detail::value_for<U, T>
    expected<std::size_t, send_error<T>> send(U&& value) {
        T v = detail::as_value<T>(std::forward<U>(value));
        const std::size_t receivers = valid().send(v);
        if (receivers != 0) [[likely]]
            return receivers;
        return expected<std::size_t, send_error<T>>(unexpect, std::move(v));
    }

    /// A receiver of what will be sent from now on. Opens a channel again that had none left.
    [[nodiscard]] receiver<T> subscribe() const { return receiver<T>(valid()); }

    /// Waits until there is no receiver; who subscribes before the waiting task runs prolongs the
    /// wait.
    /// Cancel safety  Safe.
    /// Lifetime       The sender must outlive the wait.
    [[nodiscard("co_await it")]] auto closed() const {
        return detail::receivers_gone_operation<state>(valid());
    }

    /// How many values are kept that some receiver has not seen.
    [[nodiscard]] std::size_t size() const { return valid().size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] std::size_t receiver_count() const { return valid().receiver_count(); }
    [[nodiscard]] bool same_channel(const sender& other) const noexcept {
        return state_ == other.state_;
    }
    /// A handle that does not keep the channel open.
    [[nodiscard]] weak_sender<T> downgrade() const { return weak_sender<T>(valid()); }
    [[nodiscard]] std::size_t strong_count() const { return valid().counts.strong(); }
    [[nodiscard]] std::size_t weak_count() const { return valid().counts.weak(); }

private:
    using state = detail::broadcast::ring_state<T>;
    friend class weak_sender<T>;

    explicit sender(state& s) noexcept : state_(&s) {}

    state& valid() const {
        if (state_ == nullptr)
            detail::fail<already_consumed_error>("this broadcast::sender was moved from");
        return *state_;
    }

    state* state_;
};

/// A sender that does not keep the channel open.
/// Thread safety  As sender.
template <class T>
class weak_sender {
public:
    weak_sender(const weak_sender& other) noexcept : state_(other.state_) {
        if (state_) state_->counts.add_weak();
    }
    weak_sender(weak_sender&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    weak_sender& operator=(weak_sender other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~weak_sender() {
        if (state_) state_->drop_weak();
    }

    /// A sender; nullopt once the last one has gone, for good.
    [[nodiscard]] std::optional<sender<T>> upgrade() const {
        if (state_ == nullptr || !state_->counts.try_add_strong()) return std::nullopt;
        return sender<T>(*state_);
    }

private:
    friend class sender<T>;
    explicit weak_sender(detail::broadcast::ring_state<T>& s) noexcept : state_(&s) {
        s.counts.add_weak();
    }

    detail::broadcast::ring_state<T>* state_;
};

/// A receiving end with its own place in the stream. It is five words big, and moving it takes a
/// lock: in exchange, receiving does not write to anything that other threads use.
/// Lifetime       What only this receiver had not seen yet is destroyed with it. It must not move
///                while one of its operations waits.
/// Thread safety  One thread at a time.
template <class T>
class [[nodiscard]] receiver {
public:
    receiver(receiver&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {
        if (state_) state_->move_place(other.place_, place_);
    }
    receiver& operator=(receiver&& other) noexcept {
        if (this == &other) return *this;
        reset();
        state_ = std::exchange(other.state_, nullptr);
        if (state_) state_->move_place(other.place_, place_);
        return *this;
    }
    ~receiver() { reset(); }

    /// The next value, or that values were missed, or the end.
    /// Suspends       Until a value is sent that this receiver has not seen.
    /// Cancel safety  Safe: nothing has been taken.
    /// Errors         What copying the value throws; the receiver goes on with the next one.
    [[nodiscard("co_await it")]] auto recv() { return recv_operation(valid()); }

    /// As recv, without waiting: is_empty() where recv would wait.
    recv_result<T> try_recv() { return valid().take(); }

    /// As recv, blocking the thread.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    recv_result<T> blocking_recv() {
        return detail::block_thread_on(
            recv(),
            "broadcast::receiver::blocking_recv on a thread that runs tasks: co_await recv()");
    }

    /// Another receiver of the same channel, of what will be sent from now on.
    [[nodiscard]] receiver resubscribe() const { return receiver(*valid().state_); }

    /// How many values were sent that this receiver has not received: with those it has missed, so
    /// it may exceed the capacity until they are reported.
    [[nodiscard]] std::size_t size() const { return valid().state_->behind(place_); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    /// Whether no sender is left; values may be.
    [[nodiscard]] bool is_closed() const { return valid().state_->is_closed(); }
    [[nodiscard]] bool same_channel(const receiver& other) const noexcept {
        return state_ == other.state_;
    }
    [[nodiscard]] std::size_t sender_strong_count() const {
        return valid().state_->counts.strong();
    }
    [[nodiscard]] std::size_t sender_weak_count() const { return valid().state_->counts.weak(); }

private:
    using state = detail::broadcast::ring_state<T>;
    friend class sender<T>;

    explicit receiver(state& s) noexcept : state_(&s) { s.subscribe(place_); }

    void reset() noexcept {
        if (state_) std::exchange(state_, nullptr)->unsubscribe(place_);
    }
    const receiver& valid() const {
        if (state_ == nullptr)
            detail::fail<already_consumed_error>("this broadcast::receiver was moved from");
        return *this;
    }
    receiver& valid() {
        static_cast<void>(std::as_const(*this).valid());
        return *this;
    }

    recv_result<T> take() {
        recv_result<T> r;
        state_->take(place_, r.what_);
        return r;
    }

    class recv_operation : public detail::awaitable_base {
    public:
        explicit recv_operation(receiver& rx) noexcept : receiver_(&rx) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::safe;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public detail::ordered_waiter {
        public:
            awaiter(recv_operation& op, detail::owner& o) noexcept
                : ordered_waiter(o, detail::wait_kind::broadcast_recv), receiver_(op.receiver_) {}
            ~awaiter() {
                if (this->is_suspended()) receiver_->state_->remove_waiter(*this);
            }
            bool await_ready() noexcept {
                if (!who->has_budget() || !receiver_->state_->has_next(receiver_->place_))
                    return false;
                who->spend_budget();
                return true;
            }
            WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
                handle = h;
                if (receiver_->state_->add_waiter(receiver_->place_, *this)) return true;
                if (who->has_budget()) {
                    who->spend_budget();
                    handle = nullptr;
                    return false;
                }
                yield_granted();
                return true;
            }
            recv_result<T> await_resume() { return receiver_->take(); }

        private:
            receiver* receiver_;
        };

        receiver* receiver_;
    };

    state* state_;
    detail::broadcast::place place_;
};

}  // namespace broadcast
WEIR_ABI_END }  // namespace weir
