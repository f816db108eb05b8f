// console [PORT]: a page that shows the tasks, channels and workers of this very program, live.
//
//     ./build/examples/console/weir-console 8080
//     http://127.0.0.1:8080
//
// What is served is runtime_handle::dump() as JSON, once a second, to a page that draws it. To add
// it to a program, spawn `serve` there.

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <weir/weir.hpp>

#include "page.hpp"

using namespace std::chrono_literals;

namespace {

// -- the console ---------------------------------------------------------------------------------

std::string response(std::string_view type, std::string_view body) {
    std::string text = "HTTP/1.1 200 OK\r\nContent-Type: ";
    text.append(type).append("\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: ");
    return text.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

// One request of one line that matters; the connection closes with the answer.
weir::task<> answer(weir::net::tcp_stream stream) {
    std::string request;
    while (request.find("\r\n\r\n") == request.npos && request.size() < 8192) {
        char part[1024];
        const auto got = co_await stream.read_some(std::as_writable_bytes(std::span(part)));
        if (!got || *got == 0) co_return;
        request.append(part, *got);
    }
    const std::string text =
        request.starts_with("GET /dump.json ")
            ? response("application/json", weir::runtime_handle::current().dump().to_json())
            : response("text/html; charset=utf-8", console_page);
    const auto written = co_await stream.write_all(std::as_bytes(std::span(text)));
    if (!written) co_return;
    static_cast<void>(stream.shutdown());
}

weir::task<> serve(weir::net::tcp_listener listener) {
    for (;;) {
        auto accepted = co_await listener.accept();
        if (!accepted) co_return;
        weir::spawn_options options{.name = "console: request"};
        weir::spawn(options, answer(std::move(accepted->stream))).detach();
    }
}

// -- something to look at --------------------------------------------------------------------------

weir::task<> produces(weir::mpsc::sender<int> out) {
    for (int i = 0;; ++i) {
        const auto sent = co_await out.send(i);
        if (!sent) co_return;
    }
}
weir::task<> consumes(weir::mpsc::receiver<int> in, weir::mutex<long>& sum) {
    for (;;) {
        const auto value = co_await in.recv();
        if (!value) co_return;
        auto total = co_await sum.lock();
        *total += *value;
        co_await weir::sleep_for(50ms);  // a slow consumer, with the lock held
    }
}
weir::task<> reports(weir::mutex<long>& sum) {
    for (;;) {
        co_await weir::sleep_for(200ms);
        const auto total = co_await sum.lock();
        static_cast<void>(*total);
    }
}
// Two of these wait for each other: the console says so.
weir::task<> locks_both(weir::mutex<>& first, weir::mutex<>& second) {
    auto one = co_await first.lock();
    co_await weir::sleep_for(100ms);
    auto two = co_await second.lock();
}

struct workload {
    weir::mutex<long> sum{0L};
    weir::mutex<> left, right;
};

template <class Task>
void start(const char* name, Task task) {
    weir::spawn_options options{.name = name};
    weir::spawn(options, std::move(task)).detach();
}

weir::task<int> async_main(std::uint16_t port, workload& work) {
    auto listener = co_await weir::net::tcp_listener::bind("127.0.0.1", port);
    if (!listener) {
        std::cerr << "cannot listen: " << listener.error().message() << '\n';
        co_return 1;
    }
    std::cout << "http://127.0.0.1:" << listener->local_endpoint().value().port() << std::endl;
    start("console", serve(std::move(*listener)));

    auto [tx, rx] = weir::mpsc::channel<int>(16);
    start("producer", produces(std::move(tx)));
    start("consumer", consumes(std::move(rx), work.sum));
    start("reporter", reports(work.sum));
    start("left", locks_both(work.left, work.right));
    start("right", locks_both(work.right, work.left));
    co_await weir::ctrl_c();
    co_return 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::uint16_t port = 0;  // any that is free
    if (argc > 1) std::from_chars(argv[1], argv[1] + std::strlen(argv[1]), port);
    workload work;
    weir::multi_thread_runtime rt;
    return rt.block_on(async_main(port, work));
}
