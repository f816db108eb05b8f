#pragma once
// A socket of the simulated network: what the system calls do to it. Included by network.hpp.

#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <weir/detail/test/network.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class network_socket final : public simulated_socket {
public:
    network_socket(std::shared_ptr<network> n, int family) noexcept
        : network_(std::move(n)), family_(family) {
        if (family == AF_INET6) name_ = *net::endpoint::parse("::", 0);
    }
    /// Makes a source of a socket.
    static io_ref make_source(std::unique_ptr<network_socket> s) noexcept {
        network_socket* const self = s.get();
        io_ref result{std::unique_ptr<simulated_socket>(std::move(s))};
        if (result) self->source_ = &*result;
        return result;
    }

    int bind(const sockaddr* address, socklen_t size) noexcept override {
        const auto at = net::endpoint::from_native(address, size);
        if (!network_->is_alive()) return fail(ENETDOWN);
        if (!at) return fail(EAFNOSUPPORT);
        name_ = *at;
        if (at->port() == 0) name_ = *net::endpoint::parse(at->address(), network_->unused_port());
        if (!network_->is_free(name_, option(SOL_SOCKET, SO_REUSEPORT) != 0)) return fail(EADDRINUSE);
        return 0;
    }
    int listen(int backlog) noexcept override {
        allocation_gate::suspended const outside;
        backlog_ = static_cast<std::size_t>(std::max(backlog, 1));
        listening_ = true;
        network_->add_listener(*this);
        return 0;
    }
    int connect(const sockaddr* address, socklen_t size) noexcept override {
        allocation_gate::suspended const outside;
        const auto to = net::endpoint::from_native(address, size);
        if (!network_->is_alive()) return fail(ENETDOWN);
        if (!to) return fail(EAFNOSUPPORT);
        side_ = 0;
        connection_ = std::make_shared<network_connection>();
        connection_->ends[0].socket = this;
        name_ = *net::endpoint::parse(to->is_v4() ? "127.0.0.1" : "::1", network_->unused_port());
        connection_->ends[0].name = name_;
        connection_->ends[1].name = *to;
        network_->post(network::event_kind::call, network_->after_latency(), connection_, 1);
        return fail(EINPROGRESS);
    }
    int accept(io_ref& out, sockaddr* address, socklen_t* size) noexcept override {
        allocation_gate::suspended const outside;
        if (!network_->is_alive()) return fail(ENETDOWN);
        if (!listening_) return fail(EINVAL);
        if (callers_.empty()) return fail(EAGAIN);
        auto fresh = std::make_unique<network_socket>(network_, family_);
        fresh->connection_ = std::move(callers_.front());
        callers_.erase(callers_.begin());
        fresh->side_ = 1;
        fresh->connected_ = true;
        fresh->name_ = fresh->me().name;
        fresh->options_ = options_;
        fresh->me().socket = fresh.get();
        copy(fresh->other().name, address, size);
        out = make_source(std::move(fresh));
        return 0;
    }

    ssize_t recv(void* to, std::size_t size, int flags) noexcept override {
        allocation_gate::suspended const outside;
        if (const int error = broken()) return fail(error);
        std::size_t n = std::min(size, me().arrived);
        if (n == 0) {
            if (size == 0 || me().read_shut) return 0;
            return me().end_arrived && me().data.empty() ? 0 : fail(EAGAIN);
        }
        const bool peeks = (flags & MSG_PEEK) != 0;
        if (!peeks) n = network_->cut(n);
        std::memcpy(to, me().data.data(), n);
        if (peeks) return static_cast<ssize_t>(n);
        me().data.erase(0, n);
        me().arrived -= n;
        if (n < size && me().arrived != 0)  // a short read: the rest arrives once more
            post(network::event_kind::bytes, network_->now(), side_, std::exchange(me().arrived, 0));
        if (std::exchange(me().sender_waits, false))
            post(network::event_kind::room, network_->after_latency(), 1 - side_);
        return static_cast<ssize_t>(n);
    }
    ssize_t sendmsg(const msghdr& message) noexcept override {
        allocation_gate::suspended const outside;
        if (const int error = broken()) return fail(error);
        if (other().end_sent) return fail(EPIPE);
        if (network_->happens(network_->options().reset)) {
            me().reset = true;
            post(network::event_kind::reset, network_->after_latency(), 1 - side_);
            return fail(ECONNRESET);
        }
        std::string bytes;
        for (std::size_t i = 0; i < message.msg_iovlen; ++i)
            bytes.append(static_cast<const char*>(message.msg_iov[i].iov_base),
                         message.msg_iov[i].iov_len);
        const std::size_t room = network_->options().window - std::min(network_->options().window,
                                                                       other().data.size());
        if (room == 0 && !bytes.empty()) {
            other().sender_waits = true;
            return fail(EAGAIN);
        }
        const std::size_t n = network_->cut(std::min(room, bytes.size()));
        if (n < bytes.size()) {  // a short write: the caller waits for an edge
            if (n == room)
                other().sender_waits = true;
            else
                post(network::event_kind::room, network_->now(), side_);
        }
        const std::size_t carried = network_->carry(connection_, side_,
                                                    std::string_view(bytes).substr(0, n));
        if (carried != 0 || bytes.empty()) return static_cast<ssize_t>(carried);
        me().reset = true;
        return fail(ECONNRESET);
    }
    short poll(short wanted) noexcept override {
        short there = 0;
        if (listening_) {
            there = callers_.empty() ? 0 : POLLIN;
        } else if (broken() != 0) {
            there = POLLIN | POLLOUT;
        } else {
            const bool ends = me().read_shut || (me().end_arrived && me().data.empty());
            if (me().arrived != 0 || ends) there |= POLLIN;
            if (other().data.size() < network_->options().window)
                there |= POLLOUT;
            else
                other().sender_waits = true;
        }
        return static_cast<short>(there & wanted);
    }
    int shutdown(int how) noexcept override {
        allocation_gate::suspended const outside;
        if (!connected_ || !network_->is_alive()) return fail(ENOTCONN);
        if (how != SHUT_RD) send_end();
        if (how != SHUT_WR) {
            me().read_shut = true;
            network::edge(this, EPOLLIN | EPOLLRDHUP);
        }
        return 0;
    }

    int getsockname(sockaddr* address, socklen_t* size) noexcept override {
        return copy(name_, address, size);
    }
    int getpeername(sockaddr* address, socklen_t* size) noexcept override {
        return connected_ ? copy(other().name, address, size) : fail(ENOTCONN);
    }
    int setsockopt(int level, int name, const void* value, socklen_t size) noexcept override {
        allocation_gate::suspended const outside;
        int number = 0;
        std::memcpy(&number, value, std::min<std::size_t>(size, sizeof number));
        options_.push_back({level, name, number});
        return 0;
    }
    int getsockopt(int level, int name, void* value, socklen_t* size) noexcept override {
        int number = option(level, name);
        if (level == SOL_SOCKET && name == SO_ERROR) number = std::exchange(error_, 0);
        std::memcpy(value, &number, std::min<std::size_t>(*size, sizeof number));
        return 0;
    }
    void close() noexcept override {
        allocation_gate::suspended const outside;
        source_ = nullptr;
        network_->remove_listener(*this);
        for (const network::connection_ref& caller : callers_) hang_up(caller, 1, true);
        if (connection_ != nullptr)
            hang_up(connection_, side_, option(SOL_SOCKET, SO_LINGER) != 0 || !me().data.empty());
    }

