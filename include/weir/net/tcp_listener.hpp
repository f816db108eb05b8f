#pragma once
// net::tcp_listener: takes connections.
//
//     auto bound = co_await weir::net::tcp_listener::bind("127.0.0.1", 0);   // 0: any free port
//     weir::net::tcp_listener listener = std::move(bound).value();
//     std::uint16_t const port = listener.local_endpoint().value().port();
//     for (;;) {
//         auto a = co_await listener.accept();
//         if (a) weir::spawn(serve, std::move(a->stream)).detach();
//         else co_await weir::sleep_for(50ms);            // out of descriptors: let some go first
//     }

#include <cstdint>
#include <string_view>
#include <system_error>
#include <utility>

#include <weir/detail/net/io_operation.hpp>
#include <weir/detail/net/socket.hpp>
#include <weir/detail/net/socket_operations.hpp>
#include <weir/expected.hpp>
#include <weir/net/endpoint.hpp>
#include <weir/net/tcp_stream.hpp>

namespace weir { WEIR_ABI_BEGIN namespace net {

/// A connection and who made it.
struct accepted {
    accepted(tcp_stream s, endpoint p) noexcept : stream(std::move(s)), peer(p) {}

    tcp_stream stream;
    endpoint peer;
};

/// A listening socket. Destroying it closes it; accepts of other tasks that still wait fail.
/// Thread safety  Any number of tasks may wait in accept; each connection resumes one of them.
class [[nodiscard("destroying a tcp_listener closes it")]] tcp_listener {
public:
    /// Listens at the first address of `host` where that is possible: a name, a numeric address, or
    /// nothing for every IPv4 address of the machine ("::" for IPv6 too). Port 0 takes a free one.
    /// Cancel safety  Safe.
    static auto bind(std::string_view host, std::uint16_t port, const listen_options& options = {}) {
        return detail::io_operation(detail::bind_op(detail::resolver(host, port), options));
    }
    static auto bind(const endpoint& at, const listen_options& options = {}) {
        return detail::io_operation(detail::bind_op(detail::resolver(at), options));
    }

    tcp_listener(tcp_listener&&) noexcept = default;
    tcp_listener& operator=(tcp_listener&&) noexcept = default;

    /// Waits for a connection and takes it.
    /// Cancel safety  Safe: no connection is lost.
    /// Errors         What the system lacks, such as descriptors (too_many_files_open), is reported
    ///                at once, and again by the next call: wait a while before that.
    auto accept() { return detail::io_operation(detail::accept_op(*source_)); }

    /// As accept, but never suspends: operation_would_block where nobody has connected.
    expected<accepted, std::error_code> try_accept() {
        return detail::try_now(detail::accept_op(*source_));
    }

    [[nodiscard]] expected<endpoint, std::error_code> local_endpoint() const noexcept {
        return detail::endpoint_of(*source_, &detail::socket_calls::getsockname);
    }
    [[nodiscard]] int native_handle() const noexcept { return source_->fd(); }

private:
    friend class detail::bind_op;
    explicit tcp_listener(detail::io_ref source) noexcept : source_(std::move(source)) {}

    detail::io_ref source_;
};

}  // namespace net

inline expected<net::tcp_listener, std::error_code> detail::bind_op::take() {
    if (error_) return unexpected(error_);
    return net::tcp_listener(std::move(source_));
}

inline expected<net::accepted, std::error_code> detail::accept_op::take() {
    if (error()) return unexpected(error());
    const auto peer =
        net::endpoint::from_native(reinterpret_cast<const sockaddr*>(&address_), size_);
    return net::accepted(net::tcp_stream(std::move(accepted_)), peer.value_or(net::endpoint()));
}

WEIR_ABI_END }  // namespace weir
