// expect: (temporary whose address is used|destroyed at the end of the full.expression)
// compilers: WEIR_CLANG >= 18
#define WEIR_CHECK_LIFETIMES
#if defined(__clang__)
#pragma clang diagnostic error "-Wdangling"
#endif
#include <string>

#include <weir/task.hpp>

weir::task<std::size_t> awaits_too_late(std::string text) {
    auto later = [text]() -> weir::task<std::size_t> { co_return text.size(); }();
    co_return co_await std::move(later);
}