private:
    friend class network;

    struct option_value {
        int level, name, value;
    };

    static int fail(int error) noexcept {
        errno = error;
        return -1;
    }
    static int copy(const net::endpoint& e, sockaddr* address, socklen_t* size) noexcept {
        std::memcpy(address, e.native(), std::min(*size, e.native_size()));
        *size = e.native_size();
        return 0;
    }
    [[nodiscard]] network_connection::end& me() noexcept { return connection_->ends[side_]; }
    [[nodiscard]] network_connection::end& other() noexcept { return connection_->ends[1 - side_]; }
    [[nodiscard]] int broken() noexcept {
        if (!network_->is_alive()) return ENETDOWN;
        if (!connected_) return ENOTCONN;
        return me().reset ? ECONNRESET : 0;
    }
    [[nodiscard]] int option(int level, int name) const noexcept {
        int value = 0;
        for (const option_value& o : options_)
            if (o.level == level && o.name == name) value = o.value;
        return value;
    }
    void post(network::event_kind kind, std::int64_t at, unsigned side, std::size_t bytes = 0) {
        network_->post(kind, at, connection_, side, bytes);
    }
    void send_end() {
        if (std::exchange(other().end_sent, true)) return;
        other().last_arrival = std::max(other().last_arrival, network_->after_latency());
        post(network::event_kind::end, other().last_arrival, 1 - side_);
    }
    void hang_up(const network::connection_ref& c, unsigned side, bool abruptly) {
        network_connection::end& mine = c->ends[side];
        network_connection::end& theirs = c->ends[1 - side];
        mine.socket = nullptr;
        mine.closed = true;
        if (!network_->is_alive() || (c == connection_ && !connected_)) return;
        const std::int64_t at = std::max(theirs.last_arrival, network_->after_latency());
        if (abruptly)
            network_->post(network::event_kind::reset, at, c, 1 - side);
        else if (!std::exchange(theirs.end_sent, true))
            network_->post(network::event_kind::end, at, c, 1 - side);
    }

    std::shared_ptr<network> network_;
    io_source* source_ = nullptr;
    network::connection_ref connection_;
    std::vector<network::connection_ref> callers_;  // connections that accept has not taken
    std::vector<option_value> options_;
    net::endpoint name_;
    std::size_t backlog_ = 0;
    int family_;
    int error_ = 0;
    unsigned side_ = 0;
    bool listening_ = false;
    bool connected_ = false;
};

