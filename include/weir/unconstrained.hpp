#pragma once
// unconstrained: an awaitable without the cooperative budget (yield.hpp says what that is).

#include <utility>

#include <weir/detail/concurrency/nested_owner.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class without_budget {
public:
    void enter(owner& inner, owner&) const noexcept { inner.exchange_budget(owner::unlimited); }
    void leave(owner&, owner&) const noexcept {}
    template <class F>
    void destroy(F f) const noexcept {
        f();
    }
};

}  // namespace detail

/// Awaits `a` without a budget: as long as what it waits for is ready it never yields, and it uses
/// up nothing of the caller's budget. It can keep its thread from all other tasks: for work that is
/// known to be short.
///
///     for (int i = 0; i < 200; ++i) batch.push_back(co_await weir::unconstrained(rx.recv()));
///
/// Cancel safety  As `a`.
template <awaitable A>
[[nodiscard("co_await it")]] auto unconstrained(A&& a) {
    return detail::nested_operation<detail::without_budget, A>(std::forward<A>(a));
}

WEIR_ABI_END }  // namespace weir
