#pragma once
// once_cell: a value that is made once, on first use. set_once: one that is set once and awaited.
//
// The first has whoever needs the value first make it, while the others wait; the second waits for
// somebody who has it. A value that changes later is a watch; one for a single task a oneshot.

#include <coroutine>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/result_slot.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/detail/sync/fill_state.hpp>
#include <weir/detail/sync/once_init.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A `set` that came too late; the value comes back.
template <class T>
class set_error {
public:
    set_error(bool is_initializing, T&& v) : value(std::move(v)), initializing_(is_initializing) {}
    [[nodiscard]] bool is_already_initialized() const noexcept { return !initializing_; }
    /// Somebody else was making the value at that moment.
    [[nodiscard]] bool is_initializing() const noexcept { return initializing_; }

    T value;

private:
    bool initializing_;
};

/// A value that the first to need it makes, while the others wait.
///
///     weir::once_cell<pool> connections;
///     pool& p = co_await connections.get_or_init([&] { return connect(address); });
///
/// It is constant-initialised, so that it may be a static. What several tasks may do with the value
/// at once is T's to say.
/// Lifetime       Must outlive its waiters and the references that it yields.
/// Thread safety  Any thread, but for take, which needs the cell to itself.
template <class T>
class once_cell {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>,
                  "weir::once_cell<T> owns its value: T must be an object type without const");

public:
    constexpr once_cell() noexcept {}
    /// A cell that has its value already.
    explicit once_cell(T value) : value_(std::move(value)), state_(true) {}
    once_cell(const once_cell&) = delete;
    once_cell& operator=(const once_cell&) = delete;
    ~once_cell() {
        if (initialized()) std::destroy_at(std::addressof(value_));
    }

    /// The value, or null while there is none.
    [[nodiscard]] T* get() noexcept { return initialized() ? std::addressof(value_) : nullptr; }
    [[nodiscard]] const T* get() const noexcept {
        return initialized() ? std::addressof(value_) : nullptr;
    }
    [[nodiscard]] bool initialized() const noexcept { return state_.is_filled(); }

    /// Yields a T&, which `f()` makes if it is not there yet: `f` returns the value, or what yields
    /// it when awaited. One `f` runs at a time; who is not first waits, and does not call its own.
    /// Suspends       While another `f` runs, and while its own does.
    /// Cancel safety  Safe: the next waiter runs its own `f`. As the awaitable that `f` returns, if
    ///                that loses data.
    /// Errors         What `f` throws; the next waiter runs its own then. An `f` that needs the
    ///                value of the same cell waits for itself.
    /// Lifetime       An `f` passed as an lvalue is referred to, not copied.
    template <class F>
    [[nodiscard("co_await it")]] auto get_or_init(F&& f) {
        detail::check_initializer<F>();
        return init_operation<F, false>(*this, std::forward<F>(f));
    }
    /// As get_or_init, where `f` makes an expected<T, E>; yields an expected of a
    /// std::reference_wrapper<T> or E.
    /// Errors  An error of `f` leaves the cell empty, for the next waiter to run its own.
    template <class F>
    [[nodiscard("co_await it")]] auto get_or_try_init(F&& f) {
        detail::check_initializer<F>();
        return init_operation<F, true>(*this, std::forward<F>(f));
    }

    /// Sets the value.
    /// Errors  The value comes back where there is one already, or is being made.
    template <class U = T>
        requires detail::value_for<U, T>
    expected<void, set_error<T>> set(U&& value) {
        using claim = detail::fill_state::claim;
        const claim c = state_.begin_filling();
        if (c != claim::mine)
            return expected<void, set_error<T>>(
                unexpect, c == claim::busy, detail::as_value<T>(std::forward<U>(value)));
        detail::filling turn(state_, true);
        detail::construct_value(value_, std::forward<U>(value));
        turn.complete();
        return {};
    }

    /// Moves the value out and leaves the cell empty, for a caller who has it to itself.
    [[nodiscard]] std::optional<T> take() {
        if (!initialized()) return std::nullopt;
        std::optional<T> taken(std::move(value_));
        std::destroy_at(std::addressof(value_));
        state_.reset();
        return taken;
    }

