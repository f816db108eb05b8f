// expect: (deleted function|deleted constructor|call to deleted)
// The first attempt of step 5 of the tutorial: one client, given to two tasks.
#include <utility>

#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "../../examples/tutorial/toy_client.hpp"

weir::task<void> run_get(toy_client client) { co_await client.get("hello"); }
weir::task<void> run_set(toy_client client) {
    co_await client.set("foo", weir::bytes::from_static("bar"));
}

weir::task<void> two_commands() {
    toy_client client = co_await toy_client::connect();
    auto t1 = weir::spawn(run_get(client));
    auto t2 = weir::spawn(run_set(client));
    co_await t1;
    co_await t2;
}
