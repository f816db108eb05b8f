#pragma once
// Letting other tasks run: yield_now, and the cooperative budget.
//
// A task that never waits would keep its thread. So each turn of a task has a budget of 128 ready
// operations; after those, an operation that could complete at once completes on the next turn, as
// if it had waited. Work that awaits nothing of weir's can take part through consume_budget:
//
//     for (const auto& line : lines) {
//         index(line);
//         co_await weir::this_task::consume_budget();      // yields after 128 of them
//     }

#include <coroutine>
#include <type_traits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class... Args>
inline constexpr bool is_included<yield_header, Args...> = true;

/// What goes on in the owner's next turn.
class next_turn_awaiter : public leaf_awaiter {
public:
    void await_resume() const noexcept {}

protected:
    explicit next_turn_awaiter(owner& o) noexcept : leaf_awaiter(o, wait_kind::yield) {}
    ~next_turn_awaiter() {
        if (is_suspended()) who->retract(*this);
    }
};

class yield_operation : public awaitable_base {
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public next_turn_awaiter {
    public:
        awaiter(yield_operation&, owner& o) noexcept : next_turn_awaiter(o) {}
        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            who->resume_next_turn(*this);
            return true;
        }
    };
};

class consume_operation : public awaitable_base {
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public next_turn_awaiter {
    public:
        awaiter(consume_operation&, owner& o) noexcept : next_turn_awaiter(o) {}
        bool await_ready() noexcept {
            if (!who->has_budget()) return false;
            who->spend_budget();
            return true;
        }
        bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            yield_granted();
            return true;
        }
    };
};

}  // namespace detail

/// Puts the running task at the back of its runtime's queue, so that others run first.
/// Cancel safety  Safe.
[[nodiscard("co_await it")]] inline auto yield_now() noexcept {
    return detail::yield_operation();
}

namespace this_task {

/// Counts as one ready operation: yields if the task's budget for this turn is used up.
/// Cancel safety  Safe.
[[nodiscard("co_await it")]] inline auto consume_budget() noexcept {
    return detail::consume_operation();
}

}  // namespace this_task
WEIR_ABI_END }  // namespace weir
