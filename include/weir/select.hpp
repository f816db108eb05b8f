#pragma once
// select: waits for the first of several operations, and cancels the others.
//
// For a number of branches that is known where it is written; the first of a number that grows is a
// task_group's join_next, or a join_set's where they run in parallel.

#include <coroutine>
#include <cstddef>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/concurrency/in_order.hpp>
#include <weir/detail/core/misuse.hpp>

namespace weir { WEIR_ABI_BEGIN

/// Last argument of a select: wins, as a std::monostate, when every branch is disabled.
struct otherwise_t {};
inline constexpr otherwise_t otherwise{};

namespace detail {

template <class... Args>
inline constexpr bool is_included<select_header, Args...> = true;

template <class A>
struct conditional_branch {
    bool condition;
    A&& operand;
};

template <class A>
class lossy_operation : public awaitable_base {
public:
    explicit lossy_operation(A&& a) : operand_(std::forward<A>(a)) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_place;
    static constexpr bool awaitable_as_lvalue =
        std::is_lvalue_reference_v<A> || awaiter_access::by_lvalue<std::remove_cvref_t<A>>;

    class awaiter : public native_awaiter_t<A> {
    public:
        awaiter(lossy_operation& op, owner& o) : native_awaiter_t<A>(op.operand_, o) {}
    };

    A operand_;
};

template <class A>
struct branch_argument {
    using type = A;
    static branch_operand<A> make(A&& a) { return branch_operand<A>(std::forward<A>(a)); }
};
template <class A>
struct branch_argument<conditional_branch<A>> {
    using type = A;
    static branch_operand<A> make(conditional_branch<A>&& c) {
        return branch_operand<A>(std::forward<A>(c.operand), c.condition);
    }
};
template <class A>
using branch_argument_t = typename branch_argument<A>::type;

template <class A>
concept branch_like = awaitable<branch_argument_t<A>>;

/// Whether an awaitable may lose a race without losing data.
template <class A>
inline constexpr bool may_lose = cancel_safety_v<A> != cancel_safety::loses_data;

template <bool Biased, bool Otherwise, class... As>
class select_operation : public awaitable_base {
    static constexpr std::size_t count = sizeof...(As);
    static constexpr std::size_t none = count + 1;

public:
    using result = std::conditional_t<Otherwise, std::variant<branch_value_t<As>..., std::monostate>,
                                      std::variant<branch_value_t<As>...>>;

    explicit select_operation(branch_operand<As>... operands) : operands_(std::move(operands)...) {}

    // Not private: timeout builds on it.
    class race : private branch_parent {
    public:
        race(select_operation& op, owner& o) : race(op, o, std::index_sequence_for<As...>{}) {}
        race(const race&) = delete;
        race& operator=(const race&) = delete;
        ~race() { drop_all(); }

        bool await_ready() const noexcept { return false; }

        bool await_suspend(std::coroutine_handle<> task) {
            task_ = task;
            starting_ = true;
            const std::size_t first = Biased || count < 2 ? 0 : owner_->home().random() % count;
            bool any = false;
            for (std::size_t k = 0; k < count && winner_ == none; ++k) {
                const std::size_t i = first + k < count ? first + k : first + k - count;
                with_index<count>(i, [&](auto constant) { any |= start<constant()>(); });
            }
            starting_ = false;
            if (!any) {
                if constexpr (!Otherwise)
                    fail<std::logic_error>(
                        "weir::select: every branch is disabled: add weir::otherwise");
                winner_ = count;
            }
            return winner_ == none;
        }

        result await_resume() {
            struct drop_on_return {
                race* self;
                ~drop_on_return() { self->drop_all(); }
            } const end{this};
            return take_winner<0>();
        }

    private:
        template <std::size_t... I>
        race(select_operation& op, owner& o, std::index_sequence<I...>)
            : operands_(&op.operands_),
              branches_(typename branch<As>::place{std::get<I>(op.operands_), *this, I}...),
              owner_(&o) {}

        template <std::size_t I>
        bool start() {
            if (!std::get<I>(*operands_).enabled()) return false;
            if (std::get<I>(branches_).start(*owner_)) completed(I);
            return true;
        }
        // The last alternative is not asked for its index: clang 16 loses the results of the others
        // where a way through the function, however impossible, returns nothing.
        template <std::size_t I>
        result take_winner() {
            if constexpr (I + (Otherwise ? 0 : 1) < count) {
                if (winner_ != I) return take_winner<I + 1>();
            }
            if constexpr (I == count) {
                return result(std::in_place_index<I>);
            } else {
                auto& winner = std::get<I>(branches_);
                if constexpr (std::is_void_v<decltype(winner.take())>) {
                    winner.take();
                    return result(std::in_place_index<I>);
                } else {
                    return result(std::in_place_index<I>, winner.take());
                }
            }
        }
        void completed(std::size_t i) noexcept override {
            if (winner_ != none) return;
            winner_ = i;
            if (!starting_) owner_->transfer(task_);
        }
        void drop_all() noexcept {
            std::apply([](auto&... b) { (b.drop(), ...); }, branches_);
        }

