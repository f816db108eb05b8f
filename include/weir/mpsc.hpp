#pragma once
// mpsc: first-in first-out channels from many senders to one receiver.
//
// Bounded, a send waits while the channel is full: that is the backpressure which keeps a fast
// producer from filling the memory. Waiting senders are served strictly in the order in which they
// asked; a slot that becomes free is never taken by somebody who came later. Unbounded, a send never
// waits and memory is the only limit.
//
// Element types    Anything that can be moved. A move that throws leaves the channel as it was: the
//                  value that was being sent is not in it, the one that was being received is still
//                  the next. Moves run under the channel's lock: they must not use the channel.
//                  Over-aligned values are aligned in the channel; g++ and clang do not align them in
//                  coroutine frames, so co_await them through a pointer.
// Runtimes         None is needed, but for send_for; the ends may be on different ones.
// Memory           A bounded channel is one allocation, an unbounded one is one and another for each
//                  32 values, of which a few are kept when the values are gone. No operation and no
//                  wait allocates besides. Each handle is one pointer, a permit at most two.
// How it works     detail/channel/state.hpp.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/detail/channel/errors.hpp>
#include <weir/detail/channel/kinds.hpp>
#include <weir/detail/channel/operations.hpp>
#include <weir/detail/channel/send_for.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace mpsc {

// `Kind` tells these apart from the same classes of mpmc.
template <class T, class Kind = detail::channel::mpsc_bounded>
class sender;
template <class T, class Kind = detail::channel::mpsc_unbounded>
class unbounded_sender;
template <class T, class Kind = detail::channel::mpsc_bounded>
class weak_sender;
template <class T, class Kind = detail::channel::mpsc_bounded>
class receiver;
template <class T, class Kind = detail::channel::mpsc_bounded>
class permit;
template <class T, class Kind = detail::channel::mpsc_bounded>
class permits;
template <class T, class Kind = detail::channel::mpsc_bounded>
class owned_permit;
template <class T>
using weak_unbounded_sender = weak_sender<T, detail::channel::mpsc_unbounded>;
template <class T>
using unbounded_receiver = receiver<T, detail::channel::mpsc_unbounded>;

using detail::channel::send_error;          // value
using detail::channel::send_timeout_error;  // is_timeout(), is_closed(), value
using detail::channel::try_recv_error;      // empty, disconnected
using detail::channel::try_reserve_error;   // is_full(), is_closed()
using detail::channel::try_send_error;      // is_full(), is_closed(), value

/// A channel that holds up to `capacity` values.
///
///     auto [tx, rx] = weir::mpsc::channel<int>(32);
///     (co_await tx.send(1)).value();
///     while (std::optional<int> const v = co_await rx.recv()) use(*v);
///
/// Errors  Throws std::invalid_argument for a capacity of 0 or of 2^29 and more.
template <class T>
[[nodiscard]] std::pair<sender<T>, receiver<T>> channel(std::size_t capacity) {
    return detail::channel::make_channel<T, detail::channel::mpsc_bounded, sender<T>, receiver<T>>(
        capacity);
}

/// A channel without a limit: for values that come in bursts, or from where nothing can wait.
template <class T>
[[nodiscard]] std::pair<unbounded_sender<T>, unbounded_receiver<T>> unbounded_channel() {
    return detail::channel::make_channel<T, detail::channel::mpsc_unbounded, unbounded_sender<T>,
                                         unbounded_receiver<T>>(0);
}

