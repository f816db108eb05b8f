#pragma once
// System calls on sockets whose results are values.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include <weir/detail/runtime/io_source.hpp>
#include <weir/expected.hpp>
#include <weir/net/endpoint.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

inline unexpected<std::error_code> last_error() noexcept {
    return unexpected(std::error_code(errno, std::system_category()));
}

inline expected<io_ref, std::error_code> make_tcp_socket(int family) noexcept {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (fd < 0) return last_error();
    io_ref source(fd);
    if (!source) return unexpected(std::make_error_code(std::errc::not_enough_memory));
    return source;
}

inline expected<void, std::error_code> set_option(const io_source& s, int level, int name,
                                                  int value) noexcept {
    if (::setsockopt(s.fd(), level, name, &value, sizeof value) != 0) return last_error();
    return {};
}

inline expected<int, std::error_code> get_option(const io_source& s, int level, int name) noexcept {
    int value = 0;
    socklen_t size = sizeof value;
    if (::getsockopt(s.fd(), level, name, &value, &size) != 0) return last_error();
    return value;
}

/// `query` is getsockname or getpeername.
inline expected<net::endpoint, std::error_code> endpoint_of(
    const io_source& s, int (*query)(int, sockaddr*, socklen_t*)) noexcept {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (query(s.fd(), any, &size) != 0) return last_error();
    if (const auto result = net::endpoint::from_native(any, size)) return *result;
    return unexpected(std::make_error_code(std::errc::address_family_not_supported));
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
