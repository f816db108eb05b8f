// Where the awaiter itself lives. One that the compiler copies first is a lost wake-up: the waker
// knows the original, the coroutine waits in the copy.

#include <memory>

#include "probe.hpp"

namespace probe {
namespace {

// Copyable, so that a compiler which copies can; it notices by its address.
class copyable_awaiter {
public:
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        suspended_at_home_ = home_ == this;
        suspended = handle;
    }
    int await_resume() const { return suspended_at_home_ && home_ == this ? 1 : -100; }

    copyable_awaiter& settle() {
        home_ = this;
        return *this;
    }

private:
    copyable_awaiter* home_ = nullptr;
    bool suspended_at_home_ = false;
};

// As weir's own: a class with a constructor, neither copyable nor movable.
class pinned_awaiter {
public:
    explicit pinned_awaiter(tracked value) : value_(std::move(value)) {}
    pinned_awaiter(const pinned_awaiter&) = delete;
    pinned_awaiter& operator=(const pinned_awaiter&) = delete;

    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) {
        suspended_in_ = this;
        suspended = handle;
    }
    int await_resume() const { return suspended_in_ == this ? value_.at_home() : -100; }

private:
    tracked value_;
    pinned_awaiter* suspended_in_ = nullptr;
};

class awaiter_with_constructor {
public:
    explicit awaiter_with_constructor(tracked value) : value_(std::move(value)) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) const { suspended = handle; }
    int await_resume() const { return value_.at_home(); }

private:
    tracked value_;
};

struct aggregate_awaiter {
    tracked value;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) const { suspended = handle; }
    int await_resume() const { return value.at_home(); }
};

struct holder {
    copyable_awaiter awaiter;
    copyable_awaiter& get() { return awaiter.settle(); }
};
struct converts_to_reference {
    copyable_awaiter awaiter;
    copyable_awaiter& operator co_await() { return awaiter.settle(); }
};
// As weir's long-lived objects: co_await makes a fresh awaiter in the frame.
struct converts_to_prvalue {
    pinned_awaiter operator co_await() { return pinned_awaiter(tracked{}); }
};
pinned_awaiter make_pinned() { return pinned_awaiter(tracked{}); }

const form forms[] = {
    {rule::relied_on, "co_await pinned_awaiter(value{})",
     []() -> task<int> { co_return co_await pinned_awaiter(tracked{}); }},
    {rule::relied_on, "co_await make_pinned_awaiter()",
     []() -> task<int> { co_return co_await make_pinned(); }},
    {rule::relied_on, "co_await object, operator co_await returns a prvalue",
     []() -> task<int> {
         converts_to_prvalue object;
         co_return co_await object;
     }},
    {rule::relied_on, "co_await std::move(object), operator co_await returns a prvalue",
     []() -> task<int> {
         converts_to_prvalue object;
         co_return co_await std::move(object);
     }},
    {rule::relied_on, "co_await *pointer, operator co_await returns a prvalue",
     []() -> task<int> {
         auto object = std::make_unique<converts_to_prvalue>();
         co_return co_await *object;
     }},
    {rule::relied_on, "co_await awaiter_with_constructor{value{}}",
     []() -> task<int> { co_return co_await awaiter_with_constructor{tracked{}}; }},
    {rule::relied_on, "co_await named_awaiter",
     []() -> task<int> {
         copyable_awaiter named;
         named.settle();
         co_return co_await named;
     }},
    {rule::aggregates, "co_await aggregate_awaiter{value{}}",
     []() -> task<int> { co_return co_await aggregate_awaiter{tracked{}}; }},
    {rule::avoided, "co_await *pointer_to_awaiter",
     []() -> task<int> {
         auto pointer = std::make_unique<copyable_awaiter>();
         pointer->settle();
         co_return co_await *pointer;
     }},
    {rule::avoided, "co_await object.reference_to_awaiter()",
     []() -> task<int> {
         holder object;
         co_return co_await object.get();
     }},
    {rule::avoided, "co_await object, operator co_await returns a reference",
     []() -> task<int> {
         converts_to_reference object;
         co_return co_await object;
     }},
    {rule::avoided, "co_await std::move(awaiter)",
     []() -> task<int> {
         copyable_awaiter named;
         named.settle();
         co_return co_await std::move(named);
     }},
};

}  // namespace

std::span<const form> awaiter_forms() { return forms; }

}  // namespace probe
