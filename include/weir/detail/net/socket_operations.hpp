#pragma once
// How sockets come to be: bind, connect, accept.

#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>

#include <weir/detail/net/io_operation.hpp>
#include <weir/detail/net/resolve.hpp>
#include <weir/detail/net/socket.hpp>
#include <weir/expected.hpp>
#include <weir/net/endpoint.hpp>

namespace weir { WEIR_ABI_BEGIN

namespace net {
class tcp_stream;
class tcp_listener;
struct accepted;

/// How a tcp_listener listens.
struct listen_options {
    int backlog = 1024;         ///< connections that the system completes ahead of accept
    bool reuse_address = true;  ///< take over a port whose last connections are still closing
    bool reuse_port = false;    ///< several listeners share the port, and its connections
    bool v6_only = false;       ///< an IPv6 listener takes no IPv4 connections
};
}  // namespace net

namespace detail {

/// What bind and connect share: the name first, then one address after the other.
class address_op {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;

    explicit address_op(resolver r) : resolver_(std::move(r)) {}

    [[nodiscard]] io_source& source() const noexcept { return *source_; }
    [[nodiscard]] io_direction direction() const noexcept { return direction_; }
    [[nodiscard]] std::uint32_t seen() const noexcept { return seen_; }
    void fail(std::error_code e) noexcept { error_ = e; }

protected:
    /// Whether the addresses are known, or there is an error; starts to ask for them.
    bool resolved() noexcept {
        if (resolver_.is_done()) return true;
        if (simulated_network* const network = current_simulated_network()) [[unlikely]] {
            error_ = resolver_.finish(*network);
            return true;
        }
        if (!source_) {
            auto started = resolver_.start();
            if (!started) {
                error_ = started.error();
                return true;
            }
            source_ = std::move(*started);
        }
        seen_ = source_->edges(direction_);
        char none;
        if (::read(source_->fd(), &none, 1) != 0) return false;  // the thread still holds its end
        source_ = {};
        error_ = resolver_.finish();
        return true;
    }

    /// The next address to be tried.
    [[nodiscard]] const net::endpoint* next_address() noexcept {
        if (next_ == resolver_.addresses().size()) return nullptr;
        return &resolver_.addresses()[next_++];
    }

    resolver resolver_;
    io_ref source_;  // the answer to come, then the socket
    std::error_code error_;
    std::size_t next_ = 0;
    std::uint32_t seen_ = 0;
    io_direction direction_ = io_direction::read;
};

class connect_op : public address_op {
public:
    using address_op::address_op;

    bool attempt() noexcept {
        if (!connecting_) {
            if (!resolved()) return false;
            if (!resolver_.is_done()) return true;
        } else if (!check()) {
            return false;
        }
        while (!connected_) {
            const net::endpoint* const address = next_address();
            if (address == nullptr) return true;
            if (start(*address)) continue;
            return false;
        }
        return true;
    }

    expected<net::tcp_stream, std::error_code> take();

private:
    // False: the connection is being made.
    bool start(const net::endpoint& to) noexcept {
        auto socket = make_tcp_socket(to.family());
        if (!socket) {
            error_ = socket.error();
            return true;
        }
        source_ = std::move(*socket);
        static_cast<void>(set_option(*source_, IPPROTO_TCP, TCP_NODELAY, 1));
        direction_ = io_direction::write;
        seen_ = source_->edges(direction_);
        if (socket_calls::connect(*source_, to) == 0) {
            connected_ = true;
        } else if (errno == EINPROGRESS || errno == EINTR) {
            connecting_ = true;
            return false;
        } else {
            error_ = std::error_code(errno, std::system_category());
        }
        return true;
    }
    // False: the connection is still being made.
    bool check() noexcept {
        seen_ = source_->edges(direction_);
        const auto failure = get_option(*source_, SOL_SOCKET, SO_ERROR);
        if (failure && *failure == 0) {
            connected_ = endpoint_of(*source_, &socket_calls::getpeername).has_value();
            return connected_;
        }
        error_ = failure ? std::error_code(*failure, std::system_category()) : failure.error();
        return true;
    }

    bool connecting_ = false;
    bool connected_ = false;
};

class bind_op : public address_op {
public:
    bind_op(resolver r, const net::listen_options& options)
        : address_op(std::move(r)), options_(options) {}

    bool attempt() noexcept {
        if (!resolved()) return false;
        while (const net::endpoint* const address = next_address()) {
            error_ = listen_at(*address);
            if (!error_) break;
        }
        return true;
    }

    expected<net::tcp_listener, std::error_code> take();

private:
    std::error_code listen_at(const net::endpoint& at) noexcept {
        auto socket = make_tcp_socket(at.family());
        if (!socket) return socket.error();
        source_ = std::move(*socket);
        const auto set = [this](int level, int name, bool value) {
            return set_option(*source_, level, name, value ? 1 : 0).has_value();
        };
        // Accepted connections inherit TCP_NODELAY.
        const bool all_set =
            set(SOL_SOCKET, SO_REUSEADDR, options_.reuse_address) &&
            (!options_.reuse_port || set(SOL_SOCKET, SO_REUSEPORT, true)) &&
            (!at.is_v6() || set(IPPROTO_IPV6, IPV6_V6ONLY, options_.v6_only)) &&
            set(IPPROTO_TCP, TCP_NODELAY, true);
        if (all_set && socket_calls::bind(*source_, at) == 0 &&
            socket_calls::listen(*source_, options_.backlog) == 0)
            return {};
        return last_error().error();
    }

    net::listen_options options_;
};

class accept_op : public io_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;

    explicit accept_op(io_source& source) noexcept : io_attempt(source, io_direction::read) {}

    bool attempt() noexcept {
        const status s = try_call([&](const io_source& listener) {
            int result = 0;
            do {  // a connection that its peer has given up is not this caller's
                size_ = sizeof address_;
                result = socket_calls::accept(listener, accepted_,
                                              reinterpret_cast<sockaddr*>(&address_), &size_);
            } while (result < 0 && errno == ECONNABORTED);
            return result;
        });
        if (s == status::done && !accepted_)
            fail(std::make_error_code(std::errc::not_enough_memory));
        return s != status::blocked;
    }

    expected<net::accepted, std::error_code> take();

private:
    sockaddr_storage address_{};
    socklen_t size_ = 0;
    io_ref accepted_;  // closed again if nobody takes it
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
