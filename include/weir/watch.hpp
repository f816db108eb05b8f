#pragma once
// watch: one value that senders replace and receivers look at.
//
// There is only ever the latest value. A receiver remembers which one it has seen: `changed` waits
// for another one, `wait_for` for one that a predicate accepts, and tests the current one first.
// What was replaced before anybody looked is skipped. A value that equals the one before counts as
// a change. How it works: watch_state.hpp.

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <functional>  // std::invoke
#include <type_traits>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/detail/synchronized/under_lock.hpp>
#include <weir/detail/sync/receivers_gone.hpp>
#include <weir/detail/watch/operations.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace watch {

template <class T>
class sender;
template <class T>
class receiver;

/// A look at the value, which cannot change meanwhile: senders wait, and block their thread, until
/// the ref is gone. Keep it for the length of a statement, and never across a co_await.
/// Lifetime       Must not outlive the sender or receiver that it comes from.
/// Thread safety  One thread at a time.
template <class T>
class [[nodiscard]] ref {
public:
    ref(ref&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), changed_(other.changed_) {}
    ref& operator=(ref&& other) noexcept {
        std::swap(state_, other.state_);
        std::swap(changed_, other.changed_);
        return *this;
    }
    ~ref() {
        if (state_) state_->unlock_shared();
    }

    const T& operator*() const noexcept { return state_->value(); }
    const T* operator->() const noexcept { return std::addressof(state_->value()); }

    /// Whether the receiver had not seen the value when it looked; false for a sender.
    [[nodiscard]] bool has_changed() const noexcept { return changed_; }

private:
    friend class sender<T>;
    friend class receiver<T>;
    /// Takes over a lock for reading.
    ref(const detail::watch::watch_state<T>& s, bool changed) noexcept
        : state_(&s), changed_(changed) {}

    const detail::watch::watch_state<T>* state_;
    bool changed_;
};

/// A channel whose value is `initial`, which counts as seen.
///
///     auto [tx, rx] = weir::watch::channel(config{});
///     tx.send(config{"debug"});
///     auto const latest = co_await rx.wait_for([](const config& c) { return c.is_complete(); });
///     if (latest) apply(**latest);            // not: the senders are gone
///
template <class T>
[[nodiscard]] std::pair<sender<T>, receiver<T>> channel(T initial) {
    sender<T> tx(std::move(initial));
    receiver<T> rx = tx.subscribe();
    return {std::move(tx), std::move(rx)};
}

/// The writing end. A copy is another sender of the same channel.
/// Thread safety  Different senders of one channel may be used by different threads. Each change is
///                seen whole; of concurrent ones the last one stays.
template <class T>
class [[nodiscard]] sender {
    static_assert(std::is_object_v<T> && !std::is_const_v<T> && std::is_move_constructible_v<T>,
                  "a watch channel holds a movable object");

public:
    /// A channel without a receiver yet.
    explicit sender(T initial) : state_(new state(std::move(initial))) {}
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

    /// Replaces the value, whether there are receivers or not; returns how many there are. Blocks
    /// the thread while somebody holds a ref.
    /// Errors  What moving the value throws: nobody is told then.
    template <class U = T>
        requires detail::value_for<U, T>
    std::size_t send(U&& value) {
        T v = detail::as_value<T>(std::forward<U>(value));
        return exchange(v);  // the old value is destroyed after the lock was given back
    }
    /// As send; returns the old value.
    template <class U = T>
        requires detail::value_for<U, T>
    T send_replace(U&& value) {
        T v = detail::as_value<T>(std::forward<U>(value));
        exchange(v);
        return v;
    }
    /// Calls `f(T&)`, which changes the value in its place; nobody else sees it meanwhile, so `f`
    /// must be short, and must not use this channel.
    /// Errors  What `f` throws: what it has changed stays, and nobody is told.
    template <std::invocable<T&> F>
    void send_modify(F&& f) {
        check_result<F>();
        const bool changed = valid().modify([&f](T& v) {
            std::invoke(std::forward<F>(f), v);
            return true;
        });
        if (changed) state_->notify();
    }
    /// As send_modify; tells the receivers only if `f` returns true, which is returned.
    template <std::predicate<T&> F>
    bool send_if_modified(F&& f) {
        check_result<F>();
        const bool changed = valid().modify(
            [&f](T& v) { return static_cast<bool>(std::invoke(std::forward<F>(f), v)); });
        if (changed) state_->notify();
        return changed;
    }
    /// The current value.
    [[nodiscard]] ref<T> borrow() const {
        valid().lock_shared();
        return ref<T>(*state_, false);
    }

