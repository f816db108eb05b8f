#pragma once
// The Redis protocol: the parsers see the same in whatever pieces the bytes come, and the parser of
// requests sees what one sees that looks at everything from the beginning each time.

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../examples/redis/reply.hpp"
#include "../../examples/redis/request.hpp"
#include "fuzz.hpp"

namespace weir_fuzz {

// What a stream of bytes was taken for: one line for each request or reply, and for an error.
using reading = std::vector<std::string>;

inline std::string bracketed(std::string_view text) {
    return '<' + std::string(text) + '>';
}

// A parser of requests that keeps nothing from one look to the next.
class naive_requests {
public:
    explicit naive_requests(std::string_view data) : data_(data) {
        while (at_ < data_.size() && next()) {
        }
    }
    reading seen;

private:
    static constexpr std::size_t longest = redis::max_line_size;

    bool next() { return data_[at_] == '*' ? array() : line(); }

    bool malformed(const std::string& why) {
        seen.push_back("ERR Protocol error: " + why);
        return false;
    }
    // The end of what a C string function would call a line, from `from` on.
    std::optional<std::size_t> line_end(std::size_t from, char end, bool& too_long) const {
        const std::size_t i = data_.find_first_of(std::string{end, '\0'}, from);
        const bool found = i != data_.npos && data_[i] == end;
        too_long = (found ? i : data_.size()) - from > longest;
        if (!found || too_long) return std::nullopt;
        return i;
    }

    bool array() {
        bool too_long = false;
        std::size_t at = at_;
        const auto header = line_end(at, '\r', too_long);
        if (too_long) return malformed("too big mbulk count string");
        if (!header || *header + 2 > data_.size()) return false;
        const auto count = redis::parse_integer(data_.substr(at + 1, *header - at - 1));
        if (!count || *count > 0x7fffffff) return malformed("invalid multibulk length");
        at = *header + 2;
        std::string request;
        for (std::int64_t i = 0; i < *count; ++i) {
            const auto end = line_end(at, '\r', too_long);
            if (too_long) return malformed("too big bulk count string");
            if (!end || *end + 2 > data_.size()) return false;
            const std::string_view text = data_.substr(at, *end - at);
            if (text.empty() || text[0] != '$')
                return malformed(std::string("expected '$', got '") +
                                 (text.empty() || text[0] == '\n' ? ' ' : text[0]) + '\'');
            const auto size = redis::parse_integer(text.substr(1));
            if (!size || *size < 0 || *size > redis::max_bulk_size)
                return malformed("invalid bulk length");
            at = *end + 2;
            if (data_.size() - at < static_cast<std::size_t>(*size) + 2) return false;
            request += bracketed(data_.substr(at, static_cast<std::size_t>(*size)));
            at += static_cast<std::size_t>(*size) + 2;
        }
        seen.push_back(request);
        at_ = at;
        return true;
    }

    bool line() {
        bool too_long = false;
        const auto end = line_end(at_, '\n', too_long);
        if (too_long) return malformed("too big inline request");
        if (!end) return false;
        std::string text(data_.substr(at_, *end - at_));
        if (!text.empty() && text.back() == '\r') text.pop_back();
        const auto request = words(text);
        if (!request) return malformed("unbalanced quotes in request");
        seen.push_back(*request);
        at_ = *end + 1;
        return true;
    }

