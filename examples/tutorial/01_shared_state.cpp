// 1. Shared state: one map behind a mutex, used by two connections.
//
// Plain data needs no task of its own. A lock that is held for one lookup is enough, and it is an
// ordinary blocking lock on purpose: nothing inside it waits, so nobody waits long for it.

#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>

#include <weir/bytes.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/synchronized.hpp>
#include <weir/task.hpp>

// `synchronized` is a std::mutex together with the data it guards. The pointer around it is the
// handle: a copy is cheap, and every copy reaches the same map.
using map = std::unordered_map<std::string, weir::bytes>;
using db = std::shared_ptr<weir::synchronized<map>>;

// What a server runs for each connection; `request` stands for what arrived on its socket. Handle
// and request are parameters, not captures or references: the task owns what it uses.
weir::task<std::string> process(std::string request, db state) {
    std::istringstream words(std::move(request));
    std::string verb, key, value;
    words >> verb >> key >> value;

    if (verb == "SET") {
        // The only way to the map is a callable, so the lock cannot outlive this statement.
        state->with([&](map& m) { m.insert_or_assign(key, weir::bytes(value)); });
        co_return "OK";
    }
    auto found = state->with([&](map& m) -> std::optional<weir::bytes> {
        const auto place = m.find(key);
        if (place == m.end()) return std::nullopt;
        return place->second;  // copies the handle, not the bytes
    });
    if (!found) co_return "(nil)";
    co_return found->to_string();
}

weir::task<int> async_main() {
    db state = std::make_shared<weir::synchronized<map>>();

    // A connection each. Awaiting the first makes sure that the second comes later.
    auto first = weir::spawn(process("SET hello world", state));
    const std::string stored = co_await first;
    std::cout << "first connection:  SET hello world -> " << stored << '\n';

    auto second = weir::spawn(process("GET hello", state));
    const std::string seen = co_await second;
    std::cout << "second connection: GET hello -> " << seen << '\n';

    // A `bytes` is a counted handle: its copies share one buffer, from any thread.
    const weir::bytes value(std::string("world"));
    const weir::bytes copy = value;
    const bool shared = copy.data() == value.data();
    std::cout << "a copied value shares its buffer: " << (shared ? "yes" : "no") << '\n';

    co_return stored == "OK" && seen == "world" && shared ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
