// expect: name the handle first, auto h = weir::spawn
// compilers: WEIR_AGGREGATE_TEMPORARIES_BREAK
#include <string>

#include <weir/join.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

weir::task<> both(std::string text, weir::task<> other) {
    co_await weir::join(weir::spawn([text]() -> weir::task<> { co_return; }), std::move(other));
}