/// The sending end of a bounded channel. A copy is another sender of the same channel; the channel
/// ends for the receiver when the last one is gone.
///
/// `closed()`, `is_closed()`, `same_channel(tx)`, `downgrade()`, `strong_count()` and `weak_count()`
/// are those of every sender: sender_base in detail/channel/kinds.hpp.
/// Lifetime       Must outlive the operations that were made from it.
/// Thread safety  Different senders of one channel may be used by different threads.
template <class T, class Kind>
class [[nodiscard]] sender
    : public detail::channel::sender_base<T, Kind, sender<T, Kind>, weak_sender<T, Kind>> {
public:
    /// Sends a value; waits while the channel is full. Success is no promise of receipt.
    /// Suspends       Until a slot is free, first come first served.
    /// Cancel safety  Loses the value, so `select` refuses it: use `reserve`, then permit::send.
    /// Errors         The value comes back when the receiver is closed or gone.
    template <class U = T>
        requires detail::value_for<U, T>
    [[nodiscard("co_await it: nothing is sent otherwise")]] auto send(U&& value) {
        return detail::channel::send_operation<state>(this->valid(), std::forward<U>(value));
    }

    /// As send, for at most `d`, which begins when it is awaited; yields
    /// expected<void, send_timeout_error<T>>. What can be sent at once is, even with no time at all.
    /// Errors  The value comes back when the time is up, and as from send. Throws no_runtime_error
    ///         when it is awaited by what is not a task of a runtime.
    template <class U = T, class Rep, class Period>
        requires detail::value_for<U, T>
    [[nodiscard("co_await it: nothing is sent otherwise")]] auto send_for(
        U&& value, std::chrono::duration<Rep, Period> d) {
        return detail::channel::send_for_operation<state, std::chrono::duration<Rep, Period>>(
            this->valid(), std::forward<U>(value), d);
    }

    /// Sends a value if that is possible without waiting and without overtaking who waits.
    /// Errors  The value comes back when the channel is full or closed.
    template <class U = T>
        requires detail::value_for<U, T>
    expected<void, try_send_error<T>> try_send(U&& value) {
        T v = detail::as_value<T>(std::forward<U>(value));
        const detail::channel::claim c = this->valid().try_push(v);
        if (c == detail::channel::claim::granted) [[likely]]
            return {};
        return expected<void, try_send_error<T>>(unexpect, c, std::move(v));
    }

    /// Blocks the thread while the channel is full.
    /// Errors  As send; throws blocking_in_async_error on a thread that runs tasks.
    template <class U = T>
        requires detail::value_for<U, T>
    expected<void, send_error<T>> blocking_send(U&& value) {
        return detail::block_thread_on(
            send(std::forward<U>(value)),
            "blocking_send on a thread that runs tasks: co_await send() instead");
    }

    /// Claims a slot, so that a value can be sent later without waiting: the form of send that
    /// loses nothing in a `select`. Yields expected<permit<T>, closed>.
    /// Suspends       Until a slot is free, first come first served.
    /// Cancel safety  Loses the place in the queue; a slot that was granted passes on.
    /// Errors         `closed` when the receiver is closed or gone.
    [[nodiscard("co_await it")]] auto reserve() {
        return detail::channel::reserve_operation<state, permit<T, Kind>>(this->valid(), 1);
    }
    /// As reserve, for `n` slots at once: all of them or a longer wait, during which nobody who came
    /// later is served. Yields expected<permits<T>, closed>.
    /// Errors  As reserve; also `closed` when `n` is above max_capacity(): it never could be granted.
    [[nodiscard("co_await it")]] auto reserve_many(std::size_t n) {
        return detail::channel::reserve_operation<state, permits<T, Kind>>(this->valid(), n);
    }
    /// As reserve, with a permit that takes this sender over, to be stored or moved into a task.
    /// Yields expected<owned_permit<T>, closed>. The sender goes with an operation that is dropped.
    [[nodiscard("co_await it")]] auto reserve_owned() && {
        static_cast<void>(this->valid());
        return detail::channel::reserve_owned_operation<state, owned_permit<T, Kind>>(
            std::move(this->share_));
    }

    /// As reserve, without waiting and without overtaking who waits.
    expected<permit<T, Kind>, try_reserve_error> try_reserve() {
        return try_reserve_slots<permit<T, Kind>>(1);
    }
    /// Errors  Full when fewer than `n` slots are free.
    expected<permits<T, Kind>, try_reserve_error> try_reserve_many(std::size_t n) {
        return try_reserve_slots<permits<T, Kind>>(n);
    }
    /// Errors  Full or closed: the error's `value` is this sender.
    expected<owned_permit<T, Kind>, try_send_error<sender>> try_reserve_owned() && {
        const detail::channel::claim c = this->valid().try_reserve(1);
        if (c == detail::channel::claim::granted)
            return detail::channel::access::make<owned_permit<T, Kind>>(std::move(this->share_));
        return expected<owned_permit<T, Kind>, try_send_error<sender>>(unexpect, c, std::move(*this));
    }

    /// Free slots; falls on send and on reserve, rises on recv and when a permit is destroyed.
    [[nodiscard]] std::size_t capacity() const { return this->valid().capacity(); }
    [[nodiscard]] std::size_t max_capacity() const { return this->valid().max_slots(); }

private:
    using base = detail::channel::sender_base<T, Kind, sender, weak_sender<T, Kind>>;
    using typename base::state;
    friend base;
    friend owned_permit<T, Kind>;
    friend struct detail::channel::access;

    explicit sender(detail::channel::sender_share<state>&& s) noexcept : base(std::move(s)) {}

    template <class Permit>
    expected<Permit, try_reserve_error> try_reserve_slots(std::size_t n) {
        state& s = this->valid();
        const detail::channel::claim c = s.try_reserve(n);
        if (c != detail::channel::claim::granted)
            return unexpected<try_reserve_error>(try_reserve_error(c));
        return detail::channel::access::make<Permit>(
            detail::channel::slot_hold<state>(s, static_cast<std::uint32_t>(n)));
    }
};

