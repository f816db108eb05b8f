// The forms in which a task with captures is awaited safely on every compiler.
#include <string>
#include <utility>
#include <vector>

#include <weir/abort_on_drop.hpp>
#include <weir/join.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

weir::task<std::size_t> lengths(std::string text) {
    const auto length = [text]() -> weir::task<std::size_t> { co_return text.size(); };
    auto named = weir::spawn(length);
    weir::join_handle<std::size_t> typed = weir::spawn(length);
    weir::abort_on_drop scoped(weir::spawn(length));
    std::vector<weir::join_handle<std::size_t>> many;
    many.push_back(weir::spawn_blocking([text] { return text.size(); }));
    weir::spawn(length).detach();

    auto [a, b] = co_await weir::join(named, typed);
    auto c = co_await scoped.result();
    auto d = co_await std::move(many.back());
    auto e = co_await weir::spawn([&text]() -> weir::task<std::size_t> { co_return text.size(); });
    co_return a + b + c.value() + d + e;
}