private:
    template <class F, bool Try>
    class init_operation : public detail::awaitable_base {
        using init = detail::once_init<F>;
        using made = typename init::result;

    public:
        init_operation(once_cell& c, F&& f) : cell_(&c), function_(std::forward<F>(f)) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = init::safety;
        static constexpr bool awaitable_as_lvalue = false;

        class awaiter : public init::awaiter {
        public:
            awaiter(init_operation& op, detail::owner& o)
                : init::awaiter(op.cell_->state_, op.function_, o), cell_(op.cell_) {}

            typename detail::once_yield<T, made, Try>::type await_resume() {
                if (this->has_turn()) {
                    if constexpr (Try) {
                        made r = this->take_made();
                        if (!r) return unexpected(std::move(r).error());
                        ::new (place()) T(*std::move(r));
                    } else {
                        ::new (place()) T(this->take_made());
                    }
                    this->complete();
                }
                return cell_->value_;
            }

        private:
            void* place() const noexcept { return std::addressof(cell_->value_); }
            once_cell* cell_;
        };

        once_cell* cell_;
        F function_;
    };

    union {
        detail::unit nothing_{};
        T value_;
    };
    detail::fill_state state_;
};

/// An event with a value: set once, awaited by any number of tasks.
///
///     weir::set_once<address> bound;
///     bound.set(where).value();                      // plain
///     const address& a = co_await bound.wait();
///
/// Lifetime       Must outlive its waiters and the references that it yields.
/// Thread safety  Any thread.
template <class T>
class set_once {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>,
                  "weir::set_once<T> owns its value: T must be an object type without const");

public:
    constexpr set_once() noexcept {}
    explicit set_once(T value) : value_(std::move(value)), state_(true) {}
    set_once(const set_once&) = delete;
    set_once& operator=(const set_once&) = delete;
    ~set_once() {
        if (initialized()) std::destroy_at(std::addressof(value_));
    }

    /// Sets the value and wakes everybody who waits.
    /// Errors  The value comes back where another one was set, or is being set at this moment.
    template <class U = T>
        requires detail::value_for<U, T>
    expected<void, T> set(U&& value) {
        if (state_.begin_filling() != detail::fill_state::claim::mine)
            return expected<void, T>(unexpect, detail::as_value<T>(std::forward<U>(value)));
        detail::filling turn(state_, false);
        detail::construct_value(value_, std::forward<U>(value));
        turn.complete();
        return {};
    }

    /// The value, or null while there is none.
    [[nodiscard]] const T* get() const noexcept {
        return initialized() ? std::addressof(value_) : nullptr;
    }
    [[nodiscard]] bool initialized() const noexcept { return state_.is_filled(); }

    /// Yields a const T&.
    /// Suspends       Until the value is set.
    /// Cancel safety  Safe.
    [[nodiscard("co_await it")]] auto wait() noexcept { return wait_operation(*this); }
    /// As wait, blocking the thread.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    [[nodiscard]] const T& blocking_wait() {
        return detail::block_thread_on(
            wait(), "set_once::blocking_wait on a thread that runs tasks: co_await wait()");
    }
    /// Moves the value out, for a caller who has the cell to itself.
    [[nodiscard]] std::optional<T> into_inner() && {
        if (!initialized()) return std::nullopt;
        return std::move(value_);
    }

private:
    class wait_operation : public detail::awaitable_base {
    public:
        explicit wait_operation(set_once& s) noexcept : cell_(&s) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::safe;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public detail::filled_awaiter {
        public:
            awaiter(wait_operation& op, detail::owner& o) noexcept
                : filled_awaiter(op.cell_->state_, o), cell_(op.cell_) {}
            const T& await_resume() noexcept {
                return cell_->value_;
            }

        private:
            set_once* cell_;
        };

        set_once* cell_;
    };

    union {
        detail::unit nothing_{};
        T value_;
    };
    detail::fill_state state_;
};

WEIR_ABI_END }  // namespace weir
