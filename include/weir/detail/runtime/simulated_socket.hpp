#pragma once
// What stands in for the system's sockets inside a simulation.
//
// A source either has a descriptor or one of these, and the same operations run on both: they try,
// get EAGAIN, and wait for an edge.

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class io_ref;
class io_source;

/// A socket that no kernel knows. Functions return, and set errno, as the system call of their name.
class simulated_socket {
public:
    simulated_socket() = default;
    simulated_socket(const simulated_socket&) = delete;
    simulated_socket& operator=(const simulated_socket&) = delete;
    virtual ~simulated_socket() = default;

    virtual int bind(const sockaddr* address, socklen_t size) noexcept = 0;
    virtual int listen(int backlog) noexcept = 0;
    virtual int connect(const sockaddr* address, socklen_t size) noexcept = 0;
    /// Puts the connection into `out`.
    virtual int accept(io_ref& out, sockaddr* address, socklen_t* size) noexcept = 0;
    virtual ssize_t recv(void* to, std::size_t size, int flags) noexcept = 0;
    virtual ssize_t sendmsg(const msghdr& message) noexcept = 0;
    /// The events of `wanted` that are there.
    virtual short poll(short wanted) noexcept = 0;
    virtual int shutdown(int how) noexcept = 0;
    virtual int getsockname(sockaddr* address, socklen_t* size) noexcept = 0;
    virtual int getpeername(sockaddr* address, socklen_t* size) noexcept = 0;
    virtual int setsockopt(int level, int name, const void* value, socklen_t size) noexcept = 0;
    virtual int getsockopt(int level, int name, void* value, socklen_t* size) noexcept = 0;
    virtual void close() noexcept = 0;
};

/// What a runtime's sockets are made from, where it is not the system.
class simulated_network {
public:
    /// An empty reference: there is no memory for it.
    virtual io_ref socket(int family) noexcept = 0;
    /// The one IPv4 address of a name.
    virtual std::uint32_t resolve(std::string_view name) = 0;

protected:
    ~simulated_network() = default;

    /// An edge: `events` as epoll reports them.
    static void signal(io_source& source, std::uint32_t events) noexcept;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
