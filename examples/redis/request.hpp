#pragma once
// Requests of the Redis protocol, without a socket: bytes in, argument lists out, and back.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// A request is an array of bulk strings, `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`, or a line as a person
// types it, `GET k\r\n` ("inline"). The parser is a guest in the caller's read buffer: it copies
// nothing and remembers offsets, never pointers, because the buffer moves when it grows.
//
// Invariants
//   - Each byte of a header line is looked at once, however the input was cut into pieces, and a
//     bulk string is stepped over: the work is linear in what was received.
//   - Nothing is reserved on a client's word. `*1000000000\r\n` costs the 14 bytes it is long.
//   - What is refused, with which words, and what is waived (the two bytes that end a bulk string
//     may be anything) follows redis-server 7, whose answers the tests compare with ours.

namespace redis {

inline constexpr std::size_t max_line_size = 64 * 1024;
inline constexpr std::int64_t max_bulk_size = std::int64_t{512} * 1024 * 1024;
inline constexpr std::size_t max_request_size = std::size_t{1024} * 1024 * 1024;

/// Reads a decimal number the way Redis does: no plus sign, no leading zero, no blank, no rest.
std::optional<std::int64_t> parse_integer(std::string_view text) noexcept;

/// Compares without regard to the case of ASCII letters; `upper` is in upper case already.
bool equals_ignoring_case(std::string_view text, std::string_view upper) noexcept;

/// The arguments of one request, as views into the buffer it was parsed from.
class arguments {
public:
    struct slice {
        std::uint32_t offset;
        std::uint32_t size;
    };

    arguments() = default;
    arguments(const char* base, const std::vector<slice>& slices) noexcept
        : base_(base), slices_(slices.data()), size_(slices.size()) {}

    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    std::string_view operator[](std::size_t i) const noexcept {
        return {base_ + slices_[i].offset, slices_[i].size};
    }

private:
    const char* base_ = nullptr;
    const slice* slices_ = nullptr;
    std::size_t size_ = 0;
};

/// Finds one request after the other in a read buffer that fills up in pieces of any size.
class request_parser {
public:
    enum class result {
        incomplete,  // call again with the same bytes and more behind them
        request,     // args() is a request, possibly empty; drop size() bytes, then call again
        malformed    // the connection ends here, with error() as its last reply unless it is empty
    };

    /// Parses one request. `data` starts where the previous request ended.
    result parse(std::string_view data);

    /// The request that was found, for as long as the bytes it was parsed from stay where they are.
    const arguments& args() const noexcept { return args_; }
    std::size_t size() const noexcept { return position_; }
    std::string_view error() const noexcept { return error_; }

    /// How many bytes the parser has looked at since it was made; tests compare it with the input.
    std::uint64_t examined() const noexcept { return examined_; }

private:
    enum class state : std::uint8_t { start, inline_line, array_header, array, finished };
    enum class line_status : std::uint8_t { found, incomplete, too_long };

    static constexpr std::int64_t no_bulk = -1;

    void reset();
    result parse_inline(std::string_view data);
    result parse_array(std::string_view data);
    bool split_words(std::string_view line);
    line_status find_line(std::string_view data, char end, std::string_view& line);
    line_status take_header(std::string_view data, std::string_view& line);
    result finish(const char* base);
    result fail(std::string_view message);
    result fail_at_line_end(line_status status, std::string_view message);

    state state_ = state::start;
    std::size_t position_ = 0;        // first byte that is not parsed yet
    std::size_t scanned_ = 0;         // bytes before this one are known not to end the line
    std::int64_t missing_ = 0;        // arguments still to come
    std::int64_t bulk_ = no_bulk;     // length of the argument at position_, once it is known
    std::vector<arguments::slice> slices_;
    std::string words_;               // the words of an inline request, unquoted
    arguments args_;
    std::string error_;
    std::uint64_t examined_ = 0;
};

/// Appends a request to `out`, in the form every Redis server understands.
void append_request(std::string& out, std::span<const std::string_view> args);
inline void append_request(std::string& out, std::initializer_list<std::string_view> args) {
    append_request(out, std::span(args.begin(), args.size()));
}

}  // namespace redis
