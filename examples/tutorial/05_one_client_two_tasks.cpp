// 5. Two tasks cannot share one client.
//
// One connection, two commands, a task for each. The first attempt gives both tasks the client:
//
//     toy_client client = co_await toy_client::connect();
//     auto t1 = weir::spawn(run_get(client));
//     auto t2 = weir::spawn(run_set(client));
//
//     error: use of deleted function 'toy_client::toy_client(const toy_client&)'
//
// A connection has one owner, so it cannot be copied (tests/compile_fail/tutorial_client_copy.cpp
// keeps it that way). The second attempt, below, passes a reference. That compiles, and is wrong:
// both tasks are in the middle of a request on the same connection. Moreover a spawned task may
// outlive the client that its reference names. Steps 6 to 8 are the answer.

#include <cstdlib>
#include <iostream>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "toy_client.hpp"

static_assert(std::is_move_constructible_v<toy_client>);
static_assert(!std::is_copy_constructible_v<toy_client>);

weir::task<std::string> run_get(toy_client& client) {  // wrong: a borrowed connection
    auto value = co_await client.get("hello");
    co_return value ? value->to_string() : std::string("(nil)");
}

weir::task<std::string> run_set(toy_client& client) {  // wrong, for the same reason
    co_await client.set("foo", weir::bytes::from_static("bar"));
    co_return "OK";
}

weir::task<int> async_main() {
    toy_client client = co_await toy_client::connect();
    auto t1 = weir::spawn(run_get(client));
    auto t2 = weir::spawn(run_set(client));

    // Both are awaited before `client` goes: the references stay valid in this program at least.
    const std::string got = co_await t1;
    std::cout << "GET hello -> " << got << '\n';

    // The toy client notices that it is shared; most would mix up the two answers in silence.
    auto set = co_await t2.result();
    std::string failure;
    if (!set) {
        try {
            std::rethrow_exception(set.error().exception());
        } catch (const std::logic_error& misuse) {
            failure = misuse.what();
        }
    }
    std::cout << "SET foo bar -> " << failure << '\n';
    co_return failure.starts_with("client in use") ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main() { return weir::block_on(async_main()); }
