// expect: The callable given to with\(\) returns an awaitable
#include <coroutine>
#include <exception>

#include <weir/synchronized.hpp>

struct lazy {
    struct promise_type {
        lazy get_return_object() { return {}; }
        std::suspend_always initial_suspend() noexcept { return {}; }
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

void use(weir::synchronized<int>& counter) {
    counter.with([](int& v) -> lazy {
        ++v;
        co_return;
    });
}
