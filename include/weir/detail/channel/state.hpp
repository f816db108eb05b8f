#pragma once
// What the ends of a channel share, whichever channel it is: mpsc or mpmc, bounded or not.
//
// State (all under `lock_`, but for the counts of handles)
//   buffer_   the values: a ring, a slot_pool or a block_queue; `size_` says how many
//   promised  values that woken receivers have a right to and have not taken yet
//   reserved  slots claimed and not yet filled: permits, and sends that were granted one
//   leaving   slots whose values are gone and which are still to be cleared, outside of the lock
//   senders   waiting for slots, oldest first; each wants `amount` of them at once
//   receivers waiting for values, oldest first; each wants one
// Invariants  size_ + reserved_ + leaving_ <= capacity_; a free slot and a waiting sender exist
//   together only while the oldest sender wants more than is free; a value that is not promised and
//   a waiting receiver never do. So nobody barges, on either side.
// Ends        The channel is closed by a receiver; it has ended when it is closed or has no sender,
//   and nothing is reserved or left in it. Once true, that stays.
// User code   Only moves of values run under the lock; if one throws, nothing has changed. Values
//   are destroyed outside of it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#include <weir/detail/channel/errors.hpp>
#include <weir/detail/channel/handles.hpp>
#include <weir/detail/core/observed.hpp>
#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

template <class T, class Buffer>
class channel_state : public handle_counts {
    static_assert(std::is_object_v<T> && !std::is_const_v<T> && std::is_move_constructible_v<T>,
                  "a channel carries movable objects");

public:
    using value_type = T;
    using size_type = typename Buffer::size_type;
    static constexpr std::size_t max_capacity = std::numeric_limits<std::uint32_t>::max() >> 3;

    /// In one allocation; `capacity` is ignored by a buffer without bounds.
    [[nodiscard]] static channel_state* create(std::size_t capacity, const channel_kind& kind) {
        void* const block = ::operator new(block_size(Buffer::slots_for(capacity)),
                                           std::align_val_t(alignment));
        return ::new (block) channel_state(static_cast<size_type>(capacity), kind);
    }

    // -- handles: add_* are inherited ------------------------------------------------------------

    void drop_sender() noexcept {
        if (!remove_sender()) return;
        {
            wake_list wakes;
            scoped_lock guard(lock_);
            no_senders_ = true;
            wake_if_ended(wakes);
        }
        drop_reference();
    }
    /// The last one closes, and destroys what nobody will receive.
    void drop_receiver() noexcept {
        if (!remove_receiver()) return;
        size_type left = 0;
        {
            wake_list wakes;
            scoped_lock guard(lock_);
            close_locked(wakes);
            receivers_gone_ = true;
            left = size_;
            size_ = 0;
        }
        buffer_.destroy_all(left);  // nothing is pushed any more once the receivers are gone
        drop_reference();
    }
    void drop_weak() noexcept {
        remove_weak();
        drop_reference();
    }
    void drop_reference() noexcept {
        if (!remove_reference()) return;
        this->~channel_state();
        ::operator delete(this, std::align_val_t(alignment));
    }

    // -- the sending side ------------------------------------------------------------------------

