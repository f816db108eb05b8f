#pragma once
// task<T>: a lazy coroutine.

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/result_slot.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/task/promise.hpp>

namespace weir { WEIR_ABI_BEGIN

namespace detail {
struct task_access;
}  // namespace detail

/// A coroutine that yields a `T`, which may be a value, a reference, void or move-only.
///
///     weir::task<int> twice(int n) { co_return 2 * n; }
///     weir::task<int> caller() { co_return 2 + co_await twice(20); }
///
/// Calling the coroutine runs none of its body: it starts when it is awaited, or when it is given
/// to `spawn`. It is awaited once, as an rvalue (`co_await f()`, `co_await std::move(t)`), and runs
/// on its awaiter's turn: no other thread, no queue, no stack however deep the chain of awaits.
///
/// Cancel safety  A task that is destroyed while it waits, by a lost `select` or an abort, destroys
///                its locals in reverse order; nothing after its `co_await` runs.
/// Errors         An exception that leaves the body travels through `co_await`. Awaiting twice, or
///                what has been moved from, throws already_consumed_error.
/// Lifetime       By-value parameters live in the coroutine; references, and captures of a lambda
///                coroutine, must outlive it: pass arguments instead of capturing. clang 18 and
///                later warn where they do not, if WEIR_CHECK_LIFETIMES is defined.
template <class T = void>
class WEIR_COROUTINE_TYPE [[nodiscard("a weir::task does nothing until it is awaited or spawned")]]
task : public detail::awaitable_base {
public:
    using promise_type = detail::task_promise<T>;
    using value_type = T;

    task(task&& other) noexcept : coroutine_(std::exchange(other.coroutine_, {})) {}
    task& operator=(task&& other) noexcept {
        task(std::move(other)).swap(*this);
        return *this;
    }
    ~task() {
        if (coroutine_) coroutine_.destroy();
    }
    void swap(task& other) noexcept { std::swap(coroutine_, other.coroutine_); }

    /// Whether there is a coroutine to await: false once awaited, spawned or moved from.
    [[nodiscard]] explicit operator bool() const& noexcept {
        return static_cast<bool>(coroutine_);
    }
    explicit operator bool() const&& = delete;  // co_await it: only what it yields can be tested

private:
    friend promise_type;
    friend struct detail::awaiter_access;
    friend struct detail::task_access;

    using handle = std::coroutine_handle<promise_type>;
    explicit task(handle h) noexcept : coroutine_(h) {}

    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = false;

    // Owns the coroutine from the first await on, so that it dies with the await-expression.
    class awaiter {
    public:
        awaiter(task& t, detail::owner& o) : coroutine_(std::exchange(t.coroutine_, {})), who_(&o) {
            if (!coroutine_)
                detail::fail<already_consumed_error>(
                    "this weir::task was awaited, spawned or moved from already: "
                    "call the coroutine function again for another run");
        }
        awaiter(const awaiter&) = delete;
        awaiter& operator=(const awaiter&) = delete;
        ~awaiter() {
            if (coroutine_) coroutine_.destroy();
        }

        bool await_ready() const noexcept { return false; }
        auto await_suspend(std::coroutine_handle<> caller) noexcept {
            coroutine_.promise().start_for(caller, *who_);
            return detail::transfer_to(coroutine_, *who_);
        }
        T await_resume() { return coroutine_.promise().take_result(); }

    private:
        handle coroutine_;
        detail::owner* who_;
    };

    handle coroutine_;
};

template <class T>
task<T> detail::task_promise<T>::get_return_object() noexcept {
    return task<T>(std::coroutine_handle<task_promise>::from_promise(*this));
}

WEIR_ABI_END }  // namespace weir
