#pragma once
// Keeps coroutines out of sections that hold a lock of a thread.

#include <concepts>
#include <functional>  // std::invoke
#include <type_traits>
#include <utility>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

struct awaitable_base;  // of weir's own operations

/// Whether a result stands for work that is still to run: something to co_await, or a coroutine of
/// any kind. Goes by shape, so that every library's tasks are recognised.
template <class R>
concept runs_later =
    std::derived_from<R, awaitable_base> ||
    requires(R& result) { result.await_ready(); } ||
    requires(R& result) { static_cast<R&&>(result).operator co_await(); } ||
    requires(R& result) { result.operator co_await(); } ||
    requires(R& result) { operator co_await(static_cast<R&&>(result)); } ||
    requires(R& result) { operator co_await(result); } ||
    requires { typename R::promise_type; };

/// Calls `f` with the lock held and insists that it is done when it returns.
template <class F, class Data>
decltype(auto) call_under_lock(F&& f, Data& data) {
    static_assert(std::is_invocable_v<F, Data&>,
                  "The callable given to with() must be callable with a reference to what the lock "
                  "guards, as in with([](auto& data) { ... }); a const object gives a const one.");
    static_assert(!runs_later<std::remove_cvref_t<std::invoke_result_t<F, Data&>>>,
                  "The callable given to with() returns an awaitable: a lock cannot be held across "
                  "co_await, and the coroutine would run when the lock has been released. Do the "
                  "locked work in a plain callable, return from it what you need, and co_await "
                  "after with(); to hold a lock across co_await, use weir::mutex<T>.");
    return std::invoke(std::forward<F>(f), data);
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
