#pragma once
// A real redis-server on a free port, without persistence, for the length of a test.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>

#include "child_process.hpp"

namespace interop {

/// A port of 127.0.0.1 that nobody listens on just now: redis-server does not take port 0.
inline std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const bool found =
        ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
    const int error = errno;
    ::close(fd);
    if (!found) throw std::system_error(error, std::generic_category(), "free_port");
    return ntohs(address.sin_port);
}

class redis_process {
public:
    redis_process() {
        child_.wait_for("Ready to accept connections", std::chrono::seconds(20));
    }
    std::uint16_t port() const noexcept { return port_; }

private:
    std::uint16_t port_ = free_port();
    child_process child_{{"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1",
                          "--save", "", "--appendonly", "no", "--dir", "/tmp"}};
};

}  // namespace interop
