#pragma once
// From a host and a port to addresses, without blocking the event loop.
//
// A numeric address is one at once. For a name, getaddrinfo runs on a thread of its own that lives
// for that one question, since it blocks and cannot be cancelled; the end of a pipe says that it is
// done. Who has stopped waiting by then is not missed.

#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <weir/detail/core/sync.hpp>
#include <weir/detail/net/socket.hpp>
#include <weir/net/endpoint.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class resolver {
public:
    /// A numeric host is resolved here, a name when start() is called. No host means any address.
    resolver(std::string_view host, std::uint16_t port) : port_(port) {
        if (const auto numeric = net::endpoint::parse(host.empty() ? "0.0.0.0" : host, port))
            found_.push_back(*numeric);
        else
            name_ = host;
    }
    explicit resolver(const net::endpoint& address) : port_(address.port()) {
        found_.push_back(address);
    }

    [[nodiscard]] bool is_done() const noexcept { return !found_.empty(); }
    [[nodiscard]] const std::vector<net::endpoint>& addresses() const noexcept { return found_; }

    /// In a simulation, a name is known at once.
    std::error_code finish(simulated_network& network) noexcept {
        WEIR_TRY {
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(port_);
            address.sin_addr.s_addr = htonl(network.resolve(name_));
            found_.push_back(*net::endpoint::from_native(reinterpret_cast<sockaddr*>(&address),
                                                         sizeof address));
        }
        WEIR_CATCH_ALL { return std::make_error_code(std::errc::not_enough_memory); }
        return {};
    }

    /// Asks; the source that is returned becomes readable when there is an answer.
    expected<io_ref, std::error_code> start() noexcept {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return last_error();
        io_ref readable(ends[0]);
        const int write_end = ends[1];
        std::error_code error = std::make_error_code(std::errc::not_enough_memory);
        WEIR_TRY {
            if (readable) {
                question_ = std::make_shared<question>(name_, port_);
                sync::thread(&ask, question_, write_end).detach();
                return readable;
            }
        }
        WEIR_CATCH_ALL { error = std::make_error_code(std::errc::resource_unavailable_try_again); }
        ::close(write_end);
        return unexpected(error);
    }

    /// Takes the answer; the error is getaddrinfo's.
    std::error_code finish() noexcept {
        scoped_lock guard(question_->mutex);
        found_ = std::move(question_->found);
        if (question_->error) return question_->error;
        if (found_.empty()) return net::error::no_address;
        return {};
    }

private:
    struct question {
        question(std::string n, std::uint16_t p) : name(std::move(n)), port(p) {}

        const std::string name;
        const std::uint16_t port;
        sync::mutex mutex;  // guards the answer
        std::vector<net::endpoint> found;
        std::error_code error;
    };

    static void ask(std::shared_ptr<question> q, int done) noexcept {
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* list = nullptr;
        const std::string port = std::to_string(q->port);
        const int failure = ::getaddrinfo(q->name.c_str(), port.c_str(), &hints, &list);
        {
            scoped_lock guard(q->mutex);
            if (failure == EAI_SYSTEM)
                q->error = std::error_code(errno, std::system_category());
            else if (failure != 0)
                q->error = std::error_code(failure, net::resolver_category());
            for (const addrinfo* a = list; a != nullptr; a = a->ai_next)
                if (const auto e = net::endpoint::from_native(a->ai_addr, a->ai_addrlen))
                    q->found.push_back(*e);
        }
        if (list != nullptr) ::freeaddrinfo(list);
        q.reset();
        ::close(done);
    }

    std::string name_;
    std::uint16_t port_;
    std::vector<net::endpoint> found_;
    std::shared_ptr<question> question_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
