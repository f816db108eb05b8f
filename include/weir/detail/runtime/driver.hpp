#pragma once
// How a runtime's thread sleeps, and what wakes it.
//
// A runtime that waits for no descriptor sleeps on a futex. The first operation that has to wait for
// one makes the epoll set, and from then on the runtime sleeps there.
//
// State    awake | on_futex | in_epoll | notified: an unpark that nobody has slept through yet
// Whoever unparks exchanges `notified` in and rings where the sleeper is; one that is awake finds
// it when it wants to sleep. The set is published before the unpark that follows its making, so a
// sleeper either sees it or is woken from the futex.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>

#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/sync.hpp>
#include <weir/detail/runtime/epoll_driver.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// The seam between a runtime and the operating system's events.
class driver {
public:
    driver() = default;
    driver(const driver&) = delete;
    driver& operator=(const driver&) = delete;
    ~driver() { shut_down(); }

    /// Sleeps until unparked, until an event arrives, or until `timeout` has passed; takes the
    /// events that are there. Never by two threads at a time.
    void park(std::optional<std::chrono::nanoseconds> timeout) {
        io_reactor* const io = reactor_.load(sync::memory_order_acquire);  // from reactor()
        state expected = state::awake;
        const state asleep = io ? state::in_epoll : state::on_futex;
        if (!state_.compare_exchange_strong(expected, asleep,
                                            sync::memory_order_release,  // to unpark, with the set
                                            sync::memory_order_relaxed)) {
            state_.exchange(state::awake, sync::memory_order_acquire);  // from unpark
            return poll();
        }
        if (io) {
            scoped_lock turn(turn_);
            io->wait(timeout);
        } else if (timeout) {
            parker_.park_for(*timeout);
        } else {
            parker_.park();
        }
        state_.exchange(state::awake, sync::memory_order_acquire);  // from unpark
    }

    /// Ends a park, or the next one. Any thread.
    void unpark() noexcept {
        switch (state_.exchange(state::notified, sync::memory_order_acq_rel)) {  // to and from park
            case state::on_futex: parker_.unpark(); break;
            case state::in_epoll: reactor_.load(sync::memory_order_acquire)->wake(); break;
            case state::awake:
            case state::notified: break;
        }
    }

    /// Takes the events that are there, without sleeping. Any thread; returns at once while another
    /// one sleeps or polls here.
    void poll() noexcept {
        io_reactor* const io = reactor_.load(sync::memory_order_acquire);  // from reactor()
        if (io == nullptr || !turn_.try_lock()) return;
        io->wait(std::chrono::nanoseconds(0));
        turn_.unlock();
    }

    /// The epoll set, made on the first call; null and an error where there cannot be one. Any
    /// thread.
    [[nodiscard]] io_reactor* reactor(std::error_code& error) noexcept {
        if (io_reactor* const io = reactor_.load(sync::memory_order_acquire)) return io;
        {
            scoped_lock guard(making_);
            if (owned_ == nullptr && (error = make())) return nullptr;
        }
        unpark();
        return owned_.get();
    }

    /// Where sockets come from instead of the system; null outside of a simulation.
    [[nodiscard]] simulated_network* simulated() const noexcept { return simulated_; }
    void simulate(simulated_network* n) noexcept { simulated_ = n; }

    /// Fails every operation that waits for a descriptor here.
    void shut_down() noexcept {
        if (io_reactor* const io = reactor_.load(sync::memory_order_acquire)) io->shut_down();
    }

private:
    enum class state : std::uint32_t { awake, on_futex, in_epoll, notified };

    [[nodiscard]] std::error_code make() noexcept {
        WEIR_TRY {
            auto fresh = std::make_shared<io_reactor>();
            if (const std::error_code error = fresh->error()) return error;
            owned_ = std::move(fresh);
        }
        WEIR_CATCH_ALL { return std::make_error_code(std::errc::not_enough_memory); }
        reactor_.store(owned_.get(), sync::memory_order_release);  // to its loads
        return {};
    }

    sync::atomic<state> state_{state::awake};
    sync::atomic<io_reactor*> reactor_{nullptr};
    sync::parker parker_;
    small_lock turn_;     // who waits in the epoll set
    sync::mutex making_;  // guards the making of owned_
    std::shared_ptr<io_reactor> owned_;
    simulated_network* simulated_ = nullptr;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
