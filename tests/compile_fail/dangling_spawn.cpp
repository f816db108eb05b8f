// expect: (temporary whose address is used|destroyed at the end of the full.expression)
// compilers: WEIR_CLANG >= 18
#define WEIR_CHECK_LIFETIMES
#if defined(__clang__)
#pragma clang diagnostic error "-Wdangling"
#endif
#include <string>

#include <weir/spawn.hpp>
#include <weir/task.hpp>

weir::task<std::size_t> length(const std::string& text) { co_return text.size(); }

weir::task<std::size_t> runs_too_late() {
    auto handle = weir::spawn(length(std::string("gone when the task runs")));
    co_return co_await handle;
}