    /// Moves `value` in, if a slot is free and nobody waits for one.
    [[nodiscard]] claim try_push(T& value) {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (closed_) return claim::closed;
        if (!has_room(1)) return claim::full;
        push(value, wakes);
        return claim::granted;
    }
    /// Whether a look under the lock would find no slot, as far as can be seen without it.
    [[nodiscard]] bool looks_full() const noexcept { return size_ >= capacity_; }
    /// Moves `value` in. False: the channel is closed.
    [[nodiscard]] bool push_unbounded(T& value) {
        for (typename Buffer::blocks brought;; brought = Buffer::make_block()) {
            wake_list wakes;
            scoped_lock guard(lock_);
            if (closed_) return false;
            if (!buffer_.prepare_push(brought)) continue;
            push(value, wakes);
            return true;
        }
    }
    [[nodiscard]] claim try_reserve(std::size_t n) noexcept {
        scoped_lock guard(lock_);
        if (closed_) return claim::closed;
        if (!has_room(n)) return claim::full;
        reserved_ += static_cast<size_type>(n);
        return claim::granted;
    }
    /// As try_reserve, or else queues `n`, which wants `n.amount` slots. `full` means queued; what
    /// could never be granted is refused as closed.
    [[nodiscard]] claim reserve_or_wait(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (closed_ || n.amount > capacity_) return claim::closed;
        if (has_room(n.amount)) {
            reserved_ += n.amount;
            return claim::granted;
        }
        n.state = wait_node::phase::waiting;
        senders_.push_back(n);
        high_water_ = capacity_;
        return claim::full;
    }
    /// Ends the wait of `n` and leaves it what it was granted. True: it was still waiting.
    [[nodiscard]] bool stop_waiting_for_slots(wait_node& n) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        return leave_senders(n, wakes);
    }
    /// Abandons the wait of `n`: passes on what it was granted meanwhile.
    void cancel_reserve(wait_node& n) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        static_cast<void>(leave_senders(n, wakes));
        if (std::exchange(n.granted, false)) release(n.amount, wakes);
    }
    /// Fills a reserved slot. False, with `value` untouched: the receivers are gone.
    [[nodiscard]] bool push_reserved(T& value) {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (!receivers_gone_) push(value, wakes);
        --reserved_;
        return !receivers_gone_;
    }
    void release_reserved(std::uint32_t n) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        release(n, wakes);
    }
    [[nodiscard]] bool is_closed() const noexcept {
        scoped_lock guard(lock_);
        return closed_;
    }
    /// Registers who waits for the receivers' end. False: it is closed already.
    [[nodiscard]] bool add_close_waiter(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (closed_) return false;
        n.state = wait_node::phase::waiting;
        close_waiters_.push_back(n);
        return true;
    }
    void remove_close_waiter(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        static_cast<void>(withdraw(close_waiters_, n));
    }
    [[nodiscard]] std::size_t capacity() const noexcept {
        scoped_lock guard(lock_);
        return free_slots();
    }
    [[nodiscard]] std::size_t max_slots() const noexcept { return capacity_; }

    // -- the receiving side ----------------------------------------------------------------------

    enum class poll : std::uint8_t { value, empty, ended };

    /// Moves the next value that nobody else has a right to into `out`, an empty optional.
    template <class Optional>
    [[nodiscard]] poll try_take(Optional& out) {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (size_ == promised_) return size_ == 0 && at_end() ? poll::ended : poll::empty;
        out.emplace(std::move(buffer_.front()));
        leave_front(guard, wakes);
        return poll::value;
    }
    /// The same, as an `R` that is made from the value itself: one move, which may throw. Otherwise
    /// what `none(poll)` returns.
    template <class R, class None>
    [[nodiscard]] R try_take_as(None none) {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (size_ == promised_) return none(size_ == 0 && at_end() ? poll::ended : poll::empty);
        return take_front<R>(guard, wakes);
    }
    /// Whether a look under the lock would be in vain, as far as can be seen without it.
    [[nodiscard]] bool looks_empty() const noexcept { return size_ == 0; }
    /// Gives the caller a right to a value, to be used by `take_promised` or returned.
    [[nodiscard]] poll try_promise() noexcept {
        scoped_lock guard(lock_);
        return promise();
    }
    /// The same; or else queues `n`. `empty` means queued.
    [[nodiscard]] poll promise_or_wait(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        const poll p = promise();
        if (p == poll::empty) {
            n.state = wait_node::phase::waiting;
            receivers_.push_back(n);
        }
        return p;
    }
    /// Takes the value that `n` was granted, as an `R`. If the move throws, the grant stays.
    template <class R>
    [[nodiscard]] R take_promised(wait_node& n) {
        wake_list wakes;
        scoped_lock guard(lock_);
        return take_front<R>(guard, wakes, &n);
    }
    /// Passes what `n` was granted, and as much more as is there, up to `limit`, to `sink(T&&)`.
    template <class Sink>
    void take_many(wait_node& n, std::size_t limit, Sink sink) {
        wake_list wakes;
        scoped_lock guard(lock_);
        departing values(*this, guard, wakes);
        while (values.count() < limit && (n.granted || size_ - values.count() > promised_)) {
            sink(std::move(buffer_.front()));
            values.pop();
            if (std::exchange(n.granted, false)) --promised_;
        }
    }
    /// Abandons the wait of `n`: passes on the right that it was granted meanwhile.
    void cancel_receive(wait_node& n) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        static_cast<void>(withdraw(receivers_, n));
        if (!std::exchange(n.granted, false)) return;
        --promised_;
        grant_values(wakes);
    }
    void close() noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        close_locked(wakes);
    }
    [[nodiscard]] std::size_t size() const noexcept {
        scoped_lock guard(lock_);
        return size_;
    }
    [[nodiscard]] bool receiver_sees_closed() const noexcept {
        scoped_lock guard(lock_);
        return at_end() || closed_;
    }

    /// What channel_kind::look calls.
    static void look_at(const handle_counts& c, channel_look& to) {
        auto const count = [](const wait_list& l) {
            std::size_t n = 0;
            for (const wait_node* w = l.front(); w != nullptr; w = w->next) ++n;
            return n;
        };
        const auto& s = static_cast<const channel_state&>(c);
        scoped_lock guard(s.lock_);
        to.size = s.size_;
        to.high_water = s.high_water_ = std::max<size_type>(s.high_water_, s.size_);
        to.reserved = s.reserved_;
        to.bounded = Buffer::bounded;
        to.capacity = s.capacity_;
        to.closed = s.closed_;
        to.waiting_senders = count(s.senders_);
        to.waiting_receivers = count(s.receivers_);
    }

