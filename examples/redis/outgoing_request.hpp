#pragma once
// What a client asks: a request, encoded where it is made.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "request.hpp"

namespace redis {

/// A request as it travels, and the key that says which node of a cluster it is for.
class request {
public:
    /// `args[0]` is the command, `args[1]`, where there is one, the key.
    explicit request(std::initializer_list<std::string_view> args)
        : key_(args.size() > 1 ? std::string(args.begin()[1]) : std::string()) {
        append_request(encoded_, args);
    }

    const std::string& key() const noexcept { return key_; }

    /// Makes a cluster node answer although it is only about to get the key: see ASK.
    void ask() {
        if (replies_ == 1) encoded_.insert(0, "*1\r\n$6\r\nASKING\r\n");
        replies_ = 2;
    }
    /// How many replies come back; the last one is the request's own.
    std::size_t replies() const noexcept { return replies_; }
    std::string_view encoded() const noexcept { return encoded_; }

private:
    std::string key_;
    std::string encoded_;
    std::size_t replies_ = 1;
};

}  // namespace redis
