#pragma once
// block_in_place: blocking in the middle of a task.

#include <concepts>
#include <functional>
#include <type_traits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/runtime/multi_thread.hpp>

namespace weir { WEIR_ABI_BEGIN

namespace detail {

/// For its lifetime the calling thread may block: what else its worker has to do goes on elsewhere.
class blocking_section {
public:
    blocking_section() {
        execution* const here = execution::here();
        if (here == nullptr || here->may_block) return;
        if (here->local != nullptr)
            fail<blocking_in_async_error>(
                "block_in_place was called on a runtime that has this thread alone: use "
                "spawn_blocking, or a multi_thread_runtime");
        before_ = here;
        aside_.current = here->current;
        aside_.may_block = true;
        worker* const w = worker::here();
        const bool lends = w != nullptr && w->in_turn();
        execution::set(&aside_);
        if (!lends) return;
        worker_ = w;
        tenure_ = &w->lend();
    }
    blocking_section(const blocking_section&) = delete;
    blocking_section& operator=(const blocking_section&) = delete;
    ~blocking_section() {
        if (before_ == nullptr) return;
        if (worker_ != nullptr && !worker_->take_back(*tenure_, *aside_.current)) {
            tenure_->lost = true;
            before_ = &tenure_->without_it;
            before_->current = aside_.current;
        }
        execution::set(before_);
    }

private:
    execution aside_;
    execution* before_ = nullptr;
    worker* worker_ = nullptr;
    worker::tenure* tenure_ = nullptr;
};

}  // namespace detail

/// Calls `f`, which may block its thread or compute for long, in the middle of a task of a
/// multi_thread_runtime, and returns what it returns. The other tasks of the thread go on on another
/// one. Unlike spawn_blocking, `f` may borrow from the task, and starts at once; but other branches
/// of the same task stand still, and no abort or timeout reaches in. Inside, blocking operations
/// and `block_on` work as on a thread of one's own. May be nested; outside of a runtime, and in a
/// function that was given to spawn_blocking, it is a plain call.
///
///     auto const digest = weir::block_in_place([&] { return hash_of(large_file); });
///
/// Errors  Throws blocking_in_async_error on a current_thread_runtime, where every task would stand
///         still.
template <std::invocable F>
decltype(auto) block_in_place(F&& f) {
    static_assert(!awaitable<std::invoke_result_t<F>>,
                  "block_in_place calls a function that blocks, and what this one returns has not "
                  "run yet: co_await it instead");
    detail::blocking_section const here;
    return std::invoke(std::forward<F>(f));
}

WEIR_ABI_END }  // namespace weir
