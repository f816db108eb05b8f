#pragma once
// The network of a simulation: what carries bytes between its sockets, and when.
//
// State   A connection has two ends. Each end keeps what is on its way to it: `data`, of which the
//         first `arrived` bytes may be read; what the other end has yet to learn is an event.
// Events  are due at a time; simultaneous ones come in an order that the seed draws. The simulation
//         delivers one at a time, between the turns of tasks, as if it were one more task.
// Edges   come as from epoll: whenever an event changes what a call would find. A read or a write
//         that was cut short is followed by one, since the caller takes it for the end of what
//         there is.
// Memory  of the network counts as the kernel's: the allocation gate does not apply to it.

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/detail/core/owner.hpp>
#include <weir/detail/runtime/io_source.hpp>
#include <weir/detail/runtime/time_driver.hpp>
#include <weir/detail/test/allocation_gate.hpp>
#include <weir/detail/test/options.hpp>
#include <weir/net/endpoint.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class network_socket;

/// Two ends and what travels between them. End 0 is the one that has connected.
struct network_connection {
    struct end {
        network_socket* socket = nullptr;  // null: not accepted yet, or closed
        net::endpoint name;
        std::string data;
        std::size_t arrived = 0;
        std::int64_t last_arrival = 0;  // bytes do not overtake each other
        bool closed = false;
        bool reset = false;
        bool read_shut = false;
        bool end_sent = false;  // by the other end
        bool end_arrived = false;
        bool sender_waits = false;  // the other end has found no room
    };
    std::array<end, 2> ends;
    bool broken = false;  // both ends are to be reset, and nothing is carried any more
};

class network final : public simulated_network, public std::enable_shared_from_this<network> {
public:
    network(const test::network_options& options, local_scheduler& random, time_driver& time) noexcept
        : options_(options), random_(&random), time_(&time) {}

    // -- for the simulation ----------------------------------------------------------------------

    [[nodiscard]] bool has_events() const noexcept { return !events_.empty(); }
    [[nodiscard]] std::int64_t next_event() const noexcept { return events_.front().at; }
    /// Lets the next event happen.
    void deliver();
    /// The simulation has ended: every later call fails.
    void end() noexcept {
        random_ = nullptr;
        events_.clear();
    }

    [[nodiscard]] std::uint64_t carried() const noexcept { return carried_; }
    void reset_after(std::uint64_t bytes) noexcept { reset_after_ = bytes; }
    [[nodiscard]] bool has_reset() const noexcept { return has_reset_; }

    // -- for its sockets -------------------------------------------------------------------------

    enum class event_kind : std::uint8_t { bytes, end, room, reset, call, answer, refusal };
    using connection_ref = std::shared_ptr<network_connection>;

    io_ref socket(int family) noexcept override;
    std::uint32_t resolve(std::string_view name) override;

    [[nodiscard]] bool is_alive() const noexcept { return random_ != nullptr; }
    [[nodiscard]] std::uint64_t random() noexcept { return random_->random(); }
    [[nodiscard]] bool happens(double chance) noexcept {
        return chance > 0 && static_cast<double>(random() >> 11) < chance * 0x1p53;
    }
    [[nodiscard]] std::size_t cut(std::size_t size) noexcept {
        return size > 1 && happens(options_.split) ? 1 + random() % size : size;
    }
    [[nodiscard]] const test::network_options& options() const noexcept { return options_; }

    [[nodiscard]] std::int64_t now() const noexcept { return time_->now(); }
    [[nodiscard]] std::int64_t after_latency() noexcept {
        const std::int64_t least = options_.min_latency.count();
        const std::int64_t range = std::max<std::int64_t>(options_.max_latency.count() - least, 0);
        const auto extra = random() % (static_cast<std::uint64_t>(range) + 1);
        return now() + least + static_cast<std::int64_t>(extra);
    }
    /// Something reaches `side` of a connection at a time.
    void post(event_kind kind, std::int64_t at, const connection_ref& c, unsigned side,
              std::size_t bytes = 0) {
        events_.push_back({at, random(), kind, side, bytes, c});
        std::push_heap(events_.begin(), events_.end());
    }
    /// Takes what `side` writes. Returns how much of it.
    [[nodiscard]] std::size_t carry(const connection_ref& c, unsigned side, std::string_view bytes);

    [[nodiscard]] std::uint16_t unused_port() noexcept { return next_port_++; }
    [[nodiscard]] bool is_free(const net::endpoint& at, bool shared) const noexcept;
    void add_listener(network_socket& s) { listeners_.push_back(&s); }
    void remove_listener(network_socket& s) noexcept { std::erase(listeners_, &s); }

    static void edge(network_socket* s, std::uint32_t what) noexcept;

private:
    struct event {
        std::int64_t at;
        std::uint64_t order;
        event_kind kind;
        unsigned side;
        std::size_t bytes;
        connection_ref connection;

        friend bool operator<(const event& a, const event& b) noexcept {  // the heap's top is least
            return a.at != b.at ? a.at > b.at : a.order > b.order;
        }
    };

    void call(const connection_ref& c);
    [[nodiscard]] network_socket* listener_at(const net::endpoint& to) noexcept;

    test::network_options options_;
    local_scheduler* random_;  // null when the simulation has ended
    time_driver* time_;
    std::vector<event> events_;
    std::vector<network_socket*> listeners_;
    std::map<std::string, std::uint32_t, std::less<>> hosts_;
    std::uint64_t carried_ = 0;
    std::uint64_t reset_after_ = UINT64_MAX;
    bool has_reset_ = false;
    std::uint16_t next_port_ = 49152;
};

inline std::size_t network::carry(const connection_ref& c, unsigned side, std::string_view bytes) {
    if (c->broken) return 0;
    network_connection::end& to = c->ends[1 - side];
    const auto left = std::min<std::uint64_t>(bytes.size(), reset_after_ - carried_);
    bytes = bytes.substr(0, left);
    carried_ += bytes.size();
    if (to.closed) {
        post(event_kind::reset, after_latency(), c, side);
        return bytes.size();
    }
    to.data += bytes;
    for (std::size_t rest = bytes.size(); rest != 0;) {
        const std::size_t segment = cut(rest);
        to.last_arrival = std::max(to.last_arrival, after_latency());
        post(event_kind::bytes, to.last_arrival, c, 1 - side, segment);
        rest -= segment;
    }
    if (carried_ == reset_after_) {
        has_reset_ = c->broken = true;
        reset_after_ = UINT64_MAX;
        post(event_kind::reset, std::max(to.last_arrival, now()), c, side);
        post(event_kind::reset, std::max(to.last_arrival, now()), c, 1 - side);
    }
    return bytes.size();
}

inline std::uint32_t network::resolve(std::string_view name) {
    allocation_gate::suspended const outside;
    if (name == "localhost") return 0x7f000001;
    const auto found = hosts_.find(name);
    if (found != hosts_.end()) return found->second;
    const auto address = 0x0a000001 + static_cast<std::uint32_t>(hosts_.size());
    hosts_.emplace(name, address);
    return address;
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir

#include <weir/detail/test/network_socket.hpp>  // IWYU pragma: export
