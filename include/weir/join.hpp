#pragma once
// join: waits for all of several operations, which run concurrently on this task.
//
// For a number of branches that is known where it is written; a number that grows is a task_group,
// and branches that are to run in parallel are spawned: see join_set.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/concurrency/in_order.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class... Args>
inline constexpr bool is_included<join_header, Args...> = true;

template <class T>
inline constexpr bool is_expected = false;
template <class T, class E>
inline constexpr bool is_expected<expected<T, E>> = true;

/// Collects the result of each branch as it completes. `Try`: an error value ends the join early.
/// `Biased`: each of `As` is a branch_in_order.
template <bool Try, bool Biased, class... As>
class join_operation : public awaitable_base {
    static constexpr std::size_t count = sizeof...(As);

public:
    explicit join_operation(branch_operand<As>... operands) : operands_(std::move(operands)...) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = false;

    using results = std::tuple<std::optional<branch_value_t<As>>...>;

    class base : protected branch_parent {
    public:
        base(join_operation& op, owner& o) : base(op, o, std::index_sequence_for<As...>{}) {}
        base(const base&) = delete;
        base& operator=(const base&) = delete;
        ~base() { drop_all(); }

        bool await_ready() const noexcept { return false; }

        bool await_suspend(std::coroutine_handle<> task) {
            task_ = task;
            starting_ = true;
            for (std::size_t i = 0; i < count && !ended_; ++i)
                with_index<count>(i, [&](auto constant) {
                    if (std::get<constant()>(branches_).start(*owner_)) completed(constant());
                });
            starting_ = false;
            return remaining_ != 0 && !ended_;
        }

    protected:
        /// Destroys what still runs; throws what a branch has thrown.
        void end() {
            drop_all();
            if (exception_) std::rethrow_exception(exception_);
        }
        [[nodiscard]] bool all_completed() const noexcept { return remaining_ == 0; }

        results results_;

    private:
        template <std::size_t... I>
        base(join_operation& op, owner& o, std::index_sequence<I...>)
            : branches_(typename branch<As>::place{std::get<I>(op.operands_), *this, I}...),
              owner_(&o) {
            if constexpr (Biased) {
                in_order* earlier = nullptr;
                auto link = [&](in_order& b) {
                    if (earlier != nullptr) b.follow(*earlier);
                    earlier = &b;
                };
                (link(std::get<I>(op.operands_).get().context()), ...);
            }
        }

        void completed(std::size_t i) noexcept override {
            WEIR_TRY {
                with_index<count>(i, [&](auto constant) { collect<constant()>(); });
            }
            WEIR_CATCH_ALL {
                exception_ = std::current_exception();
                ended_ = true;
            }
            --remaining_;
            if (!starting_ && (remaining_ == 0 || ended_) && task_)
                owner_->transfer(std::exchange(task_, nullptr));
        }

        template <std::size_t I>
        void collect() {
            auto& b = std::get<I>(branches_);
            auto& r = std::get<I>(results_);
            if constexpr (std::is_void_v<typename std::remove_reference_t<decltype(b)>::result>) {
                b.take();
                r.emplace();
            } else {
                r.emplace(b.take());
                if constexpr (Try)
                    if (!r->has_value()) ended_ = true;
            }
            b.drop();
        }
        void drop_all() noexcept {
            std::apply([](auto&... b) { (b.drop(), ...); }, branches_);
        }

        std::tuple<branch<As>...> branches_;
        owner* owner_;
        std::coroutine_handle<> task_;
        std::exception_ptr exception_;
        std::size_t remaining_ = count;
        bool starting_ = false;
        bool ended_ = false;
    };

    class joined : public base {
    public:
        using base::base;
        std::tuple<branch_value_t<As>...> await_resume() {
            this->end();
            return std::apply(
                [](auto&... r) { return std::tuple<branch_value_t<As>...>(std::move(*r)...); },
                this->results_);
        }
    };

    template <class E>
    struct ok_value {
        using type = typename E::value_type;
    };
    template <class E>
        requires std::is_void_v<typename E::value_type>
    struct ok_value<E> {
        using type = std::monostate;
    };
    template <class E>
    static auto take_value(E& e) {
        if constexpr (std::is_void_v<typename E::value_type>)
            return std::monostate{};
        else
            return std::move(*e);
    }

    class try_joined : public base {
    public:
        using base::base;

        template <class First, class...>
        struct error_of {
            using type = typename First::error_type;
        };

        auto await_resume() {
            using values = std::tuple<typename ok_value<branch_value_t<As>>::type...>;
            using error = typename error_of<branch_value_t<As>...>::type;
            using result = expected<values, error>;
            this->end();
            std::optional<error> first;
            std::apply(
                [&](auto&... r) {
                    ((!first && r && !r->has_value() ? static_cast<void>(first.emplace(std::move(r->error())))
                                                     : void()),
                     ...);
                },
                this->results_);
            if (first) return result(unexpect, std::move(*first));
            return result(std::apply(
                [](auto&... r) { return values(take_value(*r)...); }, this->results_));
        }
    };

    using awaiter = std::conditional_t<Try, try_joined, joined>;

    std::tuple<branch_operand<As>...> operands_;
};

template <bool Try, class... Branches>
auto make_biased_join(Branches&&... branches) {
    return join_operation<Try, true, Branches...>(
        branch_operand<Branches>(std::move(branches))...);
}

template <class... As>
inline constexpr bool yield_expected = (is_expected<await_result_t<As>> && ...);

}  // namespace detail

/// Runs its branches concurrently on this task, never in parallel, until all have completed. Yields
/// a std::tuple of their results in argument order (void as std::monostate, a reference as
/// std::reference_wrapper).
///
///     auto [a, b] = co_await weir::join(f(), g());
///
/// Branches that can go on in the same turn do so in the order in which they were woken, and take
/// turns in being first with the budget. `join(biased, …)` keeps to the order of the arguments in
/// each turn, which lets a first branch that is always ready hold up the others.
/// Cancel safety  Destroys the branches that have not completed.
/// Errors         The first exception destroys the other branches and travels on.
template <class... As>
    requires(awaitable<As> && ...)
[[nodiscard("co_await it")]] auto join(As&&... branches) {
    return detail::join_operation<false, false, As...>(
        detail::branch_operand<As>(std::forward<As>(branches))...);
}
template <class... As>
    requires(awaitable<As> && ...)
[[nodiscard("co_await it")]] auto join(biased_t, As&&... branches) {
    return detail::make_biased_join<false>(
        detail::branch_in_order<As>(std::forward<As>(branches))...);
}

/// As join, for branches that each yield an `expected<_, E>`: the first error destroys the other
/// branches. Yields `expected<std::tuple<…>, E>`.
template <class... As>
    requires(sizeof...(As) != 0 && (awaitable<As> && ...))
[[nodiscard("co_await it")]] auto try_join(As&&... branches) {
    static_assert(detail::yield_expected<As...>,
                  "each branch of try_join yields a weir::expected; use join for the others");
    return detail::join_operation<true, false, As...>(
        detail::branch_operand<As>(std::forward<As>(branches))...);
}
template <class... As>
    requires(sizeof...(As) != 0 && (awaitable<As> && ...))
[[nodiscard("co_await it")]] auto try_join(biased_t, As&&... branches) {
    static_assert(detail::yield_expected<As...>,
                  "each branch of try_join yields a weir::expected; use join for the others");
    return detail::make_biased_join<true>(
        detail::branch_in_order<As>(std::forward<As>(branches))...);
}

WEIR_ABI_END }  // namespace weir
