// 7. The manager task: one task owns the client, the others send it commands.
//
// The manager has the connection for itself, so its requests never overlap. The channel is its
// queue: while a request is under way, the next commands collect there.

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>
#include <variant>

#include <weir/bytes.hpp>
#include <weir/mpsc.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "toy_client.hpp"

// What the manager can be asked. Give such types a constructor: g++ 12 destroys a temporary
// aggregate twice when it is made inside a co_await expression, and weir refuses to compile that.
struct get_command {
    explicit get_command(std::string k) : key(std::move(k)) {}
    std::string key;
};
struct set_command {
    set_command(std::string k, weir::bytes v) : key(std::move(k)), value(std::move(v)) {}
    std::string key;
    weir::bytes value;
};
using command = std::variant<get_command, set_command>;

// The receiver moves into the task. Returns how many commands it carried out.
weir::task<int> manage(weir::mpsc::receiver<command> rx) {
    toy_client client = co_await toy_client::connect();
    int done = 0;
    while (auto cmd = co_await rx.recv()) {
        if (auto* get = std::get_if<get_command>(&*cmd)) {
            auto value = co_await client.get(get->key);
            std::cout << "manager: GET " << get->key << " -> " << (value ? value->view() : "(nil)")
                      << '\n';
        } else if (auto* set = std::get_if<set_command>(&*cmd)) {
            co_await client.set(set->key, set->value);
            std::cout << "manager: SET " << set->key << ' ' << set->value.view() << '\n';
        }
        ++done;
    }
    std::cout << "manager: every sender is gone, the connection closes\n";
    co_return done;
}

weir::task<void> ask(weir::mpsc::sender<command> tx, command cmd) {
    (co_await tx.send(std::move(cmd))).value();
}

weir::task<int> async_main() {
    auto [tx, rx] = weir::mpsc::channel<command>(32);
    auto tx2 = tx;
    auto manager = weir::spawn(manage(std::move(rx)));
    auto t1 = weir::spawn(ask(std::move(tx), get_command("hello")));
    auto t2 = weir::spawn(ask(std::move(tx2), set_command("foo", weir::bytes::from_static("bar"))));

    // Await all three: what still runs when block_on returns is destroyed unfinished.
    co_await t1;
    co_await t2;
    const int done = co_await manager;
    co_return done == 2 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
