#pragma once
// net::tcp_stream: one TCP connection, and its two halves.
//
//     auto connected = co_await weir::net::tcp_stream::connect("127.0.0.1", 6379);
//     if (!connected) co_return connected.error();
//     weir::net::tcp_stream stream = std::move(*connected);
//     auto sent = co_await stream.write_all("PING\r\n");
//     weir::byte_buffer in;
//     while (in.view().find('\n') == in.view().npos) {
//         auto n = co_await stream.read_some(in);
//         if (!n || *n == 0) break;                      // an error, or the end of the stream
//     }
//
// Every operation makes its system call at once and waits only if that would block. Sockets are
// non-blocking, close-on-exec, without Nagle's delay; a write to a peer that has gone is an error
// and never a signal. One task may read while another one writes.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include <weir/bytes.hpp>
#include <weir/detail/net/io_operation.hpp>
#include <weir/detail/net/socket.hpp>
#include <weir/detail/net/socket_operations.hpp>
#include <weir/detail/net/stream_operations.hpp>
#include <weir/expected.hpp>
#include <weir/net/endpoint.hpp>

namespace weir { WEIR_ABI_BEGIN

namespace detail {
struct net_access {
    template <class Socket>
    static io_source& source(Socket& s) {
        return s.source();
    }
};
}  // namespace detail

namespace net {

/// What can be read from: a tcp_stream and the read halves.
///
/// Errors         A failed call is a std::error_code; a read at the end of the stream yields 0.
///                operation_canceled: the stream or the runtime has gone meanwhile.
/// Lifetime       The stream and the memory that is read into stay until the await has returned.
/// Thread safety  One reader at a time.
template <class Socket>
class readable_stream {
public:
    /// Reads what has arrived, at least one byte unless `out` is empty; 0 at the end of the stream.
    /// Cancel safety  Safe: nothing has been read.
    auto read_some(std::span<std::byte> out) {
        return detail::io_operation(detail::read_some_op(source(), out));
    }
    auto read_some(std::span<char> out) { return read_some(std::as_writable_bytes(out)); }

    /// Adds what has arrived to `out`, with room for 4 KiB at least; 0 at the end of the stream.
    /// Takes memory only when something has arrived.
    /// Cancel safety  Safe: nothing has been read.
    auto read_some(byte_buffer& out) {
        return detail::io_operation(detail::read_buffer_op(source(), out));
    }

    /// Fills `out`. Yields nothing, or error::end_of_stream where the peer has closed before.
    /// Cancel safety  Loses data: what was read is in `out`, but how much is unknown.
    auto read_exact(std::span<std::byte> out) {
        return detail::io_operation(detail::read_exact_op(source(), out));
    }
    auto read_exact(std::span<char> out) { return read_exact(std::as_writable_bytes(out)); }

    /// As read_some, and leaves the bytes where they are for the next read.
    /// Cancel safety  Safe.
    auto peek(std::span<std::byte> out) {
        return detail::io_operation(detail::peek_op(source(), out));
    }
    auto peek(std::span<char> out) { return peek(std::as_writable_bytes(out)); }

    /// Waits until a read would not block, because of data, the end, or an error.
    /// Cancel safety  Safe.
    auto readable() {
        return detail::io_operation(detail::ready_op(source(), detail::io_direction::read));
    }

    /// As read_some, but never suspends: operation_would_block where nothing has arrived.
    expected<std::size_t, std::error_code> try_read_some(std::span<std::byte> out) {
        return detail::try_now(detail::read_some_op(source(), out));
    }
    expected<std::size_t, std::error_code> try_read_some(byte_buffer& out) {
        return detail::try_now(detail::read_buffer_op(source(), out));
    }

private:
    detail::io_source& source() { return detail::net_access::source(static_cast<Socket&>(*this)); }
};

/// What can be written to: a tcp_stream and the write halves. As readable_stream otherwise.
template <class Socket>
class writable_stream {
public:
    /// Writes as much as the system takes at once, at least one byte unless `in` is empty.
    /// Cancel safety  Safe: nothing has been written.
    auto write_some(std::span<const std::byte> in) {
        return detail::io_operation(detail::write_some_op(source(), in));
    }
    auto write_some(std::string_view in) { return write_some(std::as_bytes(std::span(in))); }

    /// Writes everything; waits as long as the peer does not take it.
    /// Cancel safety  Loses data: how much has been written is unknown.
    auto write_all(std::span<const std::byte> in) {
        return detail::io_operation(detail::write_all_op(source(), in));
    }
    auto write_all(std::string_view in) { return write_all(std::as_bytes(std::span(in))); }

