#pragma once
// Why a command has no result.

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include <weir/expected.hpp>

namespace redis {

/// The server said no, or the connection broke.
class failure {
public:
    /// An error of the connection. `sent`: the request may have reached the server, and may have
    /// been executed; nobody knows, so it is the caller's to decide whether it may be repeated.
    explicit failure(std::error_code code, bool sent = true)
        : code_(code), text_(code.message()), sent_(sent) {}
    /// An error that the server answered.
    explicit failure(std::string text) : text_(std::move(text)) {}

    /// The error of the connection; zero when the server answered with an error.
    std::error_code code() const noexcept { return code_; }
    const std::string& text() const noexcept { return text_; }
    bool was_sent() const noexcept { return sent_; }
    /// The first word of the server's error, in capitals: ERR, MOVED, WRONGTYPE.
    std::string_view kind() const noexcept {
        return code_ ? std::string_view() : std::string_view(text_).substr(0, text_.find(' '));
    }

private:
    std::error_code code_;
    std::string text_;
    bool sent_ = true;
};

template <class T>
using result = weir::expected<T, failure>;

}  // namespace redis