        std::tuple<branch_operand<As>...>* operands_;
        std::tuple<branch<As>...> branches_;
        owner* owner_;
        std::coroutine_handle<> task_;
        std::size_t winner_ = none;
        bool starting_ = false;
    };

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety =
        ((cancel_safety_v<As> == cancel_safety::safe) && ...) ? cancel_safety::safe
                                                               : cancel_safety::loses_place;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : public race {
    public:
        using race::race;
    };

    std::tuple<branch_operand<As>...> operands_;
};

template <bool Biased, bool Otherwise, class... As>
auto make_select(branch_operand<As>... operands) {
    static_assert((may_lose<As> && ...),
                  "a branch of this select loses data when it loses the race, such as mpsc send, "
                  "whose value would be gone: use the lossless form (co_await tx.reserve(), then "
                  "permit.send(value)), or say weir::lossy(operation) if the loss is meant");
    return select_operation<Biased, Otherwise, As...>(std::move(operands)...);
}

}  // namespace detail

/// A branch that takes part only where `condition` holds; otherwise it is never started.
template <awaitable A>
[[nodiscard]] detail::conditional_branch<A> when(bool condition, A&& a) noexcept {
    return {condition, std::forward<A>(a)};
}

/// Lets an operation that loses data take part in a race all the same.
template <detail::native_awaitable A>
[[nodiscard]] auto lossy(A&& a) {
    return detail::lossy_operation<A>(std::forward<A>(a));
}

/// Runs its branches concurrently on this task, never in parallel, until the first one completes.
/// Yields a std::variant of the results in branch order (void as std::monostate, a reference as
/// std::reference_wrapper): `index()` says who won.
///
///     auto const r = co_await weir::select(rx.recv(), weir::sleep_for(1s));
///     if (r.index() == 0) use(std::get<0>(r));
///
/// The branches are started in order from a random one; `select(biased, …)` starts at the top. All
/// of them, winner and losers, are destroyed before the caller goes on. An lvalue branch (a join
/// handle, a oneshot receiver, a notified, a sleep) is taken by reference and survives a lost race.
/// Cancel safety  Does not compile with a branch that would lose data: see `lossy`.
/// Errors         The winner's exception. Throws std::logic_error when every branch is disabled and
///                there is no `otherwise`.
template <class... As>
    requires(sizeof...(As) != 0 && (detail::branch_like<As> && ...))
[[nodiscard("co_await it")]] auto select(As&&... branches) {
    return detail::make_select<false, false, detail::branch_argument_t<As>...>(
        detail::branch_argument<As>::make(std::forward<As>(branches))...);
}
template <class... As>
    requires(sizeof...(As) != 0 && (detail::branch_like<As> && ...))
[[nodiscard("co_await it")]] auto select(biased_t, As&&... branches) {
    return detail::make_select<true, false, detail::branch_argument_t<As>...>(
        detail::branch_argument<As>::make(std::forward<As>(branches))...);
}

namespace detail {

template <bool Biased, class... As, std::size_t... I>
auto select_otherwise(std::tuple<As&&...> arguments, std::index_sequence<I...>) {
    using types = std::tuple<As...>;
    return make_select<Biased, true, branch_argument_t<std::tuple_element_t<I, types>>...>(
        branch_argument<std::tuple_element_t<I, types>>::make(
            std::forward<std::tuple_element_t<I, types>>(std::get<I>(arguments)))...);
}

template <class... As>
inline constexpr bool ends_with_otherwise =
    std::is_same_v<std::remove_cvref_t<std::tuple_element_t<sizeof...(As) - 1, std::tuple<As...>>>,
                   otherwise_t>;

}  // namespace detail

/// As select without `otherwise`; yields std::monostate in its place where every branch is disabled.
template <class... As>
    requires(sizeof...(As) > 1 && detail::ends_with_otherwise<As...>)
[[nodiscard("co_await it")]] auto select(As&&... branches) {
    return detail::select_otherwise<false, As...>(std::tuple<As&&...>(std::forward<As>(branches)...),
                                           std::make_index_sequence<sizeof...(As) - 1>{});
}
template <class... As>
    requires(sizeof...(As) > 1 && detail::ends_with_otherwise<As...>)
[[nodiscard("co_await it")]] auto select(biased_t, As&&... branches) {
    return detail::select_otherwise<true, As...>(std::tuple<As&&...>(std::forward<As>(branches)...),
                                          std::make_index_sequence<sizeof...(As) - 1>{});
}

WEIR_ABI_END }  // namespace weir
