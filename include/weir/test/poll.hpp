#pragma once
// test::polled and test::poll_once: an operation, one look at a time, without any task.

#include <optional>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/runtime/runtime_core.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// An owner that has its turn when a test says so.
class polled_owner final : private scheduler, public owner {
public:
    polled_owner() noexcept : owner(static_cast<scheduler&>(*this), false) {
        exchange_budget(unlimited);
    }

    /// Whether something was woken since the last turn.
    [[nodiscard]] bool is_woken() const noexcept { return claimed(); }
    template <class Stop>
    void run_turn(Stop stop) {
        collect(false);
        if (has_taken()) resume_taken(stop);
        exchange_budget(unlimited);
        if (!has_taken()) static_cast<void>(try_park());
    }

private:
    void schedule(owner&) noexcept override {}
    runtime_core* runtime() noexcept override { return runtime_core::current(); }
};

}  // namespace detail

namespace test {

/// Holds an operation that nobody awaits, and resumes it when asked to. For tests of an operation's
/// waits and wakes; an operation that needs a runtime finds the one that the thread has entered.
///
///     weir::test::polled receive(rx.recv());
///     CHECK(receive.is_pending());
///     static_cast<void>(tx.try_send(1));
///     CHECK(receive.is_woken());
///     CHECK(receive.is_ready());
///     CHECK(receive.take() == 1);
///
/// Lifetime       Destroying it cancels the operation.
/// Thread safety  One thread; another one may wake it.
template <awaitable A>
class polled : private detail::branch_parent {
public:
    explicit polled(A&& a) : operand_(std::forward<A>(a)), branch_({operand_, *this, 0}) {}
    polled(const polled&) = delete;
    polled& operator=(const polled&) = delete;

    /// Starts the operation or resumes what was woken. True: it has completed.
    bool is_ready() {
        if (!std::exchange(started_, true)) ready_ |= branch_.start(owner_);
        if (!ready_) owner_.run_turn([this] { return ready_; });
        return ready_;
    }
    bool is_pending() { return !is_ready(); }
    /// Whether it was woken since the last look: another one may find it ready.
    [[nodiscard]] bool is_woken() const noexcept { return started_ && !ready_ && owner_.is_woken(); }
    /// The result of what is ready; throws what the operation throws.
    await_result_t<A> take() {
        if (!ready_)
            detail::fail<std::logic_error>("this weir::test::polled is pending: it has no result");
        return branch_.take();
    }

private:
    void completed(std::size_t) noexcept override { ready_ = true; }

    detail::polled_owner owner_;
    detail::branch_operand<A> operand_;
    detail::branch<A> branch_;
    bool started_ = false;
    bool ready_ = false;
};
template <class A>
polled(A&&) -> polled<A>;

/// Looks at an operation once. Yields an optional of its result, or, where it has none, a bool:
/// whether it has completed without waiting. One that has not is cancelled; an lvalue, such as a
/// join handle, can be looked at again.
template <awaitable A>
[[nodiscard]] auto poll_once(A&& a) {
    using result = detail::branch_value_t<A>;
    polled<A> once(std::forward<A>(a));
    if constexpr (std::is_void_v<await_result_t<A>>) {
        if (once.is_pending()) return false;
        once.take();
        return true;
    } else {
        std::optional<result> value;
        if (once.is_ready()) value.emplace(once.take());
        return value;
    }
}

}  // namespace test
WEIR_ABI_END }  // namespace weir