    /// A receiver that has seen the current value. Opens a channel again that had none left.
    [[nodiscard]] receiver<T> subscribe() const {
        state& s = valid();
        return receiver<T>(s, s.current().number());
    }

    /// Waits until there is no receiver; who subscribes before the waiting task runs prolongs the
    /// wait.
    /// Cancel safety  Safe.
    /// Lifetime       The sender must outlive the wait.
    [[nodiscard("co_await it")]] auto closed() const {
        return detail::receivers_gone_operation<state>(valid());
    }
    /// Whether there is no receiver now.
    [[nodiscard]] bool is_closed() const { return valid().receiver_count() == 0; }
    [[nodiscard]] std::size_t receiver_count() const { return valid().receiver_count(); }
    [[nodiscard]] std::size_t sender_count() const { return valid().counts.strong(); }
    [[nodiscard]] bool same_channel(const sender& other) const noexcept {
        return state_ == other.state_;
    }

private:
    using state = detail::watch::watch_state<T>;

    template <class F>
    static constexpr void check_result() {
        static_assert(!detail::runs_later<std::remove_cvref_t<std::invoke_result_t<F, T&>>>,
                      "a function that changes a watched value must be done when it returns: this "
                      "one returns an awaitable, which would run after the value was given back");
    }
    std::size_t exchange(T& v) {
        static_cast<void>(valid().modify([&v](T& value) {
            state::exchange(value, v);
            return true;
        }));
        return state_->notify();
    }
    state& valid() const {
        if (state_ == nullptr)
            detail::fail<already_consumed_error>("this watch::sender was moved from");
        return *state_;
    }

    state* state_;
};

/// The reading end. A copy has seen what this one has seen.
/// Lifetime       The value can be looked at after the senders are gone. The receiver must not move
///                while one of its operations waits.
/// Thread safety  One thread at a time; `borrow` any number of them.
template <class T>
class [[nodiscard]] receiver {
public:
    receiver(const receiver& other) noexcept : state_(other.state_), seen_(other.seen_) {
        if (state_) state_->add_receiver();
    }
    receiver(receiver&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), seen_(other.seen_) {}
    receiver& operator=(receiver other) noexcept {
        std::swap(state_, other.state_);
        std::swap(seen_, other.seen_);
        return *this;
    }
    ~receiver() {
        if (state_) state_->drop_receiver();
    }

    /// The current value; it does not count as seen by this.
    [[nodiscard]] ref<T> borrow() const {
        valid().lock_shared();
        return ref<T>(*state_, state_->current().number() != seen_);
    }
    /// The current value, which counts as seen.
    [[nodiscard]] ref<T> borrow_and_update() {
        valid().lock_shared();
        const std::uint64_t now = state_->current().number();
        return ref<T>(*state_, std::exchange(seen_, now) != now);
    }

    /// Waits for a value that has not been seen, and marks it as seen.
    /// Suspends       Until a sender changes the value, or the last one is gone.
    /// Cancel safety  Safe: nothing is marked as seen.
    /// Errors         `closed` when no sender is left and the last value was seen.
    [[nodiscard("co_await it")]] auto changed() { return changed_operation(valid(), seen_); }