inline io_ref network::socket(int family) noexcept {
    WEIR_TRY {
        return network_socket::make_source(
            std::make_unique<network_socket>(shared_from_this(), family));
    }
    WEIR_CATCH_ALL { return {}; }
}

inline void network::edge(network_socket* s, std::uint32_t what) noexcept {
    if (s != nullptr && s->source_ != nullptr) signal(*s->source_, what);
}

inline bool network::is_free(const net::endpoint& at, bool shared) const noexcept {
    return std::none_of(listeners_.begin(), listeners_.end(), [&](const network_socket* s) {
        return s->name_ == at && !(shared && s->option(SOL_SOCKET, SO_REUSEPORT) != 0);
    });
}

inline network_socket* network::listener_at(const net::endpoint& to) noexcept {
    network_socket* found = nullptr;
    std::uint64_t candidates = 0;
    for (network_socket* const s : listeners_) {
        const bool any = s->name_ == *net::endpoint::parse("0.0.0.0", to.port()) ||
                         s->name_ == *net::endpoint::parse("::", to.port());
        if ((any || s->name_ == to) && random() % ++candidates == 0) found = s;
    }
    return found;
}

// A call to connect has reached the other side.
inline void network::call(const connection_ref& c) {
    if (c->ends[0].closed) return;
    network_socket* const listener = listener_at(c->ends[1].name);
    if (listener == nullptr) return post(event_kind::refusal, after_latency(), c, 0);
    if (listener->callers_.size() >= listener->backlog_)  // lost, and sent again
        return post(event_kind::call, now() + 1'000'000'000, c, 1);
    listener->callers_.push_back(c);
    edge(listener, EPOLLIN);
    post(event_kind::answer, after_latency(), c, 0);
}

inline void network::deliver() {
    allocation_gate::suspended const outside;
    std::pop_heap(events_.begin(), events_.end());
    const event e = std::move(events_.back());
    events_.pop_back();
    network_connection::end& to = e.connection->ends[e.side];
    if (e.kind == event_kind::call) return call(e.connection);
    if (to.reset) return;
    if (to.closed) {  // whoever still sends to it learns that it has gone
        if (e.kind == event_kind::bytes || e.kind == event_kind::answer)
            post(event_kind::reset, after_latency(), e.connection, 1 - e.side);
        return;
    }
    network_socket* const socket = to.socket;
    switch (e.kind) {
        case event_kind::bytes:
            to.arrived += e.bytes;
            return edge(socket, EPOLLIN);
        case event_kind::end:
            to.end_arrived = true;
            return edge(socket, EPOLLIN | EPOLLRDHUP);
        case event_kind::room: return edge(socket, EPOLLOUT);
        case event_kind::reset:
            to.reset = true;
            to.data.clear();
            to.arrived = 0;
            if (socket != nullptr && !socket->connected_) socket->error_ = ECONNRESET;
            return edge(socket, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR);
        case event_kind::answer:
            socket->connected_ = true;
            return edge(socket, EPOLLOUT);
        case event_kind::refusal:
            socket->error_ = ECONNREFUSED;
            return edge(socket, EPOLLOUT | EPOLLHUP | EPOLLERR);
        case event_kind::call: return;
    }
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