    /// Writes every piece in order, with one system call for up to 64 of them.
    auto write_all(std::span<const std::span<const std::byte>> pieces) {
        return detail::io_operation(detail::write_pieces_op(source(), pieces));
    }

    /// Waits until a write would not block.
    /// Cancel safety  Safe.
    auto writable() {
        return detail::io_operation(detail::ready_op(source(), detail::io_direction::write));
    }

    /// As write_some, but never suspends: operation_would_block where the system takes nothing.
    expected<std::size_t, std::error_code> try_write_some(std::span<const std::byte> in) {
        return detail::try_now(detail::write_some_op(source(), in));
    }
    expected<std::size_t, std::error_code> try_write_some(std::string_view in) {
        return try_write_some(std::as_bytes(std::span(in)));
    }

private:
    detail::io_source& source() { return detail::net_access::source(static_cast<Socket&>(*this)); }
};

/// Which direction of a connection shutdown ends.
enum class shutdown_mode { receive = SHUT_RD, send = SHUT_WR, both = SHUT_RDWR };

class owned_read_half;
class owned_write_half;

/// The read side of a stream that stays where it is.
class [[nodiscard]] read_half : public readable_stream<read_half> {
    friend class tcp_stream;
    friend struct detail::net_access;
    explicit read_half(detail::io_source& s) noexcept : source_(&s) {}
    [[nodiscard]] detail::io_source& source() const noexcept { return *source_; }

    detail::io_source* source_;
};

/// The write side of a stream that stays where it is.
class [[nodiscard]] write_half : public writable_stream<write_half> {
    friend class tcp_stream;
    friend struct detail::net_access;
    explicit write_half(detail::io_source& s) noexcept : source_(&s) {}
    [[nodiscard]] detail::io_source& source() const noexcept { return *source_; }

    detail::io_source* source_;
};

/// A connection. Destroying it closes it; operations of other tasks that still wait for it fail.
class [[nodiscard("destroying a tcp_stream closes the connection")]] tcp_stream
    : public readable_stream<tcp_stream>, public writable_stream<tcp_stream> {
public:
    /// Connects to the first address of `host`, a name or a numeric address, that answers; yields
    /// the error of the last one. A name is resolved on a thread of its own.
    /// Cancel safety  Safe: the attempt is given up.
    static auto connect(std::string_view host, std::uint16_t port) {
        return detail::io_operation(detail::connect_op(detail::resolver(host, port)));
    }
    static auto connect(const endpoint& to) {
        return detail::io_operation(detail::connect_op(detail::resolver(to)));
    }

    /// Takes over a connected stream socket, also on failure.
    static expected<tcp_stream, std::error_code> adopt(int fd) noexcept;

    tcp_stream(tcp_stream&&) noexcept = default;
    tcp_stream& operator=(tcp_stream&&) noexcept = default;

    /// Ends one direction or both. Plain. `send` lets the peer read to the end of what was written;
    /// `receive` lets a pending and every later read end. It is no error where the connection has
    /// ended already.
    expected<void, std::error_code> shutdown(shutdown_mode mode = shutdown_mode::send) {
        const int result = detail::socket_calls::shutdown(source(), static_cast<int>(mode));
        if (result == 0 || errno == ENOTCONN) return {};
        return detail::last_error();
    }

    /// Borrows the two directions, for two branches of one task. They must not outlive the stream.
    [[nodiscard]] std::pair<read_half, write_half> split() noexcept {
        return {read_half(source()), write_half(source())};
    }
    /// Divides the connection in two, for two tasks. Destroying the write half ends that direction;
    /// the connection closes with the second one.
    [[nodiscard]] std::pair<owned_read_half, owned_write_half> into_split() &&;

    [[nodiscard]] expected<endpoint, std::error_code> local_endpoint() const noexcept {
        return detail::endpoint_of(source(), &detail::socket_calls::getsockname);
    }
    [[nodiscard]] expected<endpoint, std::error_code> peer_endpoint() const noexcept {
        return detail::endpoint_of(source(), &detail::socket_calls::getpeername);
    }

    /// Off lets the system gather small writes for longer. On from the start.
    expected<void, std::error_code> set_no_delay(bool on) noexcept {
        return detail::set_option(source(), IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0);
    }
    [[nodiscard]] expected<bool, std::error_code> no_delay() const noexcept {
        return detail::get_option(source(), IPPROTO_TCP, TCP_NODELAY)
            .transform([](int value) { return value != 0; });
    }
    /// Lets the system probe a silent peer.
    expected<void, std::error_code> set_keep_alive(bool on) noexcept {
        return detail::set_option(source(), SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0);
    }
    expected<void, std::error_code> set_receive_buffer_size(int bytes) noexcept {
        return detail::set_option(source(), SOL_SOCKET, SO_RCVBUF, bytes);
    }
    expected<void, std::error_code> set_send_buffer_size(int bytes) noexcept {
        return detail::set_option(source(), SOL_SOCKET, SO_SNDBUF, bytes);
    }
    /// Makes closing reset the connection instead of delivering what was written.
    expected<void, std::error_code> reset_on_close() noexcept {
        const linger now{1, 0};
        if (detail::socket_calls::setsockopt(source(), SOL_SOCKET, SO_LINGER, &now,
                                             sizeof now) != 0)
            return detail::last_error();
        return {};
    }

    /// The descriptor, for options that have no function here. It stays non-blocking, and open.
    [[nodiscard]] int native_handle() const noexcept { return source().fd(); }

private:
    friend class detail::connect_op;
    friend class detail::accept_op;
    friend class owned_read_half;
    friend struct detail::net_access;
    explicit tcp_stream(detail::io_ref source) noexcept : source_(std::move(source)) {}
    [[nodiscard]] detail::io_source& source() const noexcept { return *source_; }

    detail::io_ref source_;
};

/// The read side of a divided connection.
class [[nodiscard]] owned_read_half : public readable_stream<owned_read_half> {
public:
    owned_read_half(owned_read_half&&) noexcept = default;
    owned_read_half& operator=(owned_read_half&&) noexcept = default;

