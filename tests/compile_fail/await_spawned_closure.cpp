// expect: name the handle first, auto h = weir::spawn
// compilers: WEIR_AGGREGATE_TEMPORARIES_BREAK
#include <string>

#include <weir/spawn.hpp>
#include <weir/task.hpp>

weir::task<std::size_t> length(std::string text) {
    co_return co_await weir::spawn_blocking([text] { return text.size(); });
}