    static bool blank(char c) {
        return std::string_view(" \t\n\v\f\r").find(c) != std::string_view::npos;
    }
    static bool is_hex(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

    // One character at a time, with a state for what is open.
    static std::optional<std::string> words(const std::string& text) {
        std::string request, word;
        char open = 0;
        bool in_word = false;
        const auto end_word = [&] {
            request += bracketed(word);
            word.clear();
            in_word = false;
        };
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char c = text[i];
            const std::string_view rest = std::string_view(text).substr(i);
            if (open == 0) {
                if (!in_word && blank(c)) continue;
                if (in_word && (c == ' ' || c == '\t' || c == '\r')) {
                    end_word();
                    continue;
                }
                in_word = true;
                if (c == '"' || c == '\'')
                    open = c;
                else
                    word += c;
            } else if (c == open) {
                if (rest.size() > 1 && !blank(rest[1])) return std::nullopt;
                open = 0;
                end_word();
            } else if (c != '\\' || rest.size() == 1) {
                word += c;
            } else if (open == '\'') {
                word += rest[1] == '\'' ? '\'' : '\\';
                i += rest[1] == '\'' ? 1 : 0;
            } else if (rest.size() > 3 && rest[1] == 'x' && is_hex(rest[2]) && is_hex(rest[3])) {
                word += static_cast<char>(std::stoi(std::string(rest.substr(2, 2)), nullptr, 16));
                i += 3;
            } else {
                static constexpr std::string_view letters = "nrtba", meant = "\n\r\t\b\a";
                const std::size_t known = letters.find(rest[1]);
                word += known == letters.npos ? rest[1] : meant[known];
                ++i;
            }
        }
        if (open != 0) return std::nullopt;
        if (in_word) end_word();
        return request;
    }

    std::string_view data_;
    std::size_t at_ = 0;
};

inline std::string shown(redis::request_parser& parser) {
    std::string line;
    for (std::size_t i = 0; i < parser.args().size(); ++i) line += bracketed(parser.args()[i]);
    return line;
}
inline std::string shown(const redis::reply& r) {
    if (r.kind() != redis::reply::type::array)
        return std::to_string(static_cast<int>(r.kind())) + bracketed(r.view()) +
               std::to_string(r.integer());
    std::string line = "[";
    for (const redis::reply& element : r.elements()) line += shown(element);
    return line + ']';
}
inline std::string shown(redis::reply_parser& parser) { return shown(parser.take()); }

// Reads `data` as it arrives in pieces that `sizes` draws; 0 bytes at a time are all at once.
template <class Parser>
reading read_in_pieces(std::string_view data, std::uint64_t sizes) {
    Parser parser;
    reading seen;
    std::string buffer;  // moved about, so that a pointer into it would be caught
    std::size_t parsed = 0;
    while (!data.empty() || !buffer.empty()) {
        sizes = sizes * 6364136223846793005u + 1442695040888963407u;
        const bool all = sizes == 1442695040888963407u;
        const std::size_t piece =
            all ? data.size() : std::min<std::size_t>(1 + sizes % 7, data.size());
        buffer += data.substr(0, piece);
        data.remove_prefix(piece);
        for (bool more = !buffer.empty(); more;) {
            const auto result = parser.parse(buffer);
            more = false;
            if (result == Parser::result::malformed) {
                seen.emplace_back(parser.error());
                return seen;
            }
            if (result == Parser::result::incomplete) break;
            seen.push_back(shown(parser));
            parsed += parser.size();
            buffer.erase(0, parser.size());
            buffer = std::string(buffer);
            more = !buffer.empty();
        }
        if (piece == 0) break;
    }
    // Each byte is looked at once, and a second time at most where a header ends.
    require(parser.examined() <= 4 * (parsed + buffer.size() + 64) + 8 * seen.size(),
            "the parser looks at bytes again and again");
    return seen;
}

inline void resp(input bytes) {
    reader in(bytes);
    const std::uint64_t sizes = 1 + in.byte();
    const std::string data = in.text();

    const reading requests = read_in_pieces<redis::request_parser>(data, 0);
    require(requests == read_in_pieces<redis::request_parser>(data, sizes),
            "the requests depend on how the bytes were cut");
    require(requests == naive_requests(data).seen, "the requests are not those of a plain reading");

    const reading replies = read_in_pieces<redis::reply_parser>(data, 0);
    require(replies == read_in_pieces<redis::reply_parser>(data, sizes),
            "the replies depend on how the bytes were cut");
}

}  // namespace weir_fuzz
