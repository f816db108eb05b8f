// With the check of lifetimes, what lives long enough is accepted, and a function that makes a task
// for its caller says that it is no coroutine.
#define WEIR_CHECK_LIFETIMES
#if defined(__clang__)
#pragma clang diagnostic error "-Wdangling"
#endif
#include <string>

#include <weir/weir.hpp>

weir::task<std::size_t> length(const std::string& text) { co_return text.size(); }

WEIR_COROUTINE_WRAPPER weir::task<std::size_t> again(const std::string& text) {
    return length(text);
}

weir::task<std::size_t> sum(std::string text) {
    auto later = again(text);
    auto spawned = weir::spawn(length, std::string("kept in the task"));
    co_return co_await std::move(later) + co_await length(std::string("at once")) +
        co_await spawned;
}
