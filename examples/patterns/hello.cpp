// The smallest program there is: a task, and a runtime that runs it to its end.

#include <iostream>
#include <string>

#include <weir/runtime.hpp>
#include <weir/task.hpp>

weir::task<std::string> greeting(std::string name) { co_return "hello, " + name; }

weir::task<int> async_main() {
    auto text = greeting("weir");  // nothing runs yet: a task is lazy
    std::cout << co_await std::move(text) << '\n';
    co_return 0;
}

int main() { return weir::block_on(async_main()); }
