// 11. A bounded accept loop: at most two connections are served at once.
//
// A server must bound its open sockets as it bounds its queues. The accept loop takes a permit
// before it accepts, and the permit leaves with the connection's task. A client too many can
// connect, since the kernel completes the handshake, but nobody serves it until another one leaves.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <weir/net.hpp>
#include <weir/runtime.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

struct statistics {
    int served = 0;  // connections so far
    int now = 0;
    int most = 0;
};

// Greets, and echoes until the client leaves. The permit is a parameter, so it goes back when the
// task ends, in whatever way.
weir::task<void> serve(weir::net::tcp_stream stream,
                       [[maybe_unused]] weir::semaphore::owned_permit permit,
                       std::shared_ptr<statistics> seen) {
    ++seen->served;
    seen->most = std::max(seen->most, ++seen->now);
    std::array<char, 64> buffer{'h', 'e', 'l', 'l', 'o'};
    std::size_t size = 5;
    while (size > 0) {
        auto written = co_await stream.write_all(std::string_view(buffer.data(), size));
        if (!written) break;
        auto got = co_await stream.read_some(buffer);
        size = got.value_or(0);  // 0: the client has left
    }
    --seen->now;
}

weir::task<void> accept_loop(weir::net::tcp_listener listener,
                             std::shared_ptr<weir::semaphore> limit,
                             std::shared_ptr<statistics> seen) {
    for (;;) {
        auto permit = co_await weir::semaphore::acquire_owned(limit);
        auto accepted = co_await listener.accept();
        if (!permit || !accepted) co_return;
        weir::spawn(serve(std::move(accepted->stream), std::move(*permit), seen)).detach();
    }
}

// Reads the five bytes of a greeting or of an echo.
weir::task<std::string> receive(weir::net::tcp_stream& stream) {
    std::string text(5, ' ');
    auto got = co_await stream.read_exact(text);
    co_return got ? text : "nothing";
}

weir::task<int> async_main() {
    auto listener = (co_await weir::net::tcp_listener::bind("127.0.0.1", 0)).value();
    const auto address = listener.local_endpoint().value();
    auto seen = std::make_shared<statistics>();
    auto limit = std::make_shared<weir::semaphore>(2);
    auto server = weir::spawn(accept_loop(std::move(listener), limit, seen));

    auto a = co_await weir::net::tcp_stream::connect(address);
    auto b = co_await weir::net::tcp_stream::connect(address);
    std::cout << "first client gets:  " << co_await receive(a.value()) << '\n';
    std::cout << "second client gets: " << co_await receive(b.value()) << '\n';

    auto c = co_await weir::net::tcp_stream::connect(address);
    std::cout << "third client connects: " << (c ? "yes" : "no") << '\n';
    // Ask the first one for an echo: the server is at work, and leaves the third alone.
    (co_await a->write_all("ping!")).value();
    std::cout << "first client gets:  " << co_await receive(a.value()) << '\n';
    const bool held = seen->served == 2 && limit->available_permits() == 0;
    std::cout << "served so far: " << seen->served << '\n';

    std::cout << "the first client leaves\n";
    { const auto leaving = std::move(a.value()); }
    std::cout << "third client gets:  " << co_await receive(c.value()) << '\n';
    std::cout << "served in all: " << seen->served << ", at most " << seen->most << " at once\n";

    server.abort();
    co_return held && seen->served == 3 && seen->most == 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