/// The sending end of an unbounded channel, with the same members but for what waits for a slot.
/// Thread safety  As sender.
template <class T, class Kind>
class [[nodiscard]] unbounded_sender
    : public detail::channel::sender_base<T, Kind, unbounded_sender<T, Kind>, weak_sender<T, Kind>> {
public:
    /// Sends a value, at once.
    /// Errors  The value comes back when the receiver is closed or gone. Throws std::bad_alloc.
    template <class U = T>
        requires detail::value_for<U, T>
    expected<void, send_error<T>> send(U&& value) {
        T v = detail::as_value<T>(std::forward<U>(value));
        if (this->valid().push_unbounded(v)) [[likely]]
            return {};
        return expected<void, send_error<T>>(unexpect, std::move(v));
    }

private:
    using base = detail::channel::sender_base<T, Kind, unbounded_sender, weak_sender<T, Kind>>;
    using typename base::state;
    friend base;
    friend struct detail::channel::access;

    explicit unbounded_sender(detail::channel::sender_share<state>&& s) noexcept
        : base(std::move(s)) {}
};

/// One claimed slot. Sending through it never waits and cannot fail.
/// Lifetime       May outlive its sender. Destroying it gives the slot to whoever waits next.
/// Thread safety  One thread at a time.
template <class T, class Kind>
class [[nodiscard("destroying a permit gives its slot back")]] permit {
public:
    /// Sends the value and gives the permit up. It is delivered even after the receiver has closed;
    /// if the receiver is gone, the value is destroyed.
    /// Errors  Throws already_consumed_error the second time.
    template <class U = T>
        requires detail::value_for<U, T>
    void send(U&& value) {
        slot_.send(std::forward<U>(value));
    }

private:
    using slots = detail::channel::slot_hold<detail::channel::state_of<T, Kind>>;
    friend struct detail::channel::access;
    explicit permit(slots&& s) noexcept : slot_(std::move(s)) {}

    slots slot_;
};

