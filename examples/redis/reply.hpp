#pragma once
// Replies of the Redis protocol, without a socket: what a server appends and what a client parses.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <weir/bytes.hpp>

namespace redis {

/// Collects the replies to a batch of requests, to be sent with one write.
///
/// Short values are copied behind each other. A value of `by_reference` bytes or more is only
/// referred to, which a `weir::bytes` makes safe: a thousand GETs of one large value cost a
/// thousand handles, not a thousand copies.
class reply_buffer {
public:
    static constexpr std::size_t by_reference = 4 * 1024;
    static constexpr std::size_t largest_idle = 256 * 1024;

    /// RESP3, which a client asks for with HELLO 3, has types of its own for maps and nulls.
    void use_resp3(bool on) noexcept { resp3_ = on; }
    bool uses_resp3() const noexcept { return resp3_; }

    void ok() { text_ += "+OK\r\n"; }
    void simple(std::string_view text);
    /// Appends an error. Line ends in `text`, which may quote the client, become blanks.
    void error(std::string_view text);
    void integer(std::int64_t value) { header(':', value); }
    void bulk(std::string_view value);
    void bulk(const weir::bytes& value);
    void null() { text_ += resp3_ ? "_\r\n" : "$-1\r\n"; }
    void array(std::size_t size) { header('*', static_cast<std::int64_t>(size)); }
    void map(std::size_t pairs);
    /// The first byte of a push, the size of which is encoded already.
    void push_mark() { text_ += resp3_ ? '>' : '*'; }
    void push(std::size_t size) { header(resp3_ ? '>' : '*', static_cast<std::int64_t>(size)); }
    /// Appends what is encoded already.
    void raw(const weir::bytes& encoded);

    bool empty() const noexcept { return text_.empty() && references_.empty(); }
    /// Size of the copied part, which is what a batch is limited by.
    std::size_t copied() const noexcept { return text_.size(); }
    /// Size of the values that are referred to.
    std::size_t referred() const noexcept { return referred_; }
    std::size_t size() const noexcept { return copied() + referred(); }
    /// Forgets the replies and keeps the memory, unless one reply was huge.
    void clear();

    /// The pieces to be written, in order, valid until the buffer changes.
    std::span<const std::span<const std::byte>> pieces();

    /// The same as one string, for tests.
    std::string joined();

private:
    struct reference {
        std::size_t at;  // the value goes in front of text_[at]
        weir::bytes value;
    };

    void header(char kind, std::int64_t value);

    bool resp3_ = false;
    std::string text_;
    std::vector<reference> references_;
    std::size_t referred_ = 0;
    std::vector<std::span<const std::byte>> pieces_;
};

/// A reply as the client sees it. Types that only RESP3 has become those that RESP2 would have
/// sent: a map is an array of keys and values in turn, a boolean 1 or 0, a double a bulk string.
class reply {
public:
    enum class type : std::uint8_t {
        null,
        simple,
        error,
        integer,
        bulk,
        array,
        push  // RESP3: a message, which answers no request
    };

    reply() = default;
    reply(type t, weir::bytes text) : type_(t), text_(std::move(text)) {}
    explicit reply(std::int64_t value) : type_(type::integer), integer_(value) {}
    explicit reply(std::vector<reply> elements, type t = type::array)
        : type_(t), elements_(std::move(elements)) {}

    type kind() const noexcept { return type_; }
    bool is_null() const noexcept { return type_ == type::null; }
    bool is_error() const noexcept { return type_ == type::error; }
    /// The text of a simple string, an error or a bulk string.
    const weir::bytes& text() const noexcept { return text_; }
    std::string_view view() const noexcept { return text_.view(); }
    std::int64_t integer() const noexcept { return integer_; }
    const std::vector<reply>& elements() const noexcept { return elements_; }

private:
    type type_ = type::null;
    weir::bytes text_;
    std::int64_t integer_ = 0;
    std::vector<reply> elements_;
};

/// Finds one reply after the other in a read buffer, with the promises of request_parser: linear
/// work, nothing reserved on the peer's word. Arrays nest, so it keeps a stack of its own, with a
/// limit: a hostile server can exhaust neither the thread's stack nor a recursive destructor.
class reply_parser {
public:
    enum class result : std::uint8_t { incomplete, reply, malformed };

    static constexpr std::size_t max_depth = 32;

    /// Parses one reply. `data` starts where the previous reply ended.
    result parse(std::string_view data);

    /// The reply that was found; drop size() bytes of the input before the next call.
    reply take() { return std::move(reply_); }
    std::size_t size() const noexcept { return position_; }
    std::string_view error() const noexcept { return error_; }
    std::uint64_t examined() const noexcept { return examined_; }

private:
    struct open_array {
        std::int64_t missing;
        reply::type kind;
        std::vector<reply> elements;
    };

    static constexpr std::int64_t no_bulk = -1;

    bool take_line(std::string_view data, std::string_view& line);
    result parse_element(std::string_view data, reply& out, bool& opened);
    result parse_line(std::string_view line, reply& out, bool& opened);
    result parse_bulk(std::string_view data, reply& out);
    result open_aggregate(char kind, std::int64_t size, reply& out, bool& opened);
    result fail(std::string_view message);
    bool close_element(reply&& element);

    std::size_t position_ = 0;
    std::size_t scanned_ = 0;
    std::int64_t bulk_ = no_bulk;
    char bulk_kind_ = '$';
    bool finished_ = false;
    std::vector<open_array> open_;
    reply reply_;
    std::string error_;
    std::uint64_t examined_ = 0;
};

}  // namespace redis
