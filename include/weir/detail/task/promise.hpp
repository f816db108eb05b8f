#pragma once
// The promise of weir::task.

#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/result_slot.hpp>
#include <weir/detail/core/task_header.hpp>
#include <weir/detail/task/foreign_await.hpp>
#include <weir/detail/task/suspension_check.hpp>

namespace weir { WEIR_ABI_BEGIN

template <class T>
class task;

namespace detail {

#if WEIR_SYMMETRIC_TRANSFER
inline std::coroutine_handle<> transfer_to(std::coroutine_handle<> h, owner&) noexcept { return h; }
#else
/// `await_suspend` returns what this does: nothing here, since GCC's symmetric transfer is a tail
/// call only at some optimisation levels; the driving loop resumes `h` instead.
inline void transfer_to(std::coroutine_handle<> h, owner& o) noexcept { o.transfer(h); }
#endif

/// The same for the end of a coroutine, which goes on with its caller or ends its task.
inline auto hand_back(std::coroutine_handle<> caller, owner& o) noexcept {
    if (!caller) o.set_root_finished();
#if WEIR_SYMMETRIC_TRANSFER
    return caller ? caller : std::noop_coroutine();
#else
    o.transfer(caller);
#endif
}

class promise_base {
public:
    std::coroutine_handle<> continuation;  // debuggers look for this name; null: a task's root

    static void* operator new(std::size_t size) { return task_header::allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept {
        task_header::free_frame(frame, size);
    }

    std::suspend_always initial_suspend() const noexcept { return {}; }

    class final_awaiter {
    public:
        explicit final_awaiter(promise_base& p) noexcept : promise_(&p) {}
        bool await_ready() const noexcept { return false; }
        auto await_suspend(std::coroutine_handle<>) const noexcept {
            return hand_back(promise_->continuation, *promise_->who_);
        }
        void await_resume() const noexcept {}

    private:
        promise_base* promise_;
    };
    final_awaiter final_suspend() noexcept { return final_awaiter(*this); }

    /// Awaits what is weir's with the leanest awaiter, and anything else through a bridge that
    /// brings the task back to its own runtime.
    template <class A>
    auto await_transform(A&& a) {
        static_assert(awaitable<A>,
                      "this cannot be awaited: it has no operator co_await and no await_ready, "
                      "await_suspend and await_resume");
        if constexpr (native_awaitable<A>) {
            static_assert(!std::is_lvalue_reference_v<A> ||
                              awaiter_access::by_lvalue<std::remove_cvref_t<A>>,
                          "a weir::task is awaited once, as an rvalue: write co_await f() or "
                          "co_await std::move(t)");
            check_awaited_form<A>();
            return checked_await_t<native_awaiter_t<A>>(a, *who_);
        } else {
            return checked_foreign_await<A>(std::forward<A>(a), *who_);
        }
    }

    /// Whose turn runs the coroutine.
    [[nodiscard]] owner& turn_owner() const noexcept { return *who_; }

    void start_for(std::coroutine_handle<> caller, owner& o) noexcept {
        continuation = caller;
        who_ = &o;
    }

private:
    owner* who_ = nullptr;
};

template <class T>
class result_promise : public promise_base {
public:
    template <class U = T>
        requires std::is_constructible_v<stored_result_t<T>, U&&>
    void return_value(U&& value) {
        result_.emplace(std::forward<U>(value));
    }

protected:
    result_slot<T> result_;
};

template <class T>
class result_promise<T&> : public promise_base {
public:
    void return_value(T& value) noexcept { result_.emplace(&value); }

protected:
    result_slot<T&> result_;
};

template <class T>
    requires std::is_void_v<T>
class result_promise<T> : public promise_base {
public:
    void return_void() noexcept { result_.emplace(); }

protected:
    result_slot<T> result_;
};

template <class T>
class task_promise final : public result_promise<T> {
public:
    task<T> get_return_object() noexcept;
    void unhandled_exception() noexcept { this->result_.set_exception(std::current_exception()); }

    T take_result() { return this->result_.take(); }
    result_slot<T>& result() noexcept { return this->result_; }
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
