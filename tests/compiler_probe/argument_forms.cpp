// Values and closures passed to a coroutine in the expression that awaits it.

#include <functional>
#include <memory>
#include <string>
#include <tuple>

#include "probe.hpp"

namespace probe {
namespace {

struct aggregate {
    tracked member;
    int number;
};

class with_constructor {
public:
    with_constructor(tracked member, int) : member_(std::move(member)) {}

private:
    tracked member_;
};

template <class F>
task<int> call(F f) {
    co_await suspend{};
    co_return f();
}
template <class F>
task<int> call_by_reference(F&& f) {
    co_await suspend{};
    co_return f();
}
task<int> call_erased(std::function<int()> f) {
    co_await suspend{};
    co_return f();
}

template <class T>
task<int> take(T) {
    co_await suspend{};
    co_return 1;
}
task<int> take_aggregate(aggregate a) {
    co_await suspend{};
    co_return a.number;
}
task<int> look_at(const tracked& t) {
    co_await suspend{};
    co_return t.at_home();
}
task<int> look_at_aggregate(const aggregate& a) {
    co_await suspend{};
    co_return a.member.at_home();
}
task<int> forward(task<int> inner) { co_return co_await std::move(inner); }
task<int> with_default(tracked t = tracked{}) {
    co_await suspend{};
    co_return t.at_home();
}
struct object {
    task<int> method(tracked t) {
        co_await suspend{};
        co_return t.at_home();
    }
};

const form forms[] = {
    {rule::relied_on, "co_await f(value{})",
     []() -> task<int> { co_return co_await take(tracked{}); }},
    {rule::relied_on, "co_await f(value{}), by const reference",
     []() -> task<int> { co_return co_await look_at(tracked{}); }},
    {rule::relied_on, "co_await f(\"literal\") into std::string",
     []() -> task<int> { co_return co_await take<std::string>("too long to be kept inside"); }},
    {rule::relied_on, "co_await f(\"a\" + string)",
     []() -> task<int> {
         const std::string tail = "too long to be kept inside";
         co_return co_await take("a" + tail);
     }},
    {rule::relied_on, "co_await f(std::make_unique<T>())",
     []() -> task<int> { co_return co_await take(std::make_unique<tracked>()); }},
    {rule::relied_on, "co_await f(value{}) into std::optional",
     []() -> task<int> { co_return co_await take<std::optional<tracked>>(tracked{}); }},
    {rule::relied_on, "co_await f({value{}, value{}}) into std::tuple",
     []() -> task<int> {
         co_return co_await take<std::tuple<tracked, tracked>>({tracked{}, tracked{}});
     }},
    {rule::relied_on, "co_await f({value{}, \"literal\"}) into std::pair",
     []() -> task<int> {
         co_return co_await take<std::pair<tracked, std::string>>(
             {tracked{}, "too long to be kept inside"});
     }},
    {rule::relied_on, "co_await f(type_with_constructor(...))",
     []() -> task<int> { co_return co_await take(with_constructor(tracked{}, 1)); }},
    {rule::relied_on, "co_await f(type_with_constructor{...})",
     []() -> task<int> { co_return co_await take(with_constructor{tracked{}, 1}); }},
    {rule::relied_on, "co_await f({...}) into a type with a constructor",
     []() -> task<int> { co_return co_await take<with_constructor>({tracked{}, 1}); }},
    {rule::relied_on, "co_await f(g(value{})), a task as argument",
     []() -> task<int> { co_return co_await forward(take(tracked{})); }},
    {rule::relied_on, "co_await object{}.method(value{})",
     []() -> task<int> { co_return co_await object{}.method(tracked{}); }},
    {rule::relied_on, "co_await f() with a default argument value{}",
     []() -> task<int> { co_return co_await with_default(); }},

    {rule::relied_on, "aggregate a{...}; co_await f(std::move(a))",
     []() -> task<int> {
         aggregate a{tracked{}, 3};
         co_return co_await take_aggregate(std::move(a));
     }},
    {rule::relied_on, "auto t = f({...}); co_await std::move(t)",
     []() -> task<int> {
         auto t = take_aggregate({tracked{}, 3});
         co_return co_await std::move(t);
     }},
    {rule::aggregates, "co_await f({...}) into an aggregate",
     []() -> task<int> { co_return co_await take_aggregate({tracked{}, 3}); }},
    {rule::aggregates, "co_await f(aggregate{...})",
     []() -> task<int> { co_return co_await take_aggregate(aggregate{tracked{}, 3}); }},
    {rule::aggregates, "co_await f(aggregate{...}), by const reference",
     []() -> task<int> { co_return co_await look_at_aggregate(aggregate{tracked{}, 3}); }},

    {rule::relied_on, "co_await f([&x] {...})",
     []() -> task<int> {
         tracked t;
         co_return co_await call([&t] { return t.at_home(); });
     }},
    {rule::relied_on, "auto l = [x] {...}; co_await f(std::move(l))",
     []() -> task<int> {
         tracked t;
         auto named = [t] { return t.at_home(); };
         co_return co_await call(std::move(named));
     }},
    {rule::relied_on, "auto t = f([x] {...}); co_await std::move(t)",
     []() -> task<int> {
         tracked t;
         auto made = call([t] { return t.at_home(); });
         co_return co_await std::move(made);
     }},
    {rule::relied_on, "co_await [](T x) -> task<int> {...}(value{})",
     []() -> task<int> {
         co_return co_await [](tracked t) -> task<int> {
             co_await suspend{};
             co_return t.at_home();
         }(tracked{});
     }},
    {rule::avoided, "co_await f([x] {...})",
     []() -> task<int> {
         tracked t;
         co_return co_await call([t] { return t.at_home(); });
     }},
    {rule::avoided, "co_await f([x = std::move(y)] {...})",
     []() -> task<int> {
         tracked t;
         co_return co_await call([moved = std::move(t)] { return moved.at_home(); });
     }},
    {rule::avoided, "co_await f([x] {...}) into F&&",
     []() -> task<int> {
         tracked t;
         co_return co_await call_by_reference([t] { return t.at_home(); });
     }},
    {rule::avoided, "co_await f([x] {...}) into std::function",
     []() -> task<int> {
         tracked t;
         co_return co_await call_erased([t] { return t.at_home(); });
     }},
    {rule::avoided, "co_await [x]() -> task<int> {...}()",
     []() -> task<int> {
         tracked t;
         co_return co_await [t]() -> task<int> {
             co_await suspend{};
             co_return t.at_home();
         }();
     }},
};

}  // namespace

std::span<const form> argument_forms() { return forms; }

}  // namespace probe