    /// Makes one stream of the two halves again; hands them back if they are not of one connection.
    [[nodiscard]] static expected<tcp_stream, std::pair<owned_read_half, owned_write_half>> reunite(
        owned_read_half read, owned_write_half write);

private:
    friend class tcp_stream;
    friend struct detail::net_access;
    explicit owned_read_half(detail::io_ref source) noexcept : source_(std::move(source)) {}
    [[nodiscard]] detail::io_source& source() const noexcept { return *source_; }

    detail::io_ref source_;
};

/// The write side of a divided connection. Destroying it lets the peer read to the end.
class [[nodiscard]] owned_write_half : public writable_stream<owned_write_half> {
public:
    owned_write_half(owned_write_half&&) noexcept = default;
    owned_write_half& operator=(owned_write_half&& other) noexcept {
        end();
        source_ = std::move(other.source_);
        return *this;
    }
    ~owned_write_half() { end(); }

    /// Destroys the half without ending its direction: that happens when the read half goes.
    void forget() && noexcept { source_ = {}; }

private:
    friend class tcp_stream;
    friend class owned_read_half;
    friend struct detail::net_access;
    explicit owned_write_half(detail::io_ref source) noexcept : source_(std::move(source)) {}
    [[nodiscard]] detail::io_source& source() const noexcept { return *source_; }
    void end() noexcept {
        if (source_) detail::socket_calls::shutdown(*source_, SHUT_WR);
    }

    detail::io_ref source_;
};

/// As owned_read_half::reunite.
[[nodiscard]] inline auto reunite(owned_read_half read, owned_write_half write) {
    return owned_read_half::reunite(std::move(read), std::move(write));
}

inline std::pair<owned_read_half, owned_write_half> tcp_stream::into_split() && {
    detail::io_ref shared = source_;
    return {owned_read_half(std::move(source_)), owned_write_half(std::move(shared))};
}

inline expected<tcp_stream, std::pair<owned_read_half, owned_write_half>> owned_read_half::reunite(
    owned_read_half read, owned_write_half write) {
    if (read.source_ != write.source_)
        return unexpected(std::pair(std::move(read), std::move(write)));
    std::move(write).forget();
    return tcp_stream(std::move(read.source_));
}

inline expected<tcp_stream, std::error_code> tcp_stream::adopt(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        const auto error = detail::last_error();
        ::close(fd);
        return error;
    }
    detail::io_ref source(fd);
    if (!source) return unexpected(std::make_error_code(std::errc::not_enough_memory));
    return tcp_stream(std::move(source));
}

}  // namespace net

inline expected<net::tcp_stream, std::error_code> detail::connect_op::take() {
    if (connected_) return net::tcp_stream(std::move(source_));
    return unexpected(error_);
}

WEIR_ABI_END }  // namespace weir
