#pragma once
// How a once_cell gets its value: one waiter's turn to call its function and await what it returns.
//
// The turn runs inside the awaiter, without a coroutine of its own: what the function returns is a
// branch, as in a select of one. A waiter whose turn comes is resumed in `resumed`, on its owner's
// turn, and starts its function there.

#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/resume_hook.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/detail/sync/fill_state.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Somebody's turn to fill a cell, given up unless completed.
class filling {
public:
    filling(fill_state& s, bool waiters_fill) noexcept : state_(&s), waiters_fill_(waiters_fill) {}
    filling(const filling&) = delete;
    filling& operator=(const filling&) = delete;
    ~filling() {
        if (state_) state_->give_up(waiters_fill_);
    }
    void complete() noexcept { std::exchange(state_, nullptr)->complete(); }

private:
    fill_state* state_;
    bool waiters_fill_;
};

template <class T, class U>
void construct_value(T& place, U&& value) {
    ::new (static_cast<void*>(std::addressof(place))) T(as_value<T>(std::forward<U>(value)));
}

/// Waits until somebody has filled the cell.
class filled_awaiter : public fill_state::waiter {
public:
    using waiter::waiter;
    bool await_ready() noexcept {
        if (!who->has_budget() || !cell().is_filled()) return false;
        who->spend_budget();
        return true;
    }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        handle = h;
        if (wait_for_filled()) return true;
        if (who->has_budget()) {
            who->spend_budget();
            handle = nullptr;
            return false;
        }
        yield_granted();
        return true;
    }
};

template <class F>
constexpr void check_initializer() {
    static_assert(std::is_invocable_v<F>, "the initializer is called without arguments");
    static_assert(survives_as_callable<F>,
                  "g++ 12 destroys the captures of a lambda that is a temporary of a co_await "
                  "expression twice: name the lambda first and pass the name, or capture by "
                  "reference");
}

/// What get_or_init yields, and get_or_try_init, whose function makes an expected.
template <class T, class Made, bool Try>
struct once_yield {
    static_assert(std::is_same_v<T, Made> || std::is_constructible_v<T, Made>,
                  "get_or_init: the cell's value cannot be made from what the initializer yields");
    using type = T&;
};
template <class T, class Made>
struct once_yield<T, Made, true> {
    static_assert(requires { typename Made::error_type; },
                  "get_or_try_init: the initializer yields an expected<T, E>; use get_or_init "
                  "where it cannot fail");
    using type = expected<std::reference_wrapper<T>, typename Made::error_type>;
};

template <class F>
struct once_init {
    using produced = std::invoke_result_t<F>;
    static constexpr bool waits = awaitable<produced>;

    template <class P>
    struct yields {
        using type = P;
    };
    template <awaitable P>
    struct yields<P> {
        using type = await_result_t<P>;
    };
    using result = typename yields<produced>::type;

    static constexpr cancel_safety safety = cancel_safety_v<produced> == cancel_safety::loses_data
                                                ? cancel_safety::loses_data
                                                : cancel_safety::safe;

    class awaiter : public fill_state::waiter, private resume_hook<awaiter> {
        using claim = fill_state::claim;
        using function = std::remove_reference_t<F>;
        struct nothing {};

        // Told when what the function returned has completed.
        class completion final : public branch_parent {
        public:
            explicit completion(awaiter& a) noexcept : awaiter_(&a) {}
            void completed(std::size_t) noexcept override { awaiter_->made(); }

        private:
            awaiter* awaiter_;
        };
        using operand = std::conditional_t<waits, std::optional<branch_operand<produced>>, nothing>;
        using running = std::conditional_t<waits, std::optional<branch<produced>>, nothing>;

    public:
        awaiter(fill_state& s, function& f, owner& o)
            : waiter(s, o), function_(std::addressof(f)) {}
        ~awaiter() { end_turn(); }

        bool await_ready() noexcept {
            if (!this->who->has_budget() || !this->cell().is_filled()) return false;
            this->who->spend_budget();
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> task) {
            task_ = task;
            wait_node::handle = resume_hook<awaiter>::handle();
            switch (this->begin_or_wait()) {
                case claim::busy: return true;
                case claim::mine: wait_node::handle = nullptr; return !begin_turn();
                case claim::filled: break;
            }
            if (this->who->has_budget()) {
                this->who->spend_budget();
                wait_node::handle = nullptr;
                return false;
            }
            this->yield_granted();
            return true;
        }

    protected:
        [[nodiscard]] bool has_turn() const noexcept { return has_turn_; }
        /// What the function has made; throws what it has thrown.
        result take_made() {
            if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
            if constexpr (waits)
                return branch_->take();
            else
                return std::forward<F>(*function_)();
        }
        void complete() noexcept {
            has_turn_ = false;
            this->cell().complete();
        }

    private:
        friend class resume_hook<awaiter>;

        /// Calls the function and starts what it returns. True: the result is there.
        bool begin_turn() {
            has_turn_ = true;
            if constexpr (!waits) {
                return true;
            } else {
                operand_.emplace(std::forward<F>(*function_)());
                branch_.emplace(typename branch<produced>::place{*operand_, completion_, 0});
                starting_ = true;
                const bool ready = branch_->start(*this->who);
                starting_ = false;
                return ready || made_;
            }
        }
        void end_turn() noexcept {
            if constexpr (waits) branch_.reset();
            if (std::exchange(has_turn_, false)) this->cell().give_up(true);
        }

        /// Woken: the cell is filled, or it is this waiter's turn.
        void resumed() noexcept {
            owner& o = *this->who;
            if (!this->cell().is_filled()) {
                this->granted = false;
                WEIR_TRY {
                    if (!begin_turn()) return;
                }
                WEIR_CATCH_ALL { error_ = std::current_exception(); }
            }
            o.transfer(task_);
        }
        void made() noexcept {
            made_ = true;
            if (!starting_) this->who->transfer(task_);
        }

        function* function_;
        std::coroutine_handle<> task_;
        completion completion_{*this};
        std::exception_ptr error_;
        bool has_turn_ = false;
        bool starting_ = false;
        bool made_ = false;
        [[no_unique_address]] operand operand_;
        [[no_unique_address]] running branch_;
    };
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
