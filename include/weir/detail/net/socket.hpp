#pragma once
// System calls on sockets whose results are values.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstddef>
#include <system_error>

#include <weir/detail/runtime/io_source.hpp>
#include <weir/detail/runtime/runtime_core.hpp>
#include <weir/expected.hpp>
#include <weir/net/endpoint.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

inline unexpected<std::error_code> last_error() noexcept {
    return unexpected(std::error_code(errno, std::system_category()));
}

/// The network of the simulation that the calling thread runs; null outside of one.
inline simulated_network* current_simulated_network() noexcept {
    runtime_core* const runtime = runtime_core::current();
    return runtime == nullptr ? nullptr : runtime->events().simulated();
}

/// The system calls on a source's descriptor, or what a simulation puts in their place.
struct socket_calls {
    static ssize_t recv(const io_source& s, void* to, std::size_t size, int flags) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->recv(to, size, flags);
        return ::recv(s.fd(), to, size, flags);
    }
    static ssize_t send(const io_source& s, const void* from, std::size_t size) noexcept {
        if (s.simulated() != nullptr) [[unlikely]] {
            iovec part{const_cast<void*>(from), size};  // sendmsg only reads it
            msghdr message{};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            return sendmsg(s, message);
        }
        return ::send(s.fd(), from, size, MSG_NOSIGNAL);
    }
    static ssize_t sendmsg(const io_source& s, const msghdr& message) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->sendmsg(message);
        return ::sendmsg(s.fd(), &message, MSG_NOSIGNAL);
    }
    /// Puts the connection into `out`, which is empty where there was no memory for it.
    static int accept(const io_source& s, io_ref& out, sockaddr* address, socklen_t* size) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->accept(out, address, size);
        const int fd = ::accept4(s.fd(), address, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) out = io_ref(fd);
        return fd;
    }
    static int bind(const io_source& s, const net::endpoint& at) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->bind(at.native(), at.native_size());
        return ::bind(s.fd(), at.native(), at.native_size());
    }
    static int listen(const io_source& s, int backlog) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->listen(backlog);
        return ::listen(s.fd(), backlog);
    }
    static int connect(const io_source& s, const net::endpoint& to) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->connect(to.native(), to.native_size());
        return ::connect(s.fd(), to.native(), to.native_size());
    }
    static int shutdown(const io_source& s, int how) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->shutdown(how);
        return ::shutdown(s.fd(), how);
    }
    /// Whether one of the events `wanted` is there: 1 or 0, -1 for an error.
    static int poll(const io_source& s, short wanted) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->poll(wanted) != 0 ? 1 : 0;
        pollfd p{s.fd(), wanted, 0};
        return ::poll(&p, 1, 0);
    }
    static int setsockopt(const io_source& s, int level, int name, const void* value,
                          socklen_t size) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->setsockopt(level, name, value, size);
        return ::setsockopt(s.fd(), level, name, value, size);
    }
    static int getsockopt(const io_source& s, int level, int name, void* value,
                          socklen_t* size) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->getsockopt(level, name, value, size);
        return ::getsockopt(s.fd(), level, name, value, size);
    }
    static int getsockname(const io_source& s, sockaddr* address, socklen_t* size) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->getsockname(address, size);
        return ::getsockname(s.fd(), address, size);
    }
    static int getpeername(const io_source& s, sockaddr* address, socklen_t* size) noexcept {
        if (simulated_socket* const own = s.simulated()) [[unlikely]]
            return own->getpeername(address, size);
        return ::getpeername(s.fd(), address, size);
    }
};

inline expected<io_ref, std::error_code> make_tcp_socket(int family) noexcept {
    if (simulated_network* const network = current_simulated_network()) [[unlikely]] {
        io_ref source = network->socket(family);
        if (!source) return unexpected(std::make_error_code(std::errc::not_enough_memory));
        return source;
    }
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return last_error();
    io_ref source(fd);
    if (!source) return unexpected(std::make_error_code(std::errc::not_enough_memory));
    return source;
}

inline expected<void, std::error_code> set_option(const io_source& s, int level, int name,
                                                  int value) noexcept {
    if (socket_calls::setsockopt(s, level, name, &value, sizeof value) != 0) return last_error();
    return {};
}

inline expected<int, std::error_code> get_option(const io_source& s, int level, int name) noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    if (socket_calls::getsockopt(s, level, name, &value, &size) != 0) return last_error();
    return value;
}

/// `query` is socket_calls::getsockname or getpeername.
inline expected<net::endpoint, std::error_code> endpoint_of(
    const io_source& s, int (*query)(const io_source&, sockaddr*, socklen_t*) noexcept) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (query(s, any, &size) != 0) return last_error();
    if (const auto result = net::endpoint::from_native(any, size)) return *result;
    return unexpected(std::make_error_code(std::errc::address_family_not_supported));
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
