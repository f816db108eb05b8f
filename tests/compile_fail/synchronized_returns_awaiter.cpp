// expect: The callable given to with\(\) returns an awaitable
#include <coroutine>

#include <weir/synchronized.hpp>

int use(const weir::synchronized<int>& counter) {
    counter.with([](const int&) { return std::suspend_always{}; });
    return 0;
}
