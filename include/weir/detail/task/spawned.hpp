#pragma once
// From a lazy task to a spawned one: constructs its header and says how it ends.

#include <coroutine>
#include <exception>
#include <functional>
#include <new>
#include <source_location>
#include <utility>

#include <weir/detail/runtime/runtime_core.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

struct task_access {
    template <class T>
    static std::coroutine_handle<task_promise<T>> release(task<T>& t) {
        auto const root = peek(t);
        t.coroutine_ = {};
        return root;
    }
    template <class T>
    static std::coroutine_handle<task_promise<T>> peek(const task<T>& t) {
        if (!t.coroutine_)
            fail<already_consumed_error>(
                "this weir::task was awaited, spawned or moved from already: "
                "call the coroutine function again for another run");
        return t.coroutine_;
    }
};

template <class T>
std::coroutine_handle<task_promise<T>> root_of(task_header& t) noexcept {
    return std::coroutine_handle<task_promise<T>>::from_address(t.frame());
}

/// The result of an ended task, which lies where its frame was.
template <class T>
result_slot<T>& result_of(task_header& t) noexcept {
    return *std::launder(static_cast<result_slot<T>*>(t.frame()));
}

/// Destroys the frame of a task that nobody will ask for its result.
template <class T>
void drop_frame(task_header& t, result_slot<T>& result) noexcept {
    if (!result.has_exception()) {
        result.discard();
        return root_of<T>(t).destroy();
    }
    std::exception_ptr const e = result.stored_exception();
    root_of<T>(t).destroy();
    t.home().runtime()->report_unhandled(t, e);
}

/// Moves the result to where the frame is, which is destroyed meanwhile.
template <class T>
void keep_result_in_frame(task_header& t, result_slot<T>& result) noexcept {
    using outcome = task_header::outcome;
    auto const root = root_of<T>(t);
    auto keep = [&](result_slot<T>&& kept) {
        result.discard();
        root.destroy();
        ::new (t.frame()) result_slot<T>(std::move(kept));
        kept.discard();
    };
    static_assert(sizeof(result_slot<T>) <= sizeof(task_promise<T>));
    WEIR_TRY {
        keep(result_slot<T>(std::move(result)));
    }
    WEIR_CATCH_ALL {  // moving the value has thrown: that is the result then
        if (!t.root_destroyed()) root.destroy();
        (::new (t.frame()) result_slot<T>)->set_exception(std::current_exception());
    }
    t.set_outcome(result_of<T>(t).has_exception() ? outcome::exception : outcome::value);
}

template <class T>
void finish_task(task_header& t, bool keep_result) noexcept {
    using outcome = task_header::outcome;
    auto const root = root_of<T>(t);
    result_slot<T>& result = root.promise().result();
    if (!t.root_finished()) {
        root.destroy();
        t.set_outcome(outcome::cancelled);
    } else if (!keep_result) {
        drop_frame(t, result);
    } else if constexpr (result_slot<T>::is_plain) {
        if (!result.has_value()) [[unlikely]]
            return keep_result_in_frame(t, result);
        auto const value = result.plain_value();
        root.destroy();
        (::new (t.frame()) result_slot<T>)->emplace(value);
        t.set_outcome(outcome::value);
    } else {
        keep_result_in_frame(t, result);
    }
}

template <class T>
WEIR_NOINLINE void destroy_exception(task_header& t) noexcept {
    result_slot<T>& result = result_of<T>(t);
    // One that was still there for a handle that went without asking.
    if (t.is_detached() && result.stored_exception())
        if (runtime_core* const here = runtime_core::current())
            here->report_unhandled(t, result.stored_exception());
    std::destroy_at(&result);
}

template <class T>
void destroy_task_result(task_header& t) noexcept {
    using outcome = task_header::outcome;
    if (t.result() == outcome::exception) return destroy_exception<T>(t);
    if constexpr (!result_slot<T>::is_plain) {
        if (t.result() != outcome::value) return;
        result_of<T>(t).discard();
        std::destroy_at(&result_of<T>(t));
    }
}

template <class T>
inline constexpr task_type task_type_of{&finish_task<T>, &destroy_task_result<T>};

/// Makes `t` a task of a runtime or its blocking pool, not started yet; the caller owns one
/// reference.
template <class T, class Home>
task_header& make_spawned(task<T>& t, Home& home, std::source_location site) {
    task_header& header = home.make_task(task_access::peek(t), task_type_of<T>, site);
#if WEIR_INSPECT
    if (execution* const here = execution::here()) {
        const owner* const running = here->current;
        header.set_spawner(static_cast<const task_header*>(running));
    }
#endif
    task_access::release(t);  // not before: there may have been no room for the task
    root_of<T>(header).promise().start_for({}, header);
    return header;
}

// The arguments convert in the call as they do in std::invoke, whose warnings nobody sees either.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"

/// Keeps a callable and its arguments alive as long as the coroutine that it returns.
template <class R, class F, class... Args>
task<R> invoke_stored(F f, Args... args) {
    if constexpr (std::is_member_pointer_v<F>)
        co_return co_await std::invoke(f, std::move(args)...);
    else  // called here, where WEIR_CHECK_LIFETIMES sees it
        co_return co_await f(std::move(args)...);
}

#pragma GCC diagnostic pop

/// The task around a function that blocks.
template <class R, class F>
task<R> call_stored(F f) {
    co_return std::invoke(std::move(f));
}

template <class A>
task<await_result_t<A>> await_stored(A a) {
    co_return co_await std::move(a);
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
