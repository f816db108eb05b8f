#pragma once
// What the two ends of a oneshot share; see oneshot.hpp for how it works.

#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include <weir/detail/core/destroy.hpp>
#include <weir/detail/core/frame_pool.hpp>
#include <weir/detail/core/owner.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class T>
class oneshot_state {
public:
    [[nodiscard]] static oneshot_state* create() {
        if constexpr (pooled)
            return ::new (frame_pool::allocate(sizeof(oneshot_state))) oneshot_state;
        else
            return new oneshot_state;
    }

    // -- the sender ------------------------------------------------------------------------------

    template <class U>
    void construct(U&& v) {
        ::new (static_cast<void*>(std::addressof(value_))) T(std::forward<U>(v));
    }

    /// Hands the constructed value over and gives the sender's share up. False: the receiver is
    /// gone or closed; the value and the share are the sender's still.
    [[nodiscard]] bool publish() noexcept {
        std::uint32_t untouched = 0;  // no waiter, no lock, nobody gone
        if (word_.load(sync::memory_order_relaxed) == untouched &&
            word_.compare_exchange_strong(untouched, sent | tx_gone,
                                          sync::memory_order_release,  // to take
                                          sync::memory_order_relaxed))
            return true;
        return publish_slow();
    }
    /// After a failed publish: destroys the value and gives the share up.
    void abandon() noexcept {
        destroy_quietly(value_);
        drop_sender();
    }
    void drop_sender() noexcept {
        const std::uint32_t w = lock();
        if (w & rx_gone) {
            free();
            return;
        }
        wake_list wakes;
        if (rx_waiter_ != nullptr) wakes.wake(*std::exchange(rx_waiter_, nullptr));
        unlock(w | tx_gone);
    }
    [[nodiscard]] bool is_closed() const noexcept {
        return (word_.load(sync::memory_order_acquire) & (rx_closed | rx_gone)) != 0;  // from announce
    }
    [[nodiscard]] bool add_sender_waiter(wait_node& n) noexcept {
        const std::uint32_t w = lock();
        const bool waits = (w & (rx_closed | rx_gone)) == 0;
        if (waits) {
            n.state = wait_node::phase::waiting;
            tx_waiter_ = &n;
        }
        unlock(w);
        return waits;
    }
    void remove_sender_waiter(wait_node& n) noexcept { remove(tx_waiter_, n); }

    // -- the receiver ----------------------------------------------------------------------------

    /// Whether the sender is done, with a value or without, and no longer touches the state. Like
    /// has_value a look only: take acquires.
    [[nodiscard]] bool is_settled() const noexcept {
        const std::uint32_t w = word_.load(sync::memory_order_relaxed);
        return (w & locked) == 0 && (w & (tx_gone | rx_closed)) != 0;
    }
    [[nodiscard]] bool has_value() const noexcept {
        const std::uint32_t w = word_.load(sync::memory_order_relaxed);
        return (w & (sent | taken)) == sent;
    }
    /// Whether there is a value to take. Only when settled, or after a wake.
    [[nodiscard]] bool settles_with_value() const noexcept {
        std::uint32_t w = word_.load(sync::memory_order_acquire);  // from unlock
        sync::spin_wait until_unlocked;
        while (w & locked) {  // who was woken may come before the waker has set its flags
            until_unlocked.once();
            w = word_.load(sync::memory_order_acquire);
        }
        return (w & (sent | taken)) == sent;
    }
    /// What `make` makes of the value that it has settled with; where that throws, the value stays.
    template <class Make>
    [[nodiscard]] auto take(Make make) {
        auto made = make(std::move(value_));
        // The sender is gone, so that nobody else writes the word.
        word_.store(word_.load(sync::memory_order_relaxed) | taken, sync::memory_order_relaxed);
        destroy_quietly(value_);
        return made;
    }
    [[nodiscard]] T& value() noexcept { return value_; }

    void close() noexcept {
        const std::uint32_t w = lock();
        wake_list wakes;
        announce(w | rx_closed);
        if (tx_waiter_ != nullptr) wakes.wake(*std::exchange(tx_waiter_, nullptr));
        unlock(w | rx_closed);
    }
    void drop_receiver() noexcept {
        std::uint32_t w = word_.load(sync::memory_order_acquire);  // from unlock
        if ((w & (locked | tx_gone)) != tx_gone) {
            w = lock();
            if ((w & tx_gone) == 0) {
                wake_list wakes;
                announce(w | rx_gone);
                if (tx_waiter_ != nullptr) wakes.wake(*std::exchange(tx_waiter_, nullptr));
                unlock(w | rx_gone);
                return;
            }
        }
        if ((w & (sent | taken)) == sent) destroy_quietly(value_);
        free();
    }
    [[nodiscard]] bool add_receiver_waiter(wait_node& n) noexcept {
        const std::uint32_t w = lock();
        const bool waits = (w & (tx_gone | rx_closed)) == 0;
        if (waits) {
            n.state = wait_node::phase::waiting;
            rx_waiter_ = &n;
        }
        unlock(waits ? w | rx_waits : w);
        return waits;
    }
    void remove_receiver_waiter(wait_node& n) noexcept { remove(rx_waiter_, n); }

private:
    WEIR_NOINLINE bool publish_slow() noexcept {
        const std::uint32_t w = lock();
        if (w & (rx_closed | rx_gone)) [[unlikely]] {
            unlock(w);
            return false;
        }
        wake_list wakes;
        if (rx_waiter_ != nullptr) wakes.wake(*std::exchange(rx_waiter_, nullptr));
        unlock(w | sent | tx_gone);
        return true;
    }

    static constexpr std::uint32_t locked = 1, sent = 2, taken = 4, tx_gone = 8, rx_closed = 16,
                                   rx_gone = 32, rx_waits = 64;
    static constexpr bool pooled = alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__;

    oneshot_state() noexcept {}
    ~oneshot_state() {}

    std::uint32_t lock() noexcept {
        sync::spin_wait spin;
        std::uint32_t w = word_.load(sync::memory_order_relaxed) & ~locked;
        while (!word_.compare_exchange_weak(w, w | locked, sync::memory_order_acquire,  // from unlock
                                            sync::memory_order_relaxed)) {
            if (w & locked) spin.once();
            w &= ~locked;
        }
        return w;
    }
    /// Shows the flags before a waiter is posted, while the lock stays taken: whoever is resumed
    /// by that post may look at them before the poster goes on.
    void announce(std::uint32_t flags) noexcept {
        word_.store(flags | locked, sync::memory_order_release);  // to is_closed
    }
    void unlock(std::uint32_t flags) noexcept {
        word_.store(flags, sync::memory_order_release);  // to lock and to each acquiring load
    }
    void remove(wait_node*& place, wait_node& n) noexcept {
        const std::uint32_t w = lock();
        if (n.state == wait_node::phase::waiting) {
            if (place == &n) place = nullptr;  // else another wait has taken it over
            n.state = wait_node::phase::idle;
        } else if (n.state != wait_node::phase::idle) {
            n.who->retract(n);
        }
        unlock(w);
    }

    void free() noexcept {
        if constexpr (pooled) {
            this->~oneshot_state();
            frame_pool::deallocate(this, sizeof(oneshot_state));
        } else {
            delete this;
        }
    }

    sync::atomic<std::uint32_t> word_{0};
    wait_node* rx_waiter_ = nullptr;
    wait_node* tx_waiter_ = nullptr;
    union {
        T value_;
    };
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
