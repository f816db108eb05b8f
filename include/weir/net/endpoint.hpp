#pragma once
// net::endpoint: an IP address and a port; and what net's errors are called.

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN

namespace net {
/// The errors that the system has no number for. Converts to std::error_code.
enum class error {
    end_of_stream = 1,  ///< the peer closed before all that was asked for had arrived
    no_address,         ///< a name resolved to nothing
};
}  // namespace net

namespace detail {

class net_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "weir.net"; }
    std::string message(int value) const override {
        switch (static_cast<net::error>(value)) {
            case net::error::end_of_stream:
                return "the peer closed the connection before all bytes had arrived";
            case net::error::no_address: return "the name has no address";
        }
        return "unknown error";
    }
};

/// What getaddrinfo reports.
class resolver_category final : public std::error_category {
public:
    const char* name() const noexcept override { return "weir.resolver"; }
    std::string message(int value) const override { return ::gai_strerror(value); }
};

}  // namespace detail

namespace net {

/// The category of net::error.
inline const std::error_category& error_category() noexcept {
    static const detail::net_category instance;
    return instance;
}
/// The category of getaddrinfo's errors (EAI_NONAME and so on).
inline const std::error_category& resolver_category() noexcept {
    static const detail::resolver_category instance;
    return instance;
}
inline std::error_code make_error_code(error e) noexcept {
    return {static_cast<int>(e), error_category()};
}

/// An IPv4 or IPv6 address and a port: a value.
///
///     auto const local = weir::net::endpoint::parse("127.0.0.1", 6379).value();
///     std::string const text = local.to_string();      // "127.0.0.1:6379"
class endpoint {
public:
    /// 0.0.0.0:0
    endpoint() noexcept { address_.v4.sin_family = AF_INET; }

    /// From a numeric address, such as "127.0.0.1" or "::1"; nullopt if it is not one.
    static std::optional<endpoint> parse(std::string_view address, std::uint16_t port) {
        std::array<char, INET6_ADDRSTRLEN> text{};
        if (address.size() >= text.size()) return std::nullopt;
        std::memcpy(text.data(), address.data(), address.size());
        endpoint result;
        if (::inet_pton(AF_INET, text.data(), &result.address_.v4.sin_addr) == 1) {
            result.address_.v4.sin_port = htons(port);
            return result;
        }
        result.address_.v6 = {};
        result.address_.v6.sin6_family = AF_INET6;
        result.address_.v6.sin6_port = htons(port);
        if (::inet_pton(AF_INET6, text.data(), &result.address_.v6.sin6_addr) == 1) return result;
        return std::nullopt;
    }

    /// From the system's form; nullopt unless it is an IPv4 or IPv6 address.
    static std::optional<endpoint> from_native(const sockaddr* address, socklen_t size) noexcept {
        endpoint result;
        if (size < sizeof(sa_family_t) || size > sizeof result.address_) return std::nullopt;
        std::memcpy(&result.address_, address, size);
        if (!result.is_v4() && !result.is_v6()) return std::nullopt;
        if (size < result.native_size()) return std::nullopt;
        return result;
    }

    [[nodiscard]] bool is_v4() const noexcept { return family() == AF_INET; }
    [[nodiscard]] bool is_v6() const noexcept { return family() == AF_INET6; }
    [[nodiscard]] int family() const noexcept { return address_.any.sa_family; }

    [[nodiscard]] std::uint16_t port() const noexcept {
        return ntohs(is_v4() ? address_.v4.sin_port : address_.v6.sin6_port);
    }
    /// The numeric address without the port: "127.0.0.1", "::1".
    [[nodiscard]] std::string address() const {
        std::array<char, INET6_ADDRSTRLEN> text{};
        const void* const from = is_v4() ? static_cast<const void*>(&address_.v4.sin_addr)
                                         : static_cast<const void*>(&address_.v6.sin6_addr);
        ::inet_ntop(family(), from, text.data(), text.size());
        return text.data();
    }
    /// "127.0.0.1:6379", "[::1]:6379".
    [[nodiscard]] std::string to_string() const {
        const std::string host = address();
        return (is_v4() ? host : "[" + host + "]") + ":" + std::to_string(port());
    }

    [[nodiscard]] const sockaddr* native() const noexcept { return &address_.any; }
    [[nodiscard]] socklen_t native_size() const noexcept {
        return is_v4() ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    }

    friend bool operator==(const endpoint& a, const endpoint& b) noexcept {
        if (a.family() != b.family() || a.port() != b.port()) return false;
        if (a.is_v4()) return a.address_.v4.sin_addr.s_addr == b.address_.v4.sin_addr.s_addr;
        return a.address_.v6.sin6_scope_id == b.address_.v6.sin6_scope_id &&
               std::memcmp(&a.address_.v6.sin6_addr, &b.address_.v6.sin6_addr, sizeof(in6_addr)) == 0;
    }

private:
    union {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
    } address_{};
};

}  // namespace net
WEIR_ABI_END }  // namespace weir

template <>
struct std::is_error_code_enum<weir::net::error> : std::true_type {};
