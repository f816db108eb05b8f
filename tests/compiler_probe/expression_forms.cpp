// co_await as a part of larger expressions, initialisers, conditions and statements.

#include <stdexcept>
#include <vector>

#include "probe.hpp"

namespace probe {
namespace {

struct aggregate {
    tracked member;
    int number;
};

task<int> take(tracked) {
    co_await suspend{};
    co_return 1;
}
task<int> take_aggregate(aggregate a) {
    co_await suspend{};
    co_return a.number;
}
task<int> fail(tracked) {
    co_await suspend{};
    throw std::runtime_error("as planned");
    co_return 1;
}
task<std::vector<tracked>> make_three() {
    co_await suspend{};
    co_return std::vector<tracked>(3);
}
task<std::pair<tracked, int>> make_pair() {
    co_await suspend{};
    co_return std::pair<tracked, int>(tracked{}, 1);
}
task<aggregate> make_aggregate() {
    co_await suspend{};
    co_return aggregate{tracked{}, 1};
}
// A function, since g++ 12 gets it right in a lambda.
task<int> switch_on_await() {
    switch (co_await take(tracked{})) {
        case 1: co_return 1;
    }
    co_return 0;
}
// Functions without a variable of their own: one makes g++ 12 get them right.
task<int> if_without_variables() {
    if (co_await take(tracked{})) co_return 1;
    co_return 0;
}
int rounds_done = 0;
task<int> next_round() {
    co_await suspend{};
    co_return ++rounds_done < 3;
}
task<int> while_without_variables() {
    while (co_await next_round()) {
    }
    co_return 1;
}
bool yes() { return tracked::live >= 0; }  // what the compiler does not fold

const form forms[] = {
    {rule::relied_on, "x = co_await f()",
     []() -> task<int> {
         int result = 0;
         result = co_await take(tracked{});
         co_return result;
     }},
    {rule::relied_on, "auto [a, b] = co_await f(), a pair",
     []() -> task<int> {
         auto [a, b] = co_await make_pair();
         co_return b * a.at_home();
     }},
    {rule::relied_on, "auto [a, b] = co_await f(), an aggregate",
     []() -> task<int> {
         auto [a, b] = co_await make_aggregate();
         co_return b * a.at_home();
     }},
    {rule::relied_on, "auto p = co_await f(); auto& [a, b] = p",
     []() -> task<int> {
         auto pair = co_await make_pair();
         auto& [a, b] = pair;
         co_return b * a.at_home();
     }},
    {rule::relied_on, "for (auto& x : co_await f())",
     []() -> task<int> {
         int sum = 0;
         for (auto& t : co_await make_three()) sum += t.at_home();
         co_return sum == 3;
     }},
    {rule::relied_on, "auto v = co_await f(); for (auto& x : v)",
     []() -> task<int> {
         int sum = 0;
         auto three = co_await make_three();
         for (auto& t : three) sum += t.at_home();
         co_return sum == 3;
     }},
    {rule::relied_on, "while (co_await f())",
     []() -> task<int> {
         int rounds = 0;
         while (co_await take(tracked{}) == 1 && ++rounds < 3) {
         }
         co_return rounds == 3;
     }},
    {rule::relied_on, "if (auto x = co_await f(); x)",
     []() -> task<int> {
         if (const int one = co_await take(tracked{}); one == 1) co_return one;
         co_return 0;
     }},
    {rule::relied_on, "c && co_await f()",
     []() -> task<int> {
         const bool both = yes() && co_await take(tracked{}) == 1;
         co_return both;
     }},
    {rule::relied_on, "c ? co_await f() : co_await g()",
     []() -> task<int> {
         const int result = yes() ? co_await take(tracked{}) : co_await take(tracked{});
         co_return result;
     }},
    {rule::relied_on, "co_await f() + co_await g()",
     []() -> task<int> {
         co_return (co_await take(tracked{}) + co_await take(tracked{})) == 2;
     }},
    {rule::relied_on, "int a[] = {co_await f(), co_await g()}",
     []() -> task<int> {
         int both[] = {co_await take(tracked{}), co_await take(tracked{})};
         co_return both[0] * both[1];
     }},
    {rule::relied_on, "v.push_back(co_await f())",
     []() -> task<int> {
         std::vector<int> results;
         results.push_back(co_await take(tracked{}));
         co_return results[0];
     }},
    {rule::relied_on, "std::make_pair(co_await f(), value{})",
     []() -> task<int> {
         auto pair = std::make_pair(co_await take(tracked{}), tracked{});
         co_return pair.first * pair.second.at_home();
     }},
    {rule::relied_on, "try { co_await f(value{}) } catch, where f throws",
     []() -> task<int> {
         try {
             co_return -1 * co_await fail(tracked{});
         } catch (const std::exception&) {
         }
         co_return 1;
     }},
    {rule::aggregates, "aggregate a{co_await f(), value{}}",
     []() -> task<int> {
         struct pair {
             int first;
             tracked second;
         };
         pair both{co_await take(tracked{}), tracked{}};
         co_return both.first * both.second.at_home();
     }},
    {rule::aggregates, "co_await f() + co_await g(aggregate{...}), where f throws",
     []() -> task<int> {
         try {
             co_return -1 * (co_await fail(tracked{}) + co_await take_aggregate({tracked{}, 1}));
         } catch (const std::exception&) {
         }
         co_return 1;
     }},
    {rule::avoided, "co_await (c ? f() : g())",
     []() -> task<int> { co_return co_await (yes() ? take(tracked{}) : take(tracked{})); }},
    {rule::avoided, "switch (co_await f())", switch_on_await},
    {rule::avoided, "if (co_await f()) in a coroutine without variables", if_without_variables},
    {rule::avoided, "while (co_await f()) in a coroutine without variables", while_without_variables},
};

}  // namespace

std::span<const form> expression_forms() { return forms; }

}  // namespace probe
