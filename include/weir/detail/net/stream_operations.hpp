#pragma once
// What is tried, again and again, when a stream is read or written.

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

#include <weir/bytes.hpp>
#include <weir/detail/net/io_operation.hpp>
#include <weir/detail/net/socket.hpp>
#include <weir/expected.hpp>
#include <weir/net/endpoint.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

using io_result = expected<std::size_t, std::error_code>;
using io_done = expected<void, std::error_code>;
using io_pieces = std::span<const std::span<const std::byte>>;

class io_count_attempt : public io_attempt {
public:
    using io_attempt::io_attempt;
    io_result take() const {
        if (error()) return unexpected(error());
        return count();
    }
};

class io_done_attempt : public io_attempt {
public:
    using io_attempt::io_attempt;
    io_done take() const {
        if (error()) return unexpected(error());
        return {};
    }
};

class read_some_op : public io_count_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;

    read_some_op(io_source& source, std::span<std::byte> out) noexcept
        : io_count_attempt(source, io_direction::read), out_(out) {}

    bool attempt() noexcept {
        if (out_.empty()) return true;
        const status s = try_call([&](const io_source& io) {
            return socket_calls::recv(io, out_.data(), out_.size(), 0);
        });
        if (s == status::done && count() != 0 && count() < out_.size()) drained();
        return s != status::blocked;
    }

private:
    std::span<std::byte> out_;
};

/// Makes room only when there may be something to read: an idle connection holds no memory. The
/// room grows with what arrives at a time.
class read_buffer_op : public io_count_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr std::size_t least_room = 4096, most_room = 65536;

    read_buffer_op(io_source& source, byte_buffer& out) noexcept
        : io_count_attempt(source, io_direction::read), out_(&out) {}

    bool attempt() noexcept {
        WEIR_TRY {
            std::array<char, least_room> aside;
            std::span<char> room;
            const bool has_storage = out_->capacity() != 0;
            const status s = try_call([&](const io_source& io) {
                room = has_storage ? out_->prepare(least_room) : std::span<char>(aside);
                return socket_calls::recv(io, room.data(), room.size(), 0);
            });
            if (s != status::done || count() == 0) return s != status::blocked;
            if (!has_storage) {
                out_->reserve(least_room);
                out_->append({aside.data(), count()});
            } else {
                out_->commit(count());
            }
            if (count() < room.size())
                drained();
            else if (out_->capacity() < most_room)  // there is more: take more at a time
                out_->reserve(out_->capacity());
        }
        WEIR_CATCH_ALL { fail(std::make_error_code(std::errc::not_enough_memory)); }
        return true;
    }

private:
    byte_buffer* out_;
};

class read_exact_op : public io_done_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::loses_data;

    read_exact_op(io_source& source, std::span<std::byte> out) noexcept
        : io_done_attempt(source, io_direction::read), rest_(out) {}

    bool attempt() noexcept {
        while (!rest_.empty()) {
            const status s = try_call([&](const io_source& io) {
                return socket_calls::recv(io, rest_.data(), rest_.size(), 0);
            });
            if (s != status::done) return s == status::failed;
            if (count() == 0) {
                fail(net::error::end_of_stream);
                return true;
            }
            if (count() < rest_.size()) drained();
            rest_ = rest_.subspan(count());
        }
        return true;
    }

private:
    std::span<std::byte> rest_;
};

class peek_op : public io_count_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;

    peek_op(io_source& source, std::span<std::byte> out) noexcept
        : io_count_attempt(source, io_direction::read), out_(out) {}

    bool attempt() noexcept {
        return try_call([&](const io_source& io) {
                   return socket_calls::recv(io, out_.data(), out_.size(), MSG_PEEK);
               }) != status::blocked;
    }

private:
    std::span<std::byte> out_;
};

/// Waits until a call would not block.
class ready_op : public io_done_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;

    using io_done_attempt::io_done_attempt;

    bool attempt() noexcept {
        const short wanted = direction() == io_direction::read ? POLLIN : POLLOUT;
        return try_call([&](const io_source& io) {
                   const int ready = socket_calls::poll(io, wanted);
                   if (ready == 0) errno = EAGAIN;
                   return ready == 0 ? -1 : ready;
               }) != status::blocked;
    }
};

class write_some_op : public io_count_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;

    write_some_op(io_source& source, std::span<const std::byte> in) noexcept
        : io_count_attempt(source, io_direction::write), in_(in) {}

    bool attempt() noexcept {
        if (in_.empty()) return true;
        const status s = try_call([&](const io_source& io) {
            return socket_calls::send(io, in_.data(), in_.size());
        });
        if (s == status::done && count() < in_.size()) drained();
        return s != status::blocked;
    }

private:
    std::span<const std::byte> in_;
};

class write_all_op : public io_done_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::loses_data;

    write_all_op(io_source& source, std::span<const std::byte> in) noexcept
        : io_done_attempt(source, io_direction::write), rest_(in) {}

    bool attempt() noexcept {
        while (!rest_.empty()) {
            const status s = try_call([&](const io_source& io) {
                return socket_calls::send(io, rest_.data(), rest_.size());
            });
            if (s != status::done) return s == status::failed;
            if (count() < rest_.size()) drained();
            rest_ = rest_.subspan(count());
        }
        return true;
    }

private:
    std::span<const std::byte> rest_;
};

/// Many pieces with few system calls.
class write_pieces_op : public io_done_attempt {
public:
    static constexpr cancel_safety safety = cancel_safety::loses_data;

    write_pieces_op(io_source& source, io_pieces in) noexcept
        : io_done_attempt(source, io_direction::write), rest_(in) {}

    bool attempt() noexcept {
        while (skip_empty()) {
            const std::size_t tried = rest_.size() == 1 ? write_one() : write_many();
            if (status_ != status::done) return status_ == status::failed;
            if (count() < tried) drained();
            written_ += count();
        }
        return true;
    }

private:
    // Both say how many bytes they tried to write.
    std::size_t write_one() noexcept {
        const auto part = rest_[0].subspan(written_);
        status_ = try_call(
            [&](const io_source& io) { return socket_calls::send(io, part.data(), part.size()); });
        return part.size();
    }
    std::size_t write_many() noexcept {
        std::array<iovec, 64> parts;
        const std::size_t used = std::min(rest_.size(), parts.size());
        std::size_t total = 0;
        for (std::size_t i = 0; i < used; ++i) {
            const auto part = i == 0 ? rest_[0].subspan(written_) : rest_[i];
            // sendmsg only reads what an iovec points to.
            parts[i].iov_base = const_cast<std::byte*>(part.data());
            parts[i].iov_len = part.size();
            total += part.size();
        }
        msghdr message{};
        message.msg_iov = parts.data();
        message.msg_iovlen = used;
        status_ = try_call([&](const io_source& io) { return socket_calls::sendmsg(io, message); });
        return total;
    }

    // Passes over what has been written; false when that is all.
    bool skip_empty() noexcept {
        while (!rest_.empty() && rest_[0].size() <= written_) {
            written_ -= rest_[0].size();
            rest_ = rest_.subspan(1);
        }
        return !rest_.empty();
    }

    io_pieces rest_;
    std::size_t written_ = 0;  // from the beginning of rest_[0]
    status status_ = status::done;
};

/// A call that reports "would block" instead of waiting.
template <class Op>
auto try_now(Op op) {
    if (!op.attempt()) op.fail(std::make_error_code(std::errc::operation_would_block));
    return op.take();
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
