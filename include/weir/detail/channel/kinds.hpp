#pragma once
// The four kinds of channel: what the ends of each are made of.

#include <cstddef>
#include <type_traits>
#include <utility>

#include <weir/detail/channel/block_queue.hpp>
#include <weir/detail/channel/operations.hpp>
#include <weir/detail/channel/ring.hpp>
#include <weir/detail/channel/slot_pool.hpp>
#include <weir/detail/channel/state.hpp>
#include <weir/detail/core/misuse.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

struct mpsc_bounded {
    template <class T>
    using buffer = ring<T>;
    static constexpr bool bounded = true;
    static constexpr bool receivers_copy = false;
};
struct mpsc_unbounded {
    template <class T>
    using buffer = block_queue<T>;
    static constexpr bool bounded = false;
    static constexpr bool receivers_copy = false;
};
struct mpmc_bounded {
    template <class T>
    using buffer = slot_pool<T>;
    static constexpr bool bounded = true;
    static constexpr bool receivers_copy = true;
};
struct mpmc_unbounded {
    template <class T>
    using buffer = block_queue<T>;
    static constexpr bool bounded = false;
    static constexpr bool receivers_copy = true;
};

template <class T, class Kind>
using state_of = channel_state<T, typename Kind::template buffer<T>>;

template <class T, class Kind, class Sender, class Receiver>
std::pair<Sender, Receiver> make_channel(std::size_t capacity) {
    using state = state_of<T, Kind>;
    if constexpr (Kind::bounded) {
        if (capacity == 0)
            fail<std::invalid_argument>(
                "weir: a channel with a capacity of 0 can hold nothing; use 1 for a hand-over");
        if (capacity > state::max_capacity)
            fail<std::invalid_argument>("weir: the capacity of a channel is above 2^29 - 1");
    }
    static constexpr channel_kind kind{Kind::receivers_copy ? "mpmc" : "mpsc", &state::look_at};
    state& s = *state::create(capacity, kind);
    return {access::make<Sender>(sender_share<state>::adopt(s)),
            access::make<Receiver>(receiver_share<state>::adopt(s))};
}

/// What the senders of all channels can do.
template <class T, class Kind, class Sender, class Weak>
class sender_base {
public:
    /// Waits until the receiver is closed or gone.
    /// Cancel safety  Safe.
    [[nodiscard("co_await it")]] auto closed() { return closed_operation<state>(valid()); }
    [[nodiscard]] bool is_closed() const { return valid().is_closed(); }

    [[nodiscard]] bool same_channel(const Sender& other) const noexcept {
        return share_ == other.share_;
    }
    /// A handle that does not keep the channel open.
    [[nodiscard]] Weak downgrade() const {
        return access::make<Weak>(weak_share<state>::make(valid()));
    }
    [[nodiscard]] std::size_t strong_count() const { return valid().strong_count(); }
    [[nodiscard]] std::size_t weak_count() const { return valid().weak_count(); }

protected:
    using state = state_of<T, Kind>;

    explicit sender_base(sender_share<state>&& s) noexcept : share_(std::move(s)) {}

    [[nodiscard]] state& valid() const {
        return share_.get("this sender of a channel was moved from");
    }

    sender_share<state> share_;
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