    /// Waits for a value that `accepts(const T&)` returns true for, beginning with the current one,
    /// seen or not; yields expected<ref<T>, closed>. What was tested is marked as seen.
    /// Suspends       Until a sender stores such a value, or the last one is gone. Values that are
    ///                replaced before the waiting task runs are skipped.
    /// Cancel safety  Safe.
    /// Errors         `closed` when no sender is left and the last value was refused. What the
    ///                predicate throws; the receiver can go on. While it runs, senders wait.
    template <class Pred>
    [[nodiscard("co_await it")]] auto wait_for(Pred&& accepts) {
        using stored = typename detail::value_argument<std::decay_t<Pred>>::type;
        static_assert(std::predicate<stored&, const T&>,
                      "watch::receiver::wait_for takes a predicate of a const T&");
        static_assert(!WEIR_AGGREGATE_TEMPORARIES_BREAK || std::is_lvalue_reference_v<Pred> ||
                          detail::is_taken<std::remove_cvref_t<Pred>> ||
                          std::is_trivially_destructible_v<stored>,
                      "g++ 12 destroys a lambda of a co_await expression twice: name the predicate "
                      "and pass it as it is, or capture by reference");
        return wait_for_operation<stored>(valid(), seen_,
                                          detail::as_value<stored>(std::forward<Pred>(accepts)));
    }

    /// Whether there is a value that was not seen.
    /// Errors  `closed` when no sender is left, even with such a value: unlike changed().
    [[nodiscard]] expected<bool, weir::closed> has_changed() const {
        const detail::watch::version now = valid().current();
        if (now.is_last()) return unexpected<weir::closed>(weir::closed{});
        return now.number() != seen_;
    }
    /// Makes the current value count as not seen by this receiver.
    void mark_changed() noexcept { seen_ = detail::watch::version::unseen; }
    /// Makes the current value count as seen by this receiver.
    void mark_unchanged() { seen_ = valid().current().number(); }

    [[nodiscard]] bool same_channel(const receiver& other) const noexcept {
        return state_ == other.state_;
    }

private:
    using state = detail::watch::watch_state<T>;
    friend class sender<T>;

    receiver(state& s, std::uint64_t seen) noexcept : state_(&s), seen_(seen) { s.add_receiver(); }

    state& valid() const {
        if (state_ == nullptr)
            detail::fail<already_consumed_error>("this watch::receiver was moved from");
        return *state_;
    }

    class changed_operation : public detail::awaitable_base {
    public:
        changed_operation(state& s, std::uint64_t& seen) noexcept : state_(&s), seen_(&seen) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::safe;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public detail::watch::change_awaiter<T> {
        public:
            awaiter(changed_operation& op, detail::owner& o) noexcept
                : detail::watch::change_awaiter<T>(*op.state_, *op.seen_, o) {}
            expected<void, weir::closed> await_resume() noexcept {
                if (this->mark_seen()) return {};
                return unexpected<weir::closed>(weir::closed{});
            }
        };

        state* state_;
        std::uint64_t* seen_;
    };

    template <class Pred>
    class wait_for_operation : public detail::awaitable_base {
    public:
        wait_for_operation(state& s, std::uint64_t& seen, Pred&& accepts)
            : state_(&s), seen_(&seen), accepts_(std::move(accepts)) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::safe;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public detail::watch::match_awaiter<T, Pred> {
        public:
            awaiter(wait_for_operation& op, detail::owner& o) noexcept
                : detail::watch::match_awaiter<T, Pred>(*op.state_, *op.seen_, op.accepts_, o),
                  state_(op.state_) {}
            expected<ref<T>, weir::closed> await_resume() {
                if (this->take_lock()) return ref<T>(*state_, this->was_unseen());
                return unexpected<weir::closed>(weir::closed{});
            }

        private:
            receiver::state* state_;
        };

        state* state_;
        std::uint64_t* seen_;
        Pred accepts_;
    };

    state* state_;
    std::uint64_t seen_;
};

}  // namespace watch
WEIR_ABI_END }  // namespace weir
