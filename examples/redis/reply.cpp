#include "reply.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "request.hpp"

namespace redis {

void reply_buffer::header(char kind, std::int64_t value) {
    char line[24];
    line[0] = kind;
    char* end = std::to_chars(line + 1, line + sizeof line - 2, value).ptr;
    *end++ = '\r';
    *end++ = '\n';
    text_.append(line, end);
}

void reply_buffer::simple(std::string_view text) {
    text_ += '+';
    text_.append(text).append("\r\n");
}

void reply_buffer::error(std::string_view text) {
    text_ += '-';
    const std::size_t begin = text_.size();
    text_.append(text);
    const auto first = text_.begin() + static_cast<std::ptrdiff_t>(begin);
    std::replace_if(first, text_.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
    text_.append("\r\n");
}

void reply_buffer::bulk(std::string_view value) {
    header('$', static_cast<std::int64_t>(value.size()));
    text_.append(value).append("\r\n");
}

void reply_buffer::raw(const weir::bytes& encoded) {
    if (encoded.size() < by_reference) {
        text_.append(encoded.view());
    } else {
        references_.push_back({text_.size(), encoded});
        referred_ += encoded.size();
    }
}

void reply_buffer::bulk(const weir::bytes& value) {
    header('$', static_cast<std::int64_t>(value.size()));
    raw(value);
    text_ += "\r\n";
}

void reply_buffer::map(std::size_t pairs) {
    if (resp3_) return header('%', static_cast<std::int64_t>(pairs));
    array(2 * pairs);
}

void reply_buffer::clear() {
    text_.clear();
    if (text_.capacity() > largest_idle) text_.shrink_to_fit();
    references_.clear();
    referred_ = 0;
    pieces_.clear();
}

std::span<const std::span<const std::byte>> reply_buffer::pieces() {
    const std::span text = std::as_bytes(std::span(text_));
    pieces_.clear();
    std::size_t done = 0;
    for (const reference& r : references_) {
        if (done < r.at) pieces_.push_back(text.subspan(done, r.at - done));
        pieces_.push_back(std::as_bytes(std::span(r.value.view())));
        done = r.at;
    }
    if (done < text.size()) pieces_.push_back(text.subspan(done));
    return pieces_;
}

std::string reply_buffer::joined() {
    std::string all;
    for (const auto piece : pieces()) {
        all.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    }
    return all;
}

bool reply_parser::take_line(std::string_view data, std::string_view& line) {
    const std::size_t end = data.find('\n', scanned_);
    const std::size_t stop = end == std::string_view::npos ? data.size() : end + 1;
    examined_ += stop - scanned_ + 1;
    scanned_ = stop;
    if (end == std::string_view::npos) return false;
    line = data.substr(position_, end - position_);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    position_ = stop;
    return true;
}

// Parses one element that is not an array, or the header of one that is.
reply_parser::result reply_parser::parse_element(std::string_view data, reply& out, bool& opened) {
    if (bulk_ == no_bulk) {
        std::string_view line;
        if (!take_line(data, line)) {
            const bool endless = data.size() - position_ > max_line_size;
            return endless ? fail("a line of the reply is too long") : result::incomplete;
        }
        if (line.empty()) return fail("an empty line where a reply should start");
        const result r = parse_line(line, out, opened);
        if (r != result::reply || bulk_ == no_bulk) return r;
    }
    return parse_bulk(data, out);
}

// The line of an element that is complete with it, or the header of one that is not.
reply_parser::result reply_parser::parse_line(std::string_view line, reply& out, bool& opened) {
    const char kind = line.front();
    line.remove_prefix(1);
    switch (kind) {
        case '+': out = reply(reply::type::simple, weir::bytes::copy_of(line)); return result::reply;
        case '-': out = reply(reply::type::error, weir::bytes::copy_of(line)); return result::reply;
        case ',':
        case '(': out = reply(reply::type::bulk, weir::bytes::copy_of(line)); return result::reply;
        case '_': out = reply(); return result::reply;
        case '#': out = reply(std::int64_t{line == "t"}); return result::reply;
        default: break;
    }
    const auto number = parse_integer(line);
    if (!number) return fail("a number of the reply cannot be read");
    if (kind == ':') {
        out = reply(*number);
        return result::reply;
    }
    const bool bulk = kind == '$' || kind == '=' || kind == '!';
    const bool aggregate = kind == '*' || kind == '%' || kind == '~' || kind == '>';
    if (!bulk && !aggregate) return fail("a reply of an unknown type");
    if (*number < -1 || *number > max_bulk_size) return fail("a length is out of range");
    if (*number == -1) {
        out = reply();
        return result::reply;
    }
    if (aggregate) return open_aggregate(kind, kind == '%' ? 2 * *number : *number, out, opened);
    bulk_ = *number;
    bulk_kind_ = kind;
    return result::reply;
}

reply_parser::result reply_parser::open_aggregate(char kind, std::int64_t size, reply& out,
                                                  bool& opened) {
    const auto type = kind == '>' ? reply::type::push : reply::type::array;
    if (size == 0) {
        out = reply(std::vector<reply>{}, type);
        return result::reply;
    }
    if (open_.size() == max_depth) return fail("arrays of the reply nest too deeply");
    open_.push_back({size, type, {}});
    opened = true;
    return result::reply;
}

reply_parser::result reply_parser::parse_bulk(std::string_view data, reply& out) {
    const auto length = static_cast<std::size_t>(bulk_);
    if (data.size() - position_ < length + 2) return result::incomplete;
    if (data.substr(position_ + length, 2) != "\r\n") return fail("a bulk string does not end");
    std::string_view text = data.substr(position_, length);
    // A verbatim string says first what it is: "txt:" or "mkd:".
    if (bulk_kind_ == '=') text.remove_prefix(std::min<std::size_t>(4, text.size()));
    const auto type = bulk_kind_ == '!' ? reply::type::error : reply::type::bulk;
    out = reply(type, weir::bytes::copy_of(text));
    position_ = scanned_ = position_ + length + 2;
    bulk_ = no_bulk;
    return result::reply;
}

reply_parser::result reply_parser::parse(std::string_view data) {
    if (finished_) {
        finished_ = false;
        position_ = scanned_ = 0;
    }
    while (true) {
        reply element;
        bool opened = false;
        const result r = parse_element(data, element, opened);
        if (r != result::reply) return r;
        if (!opened && close_element(std::move(element))) {
            finished_ = true;
            return result::reply;
        }
    }
}

// Adds an element to the innermost open array, which may complete it and those around it.
bool reply_parser::close_element(reply&& element) {
    while (!open_.empty()) {
        open_array& innermost = open_.back();
        innermost.elements.push_back(std::move(element));
        if (--innermost.missing > 0) return false;
        element = reply(std::move(innermost.elements), innermost.kind);
        open_.pop_back();
    }
    reply_ = std::move(element);
    return true;
}

reply_parser::result reply_parser::fail(std::string_view message) {
    error_ = message;
    return result::malformed;
}

}  // namespace redis
