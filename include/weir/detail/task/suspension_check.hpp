#pragma once
// Refuses to suspend a task that holds a tracked_mutex.
//
// The check costs one byte of the owner, which every await touches anyway, and only where an await
// does suspend. It comes after the awaiter has said that it waits: the owner's turn still runs, so
// that nobody can have resumed the coroutine, and the exception makes the awaiter's destructor
// cancel the wait as any other. A foreign awaiter may not know how to do that: there the check
// comes before.

#include <concepts>
#include <coroutine>
#include <source_location>
#include <type_traits>
#include <utility>

#include <weir/detail/core/held_locks.hpp>
#include <weir/detail/task/foreign_await.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// An awaiter that says by a bool whether it suspends.
template <class Awaiter>
class checked_await {
public:
    template <class A>
    checked_await(A& a, owner& o) : inner_(a, o) {}
    checked_await(const checked_await&) = delete;
    checked_await& operator=(const checked_await&) = delete;

    bool await_ready() noexcept(noexcept(std::declval<Awaiter&>().await_ready())) {
        return inner_.await_ready();
    }
    template <class Promise>
    WEIR_AWAIT_SUSPEND bool await_suspend(
        std::coroutine_handle<Promise> h,
        std::source_location at = std::source_location::current()) {
        const owner& o = h.promise().turn_owner();
        if (!inner_.await_suspend(h)) return false;
        if (o.holds_thread_lock()) [[unlikely]]
            held_lock::fail_suspended(o, at);
        h.promise().suspend_in(inner_, at);
        return true;
    }
    decltype(auto) await_resume() noexcept(noexcept(std::declval<Awaiter&>().await_resume())) {
        return inner_.await_resume();
    }

private:
    Awaiter inner_;
};

/// What hands the turn over instead, as a task does, has nothing to check: what it awaits has.
template <class Awaiter>
using checked_await_t =
    std::conditional_t<std::same_as<bool, decltype(std::declval<Awaiter&>().await_suspend(
                                              std::coroutine_handle<>{}))>,
                       checked_await<Awaiter>, Awaiter>;

template <class A>
class checked_foreign_await : public foreign_await<A> {
public:
    using foreign_await<A>::foreign_await;

    template <class Promise>
    WEIR_AWAIT_SUSPEND bool await_suspend(
        std::coroutine_handle<Promise> h,
        std::source_location at = std::source_location::current()) {
        const owner& o = h.promise().turn_owner();
        if (o.holds_thread_lock()) [[unlikely]]
            held_lock::fail_suspended(o, at);
        h.promise().suspend_in(*this, at);  // now: what is not weir's may end the wait on its way
        return foreign_await<A>::await_suspend(h);
    }
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
