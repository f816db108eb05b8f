// expect: name the lambda first and pass the name
// compilers: WEIR_AGGREGATE_TEMPORARIES_BREAK
#include <string>

#include <weir/once_cell.hpp>
#include <weir/task.hpp>

weir::task<> fill(weir::once_cell<std::string>& cell, std::string text) {
    co_await cell.get_or_init([text]() -> weir::task<std::string> { co_return text; });
}
