#pragma once
// Who holds a channel's memory, and who keeps it open: counts of handles, and the handles' part.

#include <cstddef>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// What a dump tells about a channel. Slots that were reserved count as free ones do not.
struct channel_look {
    std::size_t size = 0, reserved = 0, capacity = 0, high_water = 0;
    bool bounded = false, closed = false;
    std::size_t waiting_senders = 0, waiting_receivers = 0;
};

class handle_counts;

/// For dumps: one for each type of channel.
struct channel_kind {
    const char* name;
    void (*look)(const handle_counts&, channel_look&);
};

/// Base of a channel's state.
class handle_counts {
public:
    explicit handle_counts(const channel_kind& kind) noexcept : kind_(&kind) {}

    [[nodiscard]] const char* kind_name() const noexcept { return kind_->name; }
    /// Any thread.
    [[nodiscard]] channel_look look() const {
        channel_look found;
        kind_->look(*this, found);
        return found;
    }

    [[nodiscard]] std::size_t strong_count() const noexcept {
        return strong_.load(sync::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t weak_count() const noexcept {
        return weak_.load(sync::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t receiver_count() const noexcept {
        return receivers_.load(sync::memory_order_relaxed);
    }

    void add_sender() noexcept { strong_.fetch_add(1, sync::memory_order_relaxed); }
    /// A strong sender from a weak one: not after the last one has gone.
    [[nodiscard]] bool try_add_sender() noexcept {
        std::size_t n = strong_.load(sync::memory_order_relaxed);
        while (n != 0)
            if (strong_.compare_exchange_weak(n, n + 1, sync::memory_order_relaxed)) return true;
        return false;
    }
    void add_receiver() noexcept { receivers_.fetch_add(1, sync::memory_order_relaxed); }
    void add_reference() noexcept { references_.fetch_add(1, sync::memory_order_relaxed); }
    void add_weak() noexcept {
        weak_.fetch_add(1, sync::memory_order_relaxed);
        add_reference();
    }

protected:
    // Each says whether it was the last.
    [[nodiscard]] bool remove_sender() noexcept { return remove(strong_); }
    [[nodiscard]] bool remove_receiver() noexcept { return remove(receivers_); }
    [[nodiscard]] bool remove_reference() noexcept { return remove(references_); }
    void remove_weak() noexcept { weak_.fetch_sub(1, sync::memory_order_relaxed); }

private:
    using count = sync::atomic<std::size_t>;

    static bool remove(count& c) noexcept {
        return c.fetch_sub(1, sync::memory_order_acq_rel) == 1;
    }

    const channel_kind* kind_;
    count strong_{1};
    count receivers_{1};
    count weak_{0};
    // The senders hold one together, and so do the receivers; each permit and weak sender holds one.
    count references_{2};
};

// Which count: named by these, and not by pointers to members, since a value may hold a handle to a
// channel of its own type, which is not complete then.
struct counts_senders {
    static void add(auto& state) noexcept { state.add_sender(); }
    static void drop(auto& state) noexcept { state.drop_sender(); }
};
struct counts_receivers {
    static void add(auto& state) noexcept { state.add_receiver(); }
    static void drop(auto& state) noexcept { state.drop_receiver(); }
};
struct counts_weak_senders {
    static void add(auto& state) noexcept { state.add_weak(); }
    static void drop(auto& state) noexcept { state.drop_weak(); }
};
struct counts_references {
    static void add(auto& state) noexcept { state.add_reference(); }
    static void drop(auto& state) noexcept { state.drop_reference(); }
};

/// Holds one of a channel's counts. Empty once it was moved from.
template <class State, class Count>
class share {
public:
    /// Takes over a count that was raised already.
    static share adopt(State& s) noexcept { return share(&s); }
    static share make(State& s) noexcept {
        Count::add(s);
        return share(&s);
    }
    share(const share& other) noexcept : state_(other.state_) {
        if (state_ != nullptr) Count::add(*state_);
    }
    share(share&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    share& operator=(share other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~share() {
        if (state_ != nullptr) Count::drop(*state_);
    }

    /// Errors  Throws already_consumed_error when it is empty.
    [[nodiscard]] State& get(const char* misuse) const {
        if (state_ == nullptr) [[unlikely]]
            fail<already_consumed_error>(misuse);
        return *state_;
    }
    [[nodiscard]] State& operator*() const noexcept { return *state_; }
    [[nodiscard]] State* operator->() const noexcept { return state_; }
    explicit operator bool() const noexcept { return state_ != nullptr; }
    friend bool operator==(const share&, const share&) = default;

private:
    explicit share(State* s) noexcept : state_(s) {}

    State* state_;
};

template <class State>
using sender_share = share<State, counts_senders>;
template <class State>
using receiver_share = share<State, counts_receivers>;
template <class State>
using weak_share = share<State, counts_weak_senders>;
template <class State>
using memory_share = share<State, counts_references>;

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
