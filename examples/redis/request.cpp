#include "request.hpp"

#include <charconv>
#include <limits>

namespace redis {

namespace {

bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

char unescape(char c) noexcept {
    switch (c) {
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        case 'b': return '\b';
        case 'a': return '\a';
        default: return c;
    }
}

// Appends the quoted string that starts at line[i] and moves i behind its closing quote. False:
// the quote does not end, or is not followed by a blank.
bool append_quoted(std::string_view line, std::size_t& i, std::string& out) {
    const char quote = line[i++];
    while (i < line.size() && line[i] != quote) {
        if (line[i] != '\\' || i + 1 == line.size()) {
            out += line[i++];
        } else if (quote == '\'') {
            // Single quotes know one escape only, the quote itself.
            if (line[i + 1] == '\'') ++i;
            out += line[i++];
        } else if (i + 3 < line.size() && line[i + 1] == 'x' && hex_digit(line[i + 2]) >= 0 &&
                   hex_digit(line[i + 3]) >= 0) {
            out += static_cast<char>(hex_digit(line[i + 2]) * 16 + hex_digit(line[i + 3]));
            i += 4;
        } else {
            out += unescape(line[i + 1]);
            i += 2;
        }
    }
    if (i == line.size()) return false;
    ++i;
    return i == line.size() || is_blank(line[i]);
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) noexcept {
    const std::size_t first = !text.empty() && text[0] == '-' ? 1 : 0;
    if (text.size() == first) return std::nullopt;
    if (text[first] == '0' && text.size() > 1) return std::nullopt;  // "-0" and "05"
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

bool equals_ignoring_case(std::string_view text, std::string_view upper) noexcept {
    if (text.size() != upper.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if ((c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) != upper[i]) return false;
    }
    return true;
}

request_parser::result request_parser::parse(std::string_view data) {
    if (state_ == state::finished) reset();
    if (data.empty()) return result::incomplete;
    if (state_ == state::start) {
        state_ = data.front() == '*' ? state::array_header : state::inline_line;
    }
    const result r = state_ == state::inline_line ? parse_inline(data) : parse_array(data);
    if (r == result::incomplete && data.size() > max_request_size) return fail({});
    return r;
}

void request_parser::reset() {
    state_ = state::start;
    position_ = 0;
    scanned_ = 0;
    bulk_ = no_bulk;
    slices_.clear();
    words_.clear();
    // One huge request must not cost its memory for as long as the connection lives.
    if (slices_.capacity() > 1024) slices_.shrink_to_fit();
}

// Both kinds of line end like a C string in redis-server: a NUL before the end hides it for ever.
request_parser::line_status request_parser::find_line(std::string_view data, char end,
                                                      std::string_view& line) {
    std::size_t i = scanned_;
    while (i < data.size() && data[i] != end && data[i] != '\0') ++i;
    examined_ += i - scanned_ + 1;
    scanned_ = i;
    const std::size_t length = i - position_;
    if (i < data.size() && data[i] == end && length <= max_line_size) {
        line = data.substr(position_, length);
        return line_status::found;
    }
    const bool hidden = i < data.size() && data[i] == '\0';
    const std::size_t pending = hidden ? data.size() - position_ : length;
    return pending > max_line_size ? line_status::too_long : line_status::incomplete;
}

// A header line ends at the CR and takes one more byte with it, whatever that byte is.
request_parser::line_status request_parser::take_header(std::string_view data,
                                                        std::string_view& line) {
    const line_status status = find_line(data, '\r', line);
    if (status != line_status::found) return status;
    if (data.size() - scanned_ < 2) return line_status::incomplete;
    position_ = scanned_ += 2;
    return line_status::found;
}

request_parser::result request_parser::parse_array(std::string_view data) {
    std::string_view line;
    if (state_ == state::array_header) {
        const line_status status = take_header(data, line);
        if (status != line_status::found) {
            return fail_at_line_end(status, "too big mbulk count string");
        }
        const auto count = parse_integer(line.substr(1));
        if (!count || *count > std::numeric_limits<std::int32_t>::max()) {
            return fail("invalid multibulk length");
        }
        missing_ = *count;
        state_ = state::array;
    }
    for (; missing_ > 0; --missing_) {
        if (bulk_ == no_bulk) {
            const line_status status = take_header(data, line);
            if (status != line_status::found) {
                return fail_at_line_end(status, "too big bulk count string");
            }
            if (line.empty() || line.front() != '$') {
                // An empty line means that the byte in the wrong place is the CR itself; it would
                // end the reply too early, so it is shown as a blank.
                const char got = line.empty() || line.front() == '\n' ? ' ' : line.front();
                return fail(std::string("expected '$', got '") + got + '\'');
            }
            const auto length = parse_integer(line.substr(1));
            if (!length || *length < 0 || *length > max_bulk_size) {
                return fail("invalid bulk length");
            }
            bulk_ = *length;
        }
        const auto length = static_cast<std::size_t>(bulk_);
        if (position_ + length > max_request_size) return fail({});
        if (data.size() - position_ < length + 2) return result::incomplete;
        slices_.push_back({static_cast<std::uint32_t>(position_),
                           static_cast<std::uint32_t>(length)});
        position_ = scanned_ = position_ + length + 2;
        bulk_ = no_bulk;
    }
    return finish(data.data());
}

request_parser::result request_parser::parse_inline(std::string_view data) {
    std::string_view line;
    const line_status status = find_line(data, '\n', line);
    if (status != line_status::found) return fail_at_line_end(status, "too big inline request");
    position_ = scanned_ + 1;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!split_words(line)) return fail("unbalanced quotes in request");
    return finish(words_.data());
}

// Splits a line at blanks. Quotes may start anywhere in a word: foo"bar" is one word, foobar.
bool request_parser::split_words(std::string_view line) {
    std::size_t i = 0;
    while (true) {
        while (i < line.size() && is_blank(line[i])) ++i;
        if (i == line.size()) return true;
        const std::size_t begin = words_.size();
        bool quoted = false;
        while (!quoted && i < line.size() && line[i] != ' ' && line[i] != '\t' && line[i] != '\r') {
            quoted = line[i] == '"' || line[i] == '\'';
            if (!quoted) {
                words_ += line[i++];
            } else if (!append_quoted(line, i, words_)) {
                return false;
            }
        }
        slices_.push_back({static_cast<std::uint32_t>(begin),
                           static_cast<std::uint32_t>(words_.size() - begin)});
    }
}

request_parser::result request_parser::finish(const char* base) {
    args_ = arguments(base, slices_);
    state_ = state::finished;
    return result::request;
}

request_parser::result request_parser::fail(std::string_view message) {
    error_.clear();
    if (!message.empty()) error_.append("ERR Protocol error: ").append(message);
    return result::malformed;
}

request_parser::result request_parser::fail_at_line_end(line_status status,
                                                        std::string_view message) {
    return status == line_status::incomplete ? result::incomplete : fail(message);
}

void append_request(std::string& out, std::span<const std::string_view> args) {
    const auto header = [&out](char kind, std::size_t n) {
        char digits[24];
        const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
        out += kind;
        out.append(digits, end).append("\r\n");
    };
    header('*', args.size());
    for (const std::string_view arg : args) {
        header('$', arg.size());
        out.append(arg).append("\r\n");
    }
}

}  // namespace redis
