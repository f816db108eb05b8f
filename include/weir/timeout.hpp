#pragma once
// timeout: gives an operation a limited time.
//
// A select of the operation and a sleep, in that order. Several operations under one deadline are a
// timeout around a task that does them; to be stopped by somebody else, see cancellation_token.

#include <chrono>
#include <type_traits>
#include <utility>
#include <variant>

#include <weir/expected.hpp>
#include <weir/select.hpp>
#include <weir/time.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class... Args>
inline constexpr bool is_included<timeout_header, Args...> = true;

template <class A, class Timer>
class timeout_operation : public awaitable_base {
    using either = select_operation<true, false, A, Timer>;

public:
    timeout_operation(A&& a, Timer t)
        : either_(branch_operand<A>(std::forward<A>(a)), branch_operand<Timer>(std::move(t))) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety_v<A>;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : public either::race {
    public:
        awaiter(timeout_operation& op, owner& o) : either::race(op.either_, o) {}

        auto await_resume() {
            using value = std::conditional_t<std::is_void_v<await_result_t<A>>, void, branch_value_t<A>>;
            using result = expected<value, elapsed>;
            auto r = either::race::await_resume();
            if (r.index() == 1) return result(unexpect);
            if constexpr (std::is_void_v<value>)
                return result();
            else
                return result(std::get<0>(std::move(r)));
        }
    };

    either either_;
};

template <class A>
constexpr void check_timeout_loses_nothing() {
    static_assert(may_lose<A>,
                  "this operation loses data when the time runs out, such as mpsc send, whose value "
                  "would be gone: use the lossless form (tx.send_for(value, time), or a timeout "
                  "around tx.reserve()), or say weir::lossy(operation) if the loss is meant");
}

}  // namespace detail

/// Awaits `a` for at most `d`; yields expected<T, elapsed>. `a` is tried first, so that what is ready
/// wins even with no time at all. When the time is up, `a` is destroyed.
///
///     auto const v = co_await weir::timeout(100ms, rx.recv());
///     if (!v) log("nothing came");
///
/// Cancel safety  As `a`; does not compile where the time running out would lose data.
/// Errors         What `a` throws; no_runtime_error outside of a runtime.
template <class Rep, class Period, awaitable A>
[[nodiscard("co_await it")]] auto timeout(std::chrono::duration<Rep, Period> d, A&& a) {
    detail::check_timeout_loses_nothing<A>();
    using timer = decltype(sleep_for(d));
    return detail::timeout_operation<A, timer>(std::forward<A>(a), sleep_for(d));
}

/// As timeout, with a deadline.
template <awaitable A>
[[nodiscard("co_await it")]] auto timeout_at(clock::time_point deadline, A&& a) {
    detail::check_timeout_loses_nothing<A>();
    using timer = decltype(sleep_until(deadline));
    return detail::timeout_operation<A, timer>(std::forward<A>(a), sleep_until(deadline));
}

WEIR_ABI_END }  // namespace weir