/// Some claimed slots, to be filled one by one; what is left goes back on destruction.
/// Lifetime, thread safety  As permit.
template <class T, class Kind>
class [[nodiscard("destroying permits gives their slots back")]] permits {
public:
    /// How many values can still be sent.
    [[nodiscard]] std::size_t size() const noexcept { return slots_.count(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    /// As permit::send, using one of the slots up.
    /// Errors  Throws already_consumed_error when there is none left.
    template <class U = T>
        requires detail::value_for<U, T>
    void send(U&& value) {
        slots_.send(std::forward<U>(value));
    }

private:
    using slots = detail::channel::slot_hold<detail::channel::state_of<T, Kind>>;
    friend struct detail::channel::access;
    explicit permits(slots&& s) noexcept : slots_(std::move(s)) {}

    slots slots_;
};

/// A claimed slot together with the sender that it was claimed by, which keeps the channel open.
/// Thread safety  One thread at a time.
template <class T, class Kind>
class [[nodiscard("destroying a permit gives its slot back")]] owned_permit {
public:
    owned_permit(owned_permit&&) noexcept = default;
    owned_permit& operator=(owned_permit&& other) noexcept {
        owned_permit old(std::move(other));
        std::swap(sender_, old.sender_);
        return *this;
    }
    ~owned_permit() {
        if (sender_) sender_->release_reserved(1);
    }

    /// As permit::send; the sender comes back.
    template <class U = T>
        requires detail::value_for<U, T>
    sender<T, Kind> send(U&& value) {
        state& s = valid();
        T v = detail::as_value<T>(std::forward<U>(value));
        static_cast<void>(s.push_reserved(v));
        return sender<T, Kind>(std::move(sender_));
    }
    /// Gives the slot back without sending; the sender comes back.
    sender<T, Kind> release() {
        valid().release_reserved(1);
        return sender<T, Kind>(std::move(sender_));
    }

    [[nodiscard]] bool same_channel(const owned_permit& other) const noexcept {
        return sender_ == other.sender_;
    }
    [[nodiscard]] bool same_channel(const sender<T, Kind>& other) const noexcept {
        return sender_ == other.share_;
    }

private:
    using state = detail::channel::state_of<T, Kind>;
    friend struct detail::channel::access;

    explicit owned_permit(detail::channel::sender_share<state>&& s) noexcept
        : sender_(std::move(s)) {}

    state& valid() const {
        return sender_.get("this owned_permit of a channel was used already: reserve again");
    }

    detail::channel::sender_share<state> sender_;
};

/// A sender that does not keep the channel open: what an actor keeps of itself.
/// Thread safety  As sender.
template <class T, class Kind>
class [[nodiscard]] weak_sender {
    using strong = std::conditional_t<Kind::bounded, sender<T, Kind>, unbounded_sender<T, Kind>>;
    using state = detail::channel::state_of<T, Kind>;

public:
    /// A sender, as long as there is one; never again once the last has gone.
    [[nodiscard]] std::optional<strong> upgrade() const {
        if (!share_ || !share_->try_add_sender()) return std::nullopt;
        return detail::channel::access::make<strong>(
            detail::channel::sender_share<state>::adopt(*share_));
    }

private:
    friend struct detail::channel::access;
    explicit weak_sender(detail::channel::weak_share<state>&& s) noexcept : share_(std::move(s)) {}

    detail::channel::weak_share<state> share_;
};

/// The receiving end, bounded or not; an mpmc receiver can be copied, an mpsc receiver only moved.
/// Destroying the last one closes the channel and destroys the values that are left in it.
/// Lifetime       Must outlive the operations that were made from it.
/// Thread safety  One thread at a time.
template <class T, class Kind>
class [[nodiscard]] receiver {
public:
    receiver(receiver&&) noexcept = default;
    receiver& operator=(receiver&&) noexcept = default;
    receiver(const receiver&) noexcept
        requires(Kind::receivers_copy)
    = default;
    receiver& operator=(const receiver&) noexcept
        requires(Kind::receivers_copy)
    = default;
    receiver(const receiver&)
        requires(!Kind::receivers_copy)
    = delete;
    receiver& operator=(const receiver&)
        requires(!Kind::receivers_copy)
    = delete;
    ~receiver() = default;

    /// The next value; nullopt when every sender is gone or the receiver closed, nothing is left,
    /// and no permit may still bring something.
    /// Suspends       Until there is one.
    /// Cancel safety  Safe: no value is taken before it completes.
    [[nodiscard("co_await it")]] auto recv() {
        return detail::channel::recv_operation<state>(valid());
    }
    /// Appends what is there, up to `limit` values, to `out`; yields how many. 0 means that the
    /// channel has ended, or that `limit` is 0.
    /// Suspends       While nothing is there.
    /// Cancel safety  Safe, as recv.
    /// Errors         If a move throws, the values before it have been received.
    /// Lifetime       `out` must outlive the wait.
    [[nodiscard("co_await it")]] auto recv_many(std::vector<T>& out, std::size_t limit) {
        return detail::channel::recv_many_operation<state>(valid(), out, limit);
    }
    /// The next value, if one is there that no other receiver waits for; never spuriously empty.
    expected<T, try_recv_error> try_recv() {
        using poll = typename state::poll;
        return valid().template try_take_as<expected<T, try_recv_error>>([](poll p) {
            return expected<T, try_recv_error>(
                unexpect, p == poll::ended ? try_recv_error::disconnected : try_recv_error::empty);
        });
    }
    /// As recv, blocking the thread.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    std::optional<T> blocking_recv() {
        return detail::block_thread_on(
            recv(), "blocking_recv on a thread that runs tasks: co_await recv() instead");
    }
    /// As recv_many, blocking the thread.
    std::size_t blocking_recv_many(std::vector<T>& out, std::size_t limit) {
        return detail::block_thread_on(
            recv_many(out, limit),
            "blocking_recv_many on a thread that runs tasks: co_await recv_many() instead");
    }

    /// Lets no more values in: sends fail, and what was sent or reserved before still arrives.
    void close() { valid().close(); }
    /// Whether it was closed, or every sender is gone; values may be left.
    [[nodiscard]] bool is_closed() const { return valid().receiver_sees_closed(); }
    [[nodiscard]] std::size_t size() const { return valid().size(); }
    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] std::size_t capacity() const
        requires(Kind::bounded)
    {
        return valid().capacity();
    }
    [[nodiscard]] std::size_t max_capacity() const
        requires(Kind::bounded)
    {
        return valid().max_slots();
    }
    [[nodiscard]] bool same_channel(const receiver& other) const noexcept {
        return share_ == other.share_;
    }
    [[nodiscard]] std::size_t sender_strong_count() const { return valid().strong_count(); }
    [[nodiscard]] std::size_t sender_weak_count() const { return valid().weak_count(); }

private:
    using state = detail::channel::state_of<T, Kind>;
    friend struct detail::channel::access;

    explicit receiver(detail::channel::receiver_share<state>&& s) noexcept : share_(std::move(s)) {}

    state& valid() const { return share_.get("this receiver of a channel was moved from"); }

    detail::channel::receiver_share<state> share_;
};

}  // namespace mpsc
WEIR_ABI_END }  // namespace weir
