#pragma once
// A database connection for the tutorial: like a real one it waits for each answer and serves one
// request at a time; unlike a real one it lives in this process, so the programs need no server.

#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>

#include <weir/bytes.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

class toy_client {
public:
    static weir::task<toy_client> connect() {
        co_await weir::yield_now();
        co_return toy_client();
    }

    // One connection has one owner: it moves, and a copy does not compile.
    toy_client(toy_client&&) = default;
    toy_client& operator=(toy_client&&) = default;
    toy_client(const toy_client&) = delete;
    toy_client& operator=(const toy_client&) = delete;

    weir::task<std::optional<weir::bytes>> get(std::string key) {
        const request current(busy_);
        co_await weir::yield_now();  // the round trip to the server
        const auto found = data_.find(key);
        if (found == data_.end()) co_return std::nullopt;
        co_return found->second;
    }

    weir::task<void> set(std::string key, weir::bytes value) {
        const request current(busy_);
        co_await weir::yield_now();
        data_.insert_or_assign(std::move(key), std::move(value));
    }

private:
    // Two requests at once would mix their bytes on the wire and take each other's answers.
    class request {
    public:
        explicit request(bool& busy) : busy_(busy) {
            if (busy_) {
                throw std::logic_error("client in use: await one request before the next");
            }
            busy_ = true;
        }
        ~request() { busy_ = false; }
        request(const request&) = delete;
        request& operator=(const request&) = delete;

    private:
        bool& busy_;
    };

    toy_client() = default;

    std::unordered_map<std::string, weir::bytes> data_;
    bool busy_ = false;
};
