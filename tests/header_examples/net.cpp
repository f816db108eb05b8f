// The examples of the headers of sockets and signals. Compiled, never run.

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include <weir/net.hpp>
#include <weir/select.hpp>
#include <weir/signal.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

using namespace std::chrono_literals;

namespace header_examples {

void use(const std::string&);

void endpoint() {
    auto const local = weir::net::endpoint::parse("127.0.0.1", 6379).value();
    std::string const text = local.to_string();      // "127.0.0.1:6379"
    use(text);
}

weir::task<std::error_code> tcp_stream() {
    auto connected = co_await weir::net::tcp_stream::connect("127.0.0.1", 6379);
    if (!connected) co_return connected.error();
    weir::net::tcp_stream stream = std::move(*connected);
    auto sent = co_await stream.write_all("PING\r\n");
    weir::byte_buffer in;
    while (in.view().find('\n') == in.view().npos) {
        auto n = co_await stream.read_some(in);
        if (!n || *n == 0) break;                      // an error, or the end of the stream
    }
    co_return sent ? std::error_code() : sent.error();
}

weir::task<> serve(weir::net::tcp_stream);
void publish(std::uint16_t);

weir::task<> tcp_listener() {
    auto bound = co_await weir::net::tcp_listener::bind("127.0.0.1", 0);   // 0: any free port
    weir::net::tcp_listener listener = std::move(bound).value();
    std::uint16_t const port = listener.local_endpoint().value().port();
    for (;;) {
        auto a = co_await listener.accept();
        if (a) weir::spawn(serve, std::move(a->stream)).detach();
        else co_await weir::sleep_for(50ms);            // out of descriptors: let some go first
    }
    publish(port);
}

weir::task<> serve(weir::net::tcp_listener);

weir::task<> signal(weir::net::tcp_listener listener) {
    co_await weir::select(serve(std::move(listener)), weir::ctrl_c());

    auto terminate = weir::signal(SIGTERM);      // listens from here on
    co_await terminate;
}

}  // namespace header_examples
