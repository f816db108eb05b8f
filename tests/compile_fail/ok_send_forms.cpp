// The forms that pass a value safely on every compiler.
#include <memory>
#include <string>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/task.hpp>

struct get_cmd {
    std::string key;
    weir::oneshot::sender<int> reply;
};

class with_constructor {
public:
    with_constructor(std::string k, weir::oneshot::sender<int> r)
        : key(std::move(k)), reply(std::move(r)) {}
    std::string key;
    weir::oneshot::sender<int> reply;
};

struct trivial {
    int a;
    int b;
};

weir::task<> named(weir::mpsc::sender<get_cmd> tx) {
    auto [resp_tx, resp_rx] = weir::oneshot::channel<int>();
    get_cmd cmd{"key", std::move(resp_tx)};
    auto sent = co_await tx.send(weir::take(cmd));
    static_cast<void>(sent.has_value());
}

weir::task<> constructed(weir::mpsc::sender<with_constructor> tx) {
    auto [resp_tx, resp_rx] = weir::oneshot::channel<int>();
    auto sent = co_await tx.send(with_constructor("key", std::move(resp_tx)));
    static_cast<void>(sent.has_value());
}

weir::task<> plain(weir::mpsc::sender<trivial> tx, weir::mpsc::sender<std::unique_ptr<int>> tx2) {
    auto sent = co_await tx.send(trivial{1, 2});
    auto sent2 = co_await tx2.send(std::make_unique<int>(3));
    static_cast<void>(sent.has_value() && sent2.has_value());
}
