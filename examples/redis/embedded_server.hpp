#pragma once
// Our server inside another program, on a thread and a runtime of its own.

#include <cstdint>
#include <exception>
#include <future>
#include <thread>
#include <utility>

#include <weir/net.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/task.hpp>

#include "server.hpp"

namespace redis {

/// Runs a server on a free port of 127.0.0.1 from its constructor to its destructor.
class embedded_server {
public:
    explicit embedded_server(server_options options = {})
        : embedded_server(options, weir::oneshot::channel<bool>()) {}
    embedded_server(const embedded_server&) = delete;
    embedded_server& operator=(const embedded_server&) = delete;
    ~embedded_server() {
        static_cast<void>(stop_.send(true));
        thread_.join();
    }

    std::uint16_t port() const noexcept { return port_; }

private:
    using stop_sender = weir::oneshot::sender<bool>;
    using stop_receiver = weir::oneshot::receiver<bool>;

    embedded_server(server_options options, std::pair<stop_sender, stop_receiver> stop)
        : stop_(std::move(stop.first)) {
        std::promise<std::uint16_t> ready;
        auto port = ready.get_future();
        thread_ = std::thread([&ready, options, told = std::move(stop.second)]() mutable {
            weir::block_on(run(std::move(told), options, ready));
        });
        port_ = port.get();
    }

    // A oneshot may be sent from any thread and awaited on any runtime: here it crosses over.
    static weir::task<void> until_told(stop_receiver stop) { co_await stop; }

    static weir::task<void> run(stop_receiver stop, server_options options,
                                std::promise<std::uint16_t>& ready) {
        auto listener = co_await weir::net::tcp_listener::bind("127.0.0.1", 0);
        ready.set_value(listener.value().local_endpoint().value().port());
        co_await serve(std::move(*listener), until_told(std::move(stop)), options);
    }

    stop_sender stop_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace redis
