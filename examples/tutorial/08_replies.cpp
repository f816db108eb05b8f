// 8. Replies: each command carries the way back.
//
// A oneshot channel takes exactly one value. The asking task keeps the receiver and puts the sender
// into the command; the manager answers through it. This is the whole pattern.

#include <cstdlib>
#include <iostream>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include <weir/bytes.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "toy_client.hpp"

template <class T>
using responder = weir::oneshot::sender<T>;

struct get_command {
    get_command(std::string k, responder<std::optional<weir::bytes>> r)
        : key(std::move(k)), reply(std::move(r)) {}
    std::string key;
    responder<std::optional<weir::bytes>> reply;
};
struct set_command {
    set_command(std::string k, weir::bytes v, responder<bool> r)
        : key(std::move(k)), value(std::move(v)), reply(std::move(r)) {}
    std::string key;
    weir::bytes value;
    responder<bool> reply;
};
using command = std::variant<get_command, set_command>;

// Returns how many answers nobody waited for.
weir::task<int> manage(weir::mpsc::receiver<command> rx) {
    toy_client client = co_await toy_client::connect();
    int unwanted = 0;
    while (auto cmd = co_await rx.recv()) {
        // Answering never waits. It fails, and gives the answer back, when the receiver is gone:
        // an asker may lose interest, so the manager goes on.
        if (auto* get = std::get_if<get_command>(&*cmd)) {
            auto value = co_await client.get(get->key);
            if (!get->reply.send(std::move(value))) ++unwanted;
        } else if (auto* set = std::get_if<set_command>(&*cmd)) {
            co_await client.set(set->key, set->value);
            if (!set->reply.send(true)) ++unwanted;
        }
    }
    co_return unwanted;
}

weir::task<bool> set(weir::mpsc::sender<command> tx, std::string key, std::string value) {
    auto [reply_tx, reply] = weir::oneshot::channel<bool>();
    set_command cmd(std::move(key), weir::bytes(std::move(value)), std::move(reply_tx));
    (co_await tx.send(std::move(cmd))).value();  // waits while 32 are queued
    auto answer = co_await reply;  // nothing, if the manager went without answering
    co_return answer.value_or(false);
}

weir::task<std::string> get(weir::mpsc::sender<command> tx, std::string key) {
    auto [reply_tx, reply] = weir::oneshot::channel<std::optional<weir::bytes>>();
    (co_await tx.send(get_command(std::move(key), std::move(reply_tx)))).value();
    auto answer = co_await reply;
    if (!answer) co_return "the manager is gone";
    co_return *answer ? (*answer)->to_string() : std::string("(nil)");
}

weir::task<int> async_main() {
    auto [tx, rx] = weir::mpsc::channel<command>(32);
    auto manager = weir::spawn(manage(std::move(rx)));

    auto t1 = weir::spawn(get(tx, "hello"));
    auto t2 = weir::spawn(set(tx, "foo", "bar"));
    const std::string hello = co_await t1;
    std::cout << "GET hello   -> " << hello << '\n';
    const bool stored = co_await t2;
    std::cout << "SET foo bar -> " << (stored ? "OK" : "failed") << '\n';

    const std::string foo = co_await get(tx, "foo");
    std::cout << "GET foo     -> " << foo << '\n';

    {
        auto last = std::move(tx);  // the last sender: the manager ends after this command
        auto [reply_tx, reply] = weir::oneshot::channel<std::optional<weir::bytes>>();
        (co_await last.send(get_command("foo", std::move(reply_tx)))).value();
    }  // leaves, and with it the receiver of the reply
    const int unwanted = co_await manager;
    std::cout << "answers that nobody waited for: " << unwanted << '\n';
    const bool ok = hello == "(nil)" && stored && foo == "bar" && unwanted == 1;
    co_return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