private:
    channel_state(size_type capacity, const channel_kind& kind) noexcept
        : handle_counts(kind),
          capacity_(capacity),
          buffer_(reinterpret_cast<typename Buffer::slot*>(reinterpret_cast<std::byte*>(this) +
                                                           slots_offset()),
                  capacity) {}
    ~channel_state() = default;

    static constexpr std::size_t alignment =
        alignof(T) > alignof(std::max_align_t) ? alignof(T) : alignof(std::max_align_t);
    static constexpr std::size_t slots_offset() noexcept {
        constexpr std::size_t unit = alignof(typename Buffer::slot);
        return (sizeof(channel_state) + unit - 1) / unit * unit;
    }
    static std::size_t block_size(std::size_t slots) {
        constexpr std::size_t slot_size = sizeof(typename Buffer::slot);
        if (slots > (std::numeric_limits<std::size_t>::max() - slots_offset()) / slot_size)
            throw_bad_alloc();
        return slots_offset() + slots * slot_size;
    }
    [[noreturn]] static void throw_bad_alloc() {
#if WEIR_EXCEPTIONS
        throw std::bad_array_new_length();
#else
        std::abort();
#endif
    }

    // Values that leave together. When it is destroyed, also by the exception of a move, the ones
    // that were popped until then are gone and the others are still there.
    class departing {
    public:
        departing(channel_state& s, scoped_lock<small_lock>& guard, wake_list& wakes) noexcept
            : state_(s), guard_(guard), wakes_(wakes), values_(s.buffer_.begin_departure()) {}
        departing(const departing&) = delete;
        departing& operator=(const departing&) = delete;
        ~departing() {
            if (values_.count != 0) state_.leave(values_, guard_, wakes_);
        }
        [[nodiscard]] size_type count() const noexcept { return values_.count; }
        void pop() noexcept { state_.buffer_.pop_front(values_); }

    private:
        channel_state& state_;
        scoped_lock<small_lock>& guard_;
        wake_list& wakes_;
        typename Buffer::departure values_;
    };

    // The rest is called with the lock held.

    [[nodiscard]] size_type free_slots() const noexcept {
        return capacity_ - size_ - reserved_ - leaving_;
    }
    [[nodiscard]] bool has_room(std::size_t n) const noexcept {
        return n == 0 || (free_slots() >= n && senders_.empty());
    }
    [[nodiscard]] bool at_end() const noexcept {
        return (closed_ || no_senders_) && reserved_ == 0;
    }
    [[nodiscard]] poll promise() noexcept {
        if (size_ == promised_) return size_ == 0 && at_end() ? poll::ended : poll::empty;
        ++promised_;
        return poll::value;
    }

    void push(T& value, wake_list& wakes) {
        buffer_.push(value);
        size_ = size_ + 1;
        grant_values(wakes);
    }
    template <class R>
    [[nodiscard]] static R as_result(T&& value) {
        if constexpr (std::is_same_v<R, T>)
            return T(std::move(value));
        else
            return R(std::in_place, std::move(value));
    }
    // One return statement: the result is made in place, so that a value is moved once.
    template <class R>
    [[nodiscard]] R take_front(scoped_lock<small_lock>& guard, wake_list& wakes,
                               wait_node* granted = nullptr) {
        R result = as_result<R>(std::move(buffer_.front()));
        if (granted != nullptr) {
            granted->granted = false;
            --promised_;
        }
        leave_front(guard, wakes);
        return result;
    }
    void leave_front(scoped_lock<small_lock>& guard, wake_list& wakes) noexcept {
        auto value = buffer_.begin_departure();
        buffer_.pop_front(value);
        leave(value, guard, wakes);
    }
    // Ends the departure of values that were moved away, and gives the lock back.
    void leave(typename Buffer::departure& values, scoped_lock<small_lock>& guard,
               wake_list& wakes) noexcept {
        size_ = size_ - values.count;
        if (!receivers_.empty()) [[unlikely]]
            wake_if_ended(wakes);
        if constexpr (std::is_trivially_destructible_v<T>) {
            grant_slots(wakes);
            [[maybe_unused]] const auto unused = buffer_.give_back(buffer_.clear(values));
            guard.unlock();
        } else {
            const size_type kept = Buffer::keeps_slots(values) ? values.count : 0;
            leaving_ += kept;
            grant_slots(wakes);
            guard.unlock();
            wakes.flush();
            auto cleared = buffer_.clear(values);
            if (kept != 0 || cleared) after_clearing(kept, std::move(cleared));
        }
    }
    template <class Cleared>
    void after_clearing(size_type kept, Cleared cleared) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        leaving_ -= kept;
        [[maybe_unused]] const auto unused = buffer_.give_back(std::move(cleared));
        grant_slots(wakes);
        guard.unlock();
    }

    // Takes `n` out, wherever it is. True: it was still waiting in `list`.
    [[nodiscard]] static bool withdraw(wait_list& list, wait_node& n) noexcept {
        if (n.state != wait_node::phase::waiting) {
            if (n.state != wait_node::phase::idle) n.who->retract(n);
            return false;
        }
        list.erase(n);
        n.state = wait_node::phase::idle;
        return true;
    }
    [[nodiscard]] bool leave_senders(wait_node& n, wake_list& wakes) noexcept {
        if (!withdraw(senders_, n)) return false;
        grant_slots(wakes);  // the next one may want fewer
        return true;
    }
    void grant_slots(wake_list& wakes) noexcept {
        if constexpr (Buffer::bounded)
            if (!senders_.empty()) [[unlikely]]
                serve_senders(wakes);
    }
    WEIR_NOINLINE void serve_senders(wake_list& wakes) noexcept {
        while (!senders_.empty() && free_slots() >= senders_.front()->amount) {
            wait_node& n = senders_.pop_front();
            reserved_ += n.amount;
            n.granted = true;
            wakes.wake(n);
        }
    }
    void grant_values(wake_list& wakes) noexcept {
        if (!receivers_.empty()) [[unlikely]]
            serve_receivers(wakes);
    }
    WEIR_NOINLINE void serve_receivers(wake_list& wakes) noexcept {
        while (!receivers_.empty() && size_ != promised_) {
            wait_node& n = receivers_.pop_front();
            ++promised_;
            n.granted = true;
            wakes.wake(n);
        }
    }
    void wake_if_ended(wake_list& wakes) noexcept {
        if (size_ != 0 || !at_end()) return;
        while (!receivers_.empty()) wakes.wake(receivers_.pop_front());
    }
    void release(std::uint32_t n, wake_list& wakes) noexcept {
        reserved_ -= n;
        grant_slots(wakes);
        wake_if_ended(wakes);
    }
    void close_locked(wake_list& wakes) noexcept {
        if (std::exchange(closed_, true)) return;
        while (!senders_.empty()) wakes.wake(senders_.pop_front());
        while (!close_waiters_.empty()) wakes.wake(close_waiters_.pop_front());
        wake_if_ended(wakes);
    }

    mutable small_lock lock_;
    bool closed_ = false;
    bool no_senders_ = false;
    bool receivers_gone_ = false;
    size_type capacity_;
    observed<size_type> size_{0};
    size_type promised_ = 0;
    size_type reserved_ = 0;
    size_type leaving_ = 0;
    mutable size_type high_water_ = 0;  // the highest size_ that anybody has looked at
    Buffer buffer_;
    wait_list receivers_;
    wait_list senders_;
    wait_list close_waiters_;
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
