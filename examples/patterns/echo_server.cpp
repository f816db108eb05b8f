// An echo server: a listener, a task for each connection, and a few clients at once.
//
//     echo_server          tests itself and ends
//     echo_server 7000     serves port 7000 of 127.0.0.1 until Ctrl-C

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <weir/bytes.hpp>
#include <weir/net.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/signal.hpp>
#include <weir/spawn.hpp>

namespace {

using weir::net::tcp_listener;
using weir::net::tcp_stream;

// Sends back what comes, until the client has said all it wanted to say.
weir::task<void> echo(tcp_stream stream) {
    weir::byte_buffer buffer;
    while (true) {
        const auto received = co_await stream.read_some(buffer);
        if (!received || *received == 0) co_return;
        const auto sent = co_await stream.write_all(buffer.view());
        if (!sent) co_return;
        buffer.clear();
    }
}

weir::task<void> serve(tcp_listener listener) {
    while (true) {
        auto accepted = co_await listener.accept();
        if (accepted) weir::spawn(echo(std::move(accepted->stream))).detach();
    }
}

// Says something and returns what comes back.
weir::task<std::string> ask(weir::net::endpoint server, std::string text) {
    auto stream = (co_await tcp_stream::connect(server)).value();
    (co_await stream.write_all(text)).value();
    std::string answer(text.size(), ' ');
    (co_await stream.read_exact(answer)).value();
    co_return answer;
}

weir::task<int> test_itself() {
    auto listener = (co_await tcp_listener::bind("127.0.0.1", 0)).value();
    const auto address = listener.local_endpoint().value();
    auto server = weir::spawn(serve(std::move(listener)));
    std::vector<weir::join_handle<std::string>> clients;
    for (int i = 0; i < 10; ++i) {
        clients.push_back(weir::spawn(ask(address, "hello from client " + std::to_string(i))));
    }
    std::string last;
    for (auto& client : clients) last = co_await client;
    std::cout << clients.size() << " clients, the last one got: " << last << '\n';
    server.abort();
    co_return last == "hello from client 9" ? EXIT_SUCCESS : EXIT_FAILURE;
}

weir::task<int> serve_port(std::uint16_t port) {
    auto listener = (co_await tcp_listener::bind("127.0.0.1", port)).value();
    std::cout << "echoing on port " << port << std::endl;
    co_await weir::select(serve(std::move(listener)), weir::ctrl_c());
    co_return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return weir::block_on(test_itself());
    return weir::block_on(serve_port(static_cast<std::uint16_t>(std::atoi(argv[1]))));
}
