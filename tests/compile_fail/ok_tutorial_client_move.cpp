// The twin of tutorial_client_copy.cpp that must compile: the client moves to the one task it has.
#include <utility>

#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "../../examples/tutorial/toy_client.hpp"

weir::task<void> run_both(toy_client client) {
    co_await client.set("foo", weir::bytes::from_static("bar"));
    co_await client.get("hello");
}

weir::task<void> two_commands() {
    toy_client client = co_await toy_client::connect();
    auto t1 = weir::spawn(run_both(std::move(client)));
    co_await t1;
}
