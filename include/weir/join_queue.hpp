#pragma once
// join_queue: parallel tasks that are joined in the order of their spawns. See join_set for the
// others of its kind.

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/collect_all.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/expected.hpp>
#include <weir/local_set.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A queue of spawned tasks that all yield a `T`: they run in parallel, and are joined first in,
/// first out, so that results leave in the order in which the work came.
///
///     weir::join_queue<int> sizes;
///     for (auto& u : urls) sizes.spawn(fetch(std::move(u)));
///     while (auto size = co_await sizes.join_next()) {
///         if (*size) use(**size); else log(size->error().what());
///     }
///
/// A task stays in the queue, and its result is kept, until it is joined. A wait allocates nothing.
/// Lifetime       Destroying the queue aborts its tasks; it does not wait for them: see shutdown.
/// Thread safety  One thread at a time.
template <class T = void>
class join_queue {
    static_assert(!std::is_reference_v<T>,
                  "the tasks of a weir::join_queue yield an object or nothing: return a pointer");
    template <bool WithId>
    class next_operation;

public:
    using value_type = T;

    join_queue() noexcept = default;
    join_queue(join_queue&&) noexcept = default;
    join_queue& operator=(join_queue&& other) noexcept {
        abort_all();
        state_ = std::move(other.state_);
        return *this;
    }
    ~join_queue() { abort_all(); }

    /// Spawns on the current runtime, as weir::spawn.
    /// Errors  Throws no_runtime_error outside of a runtime.
    abort_handle spawn(task<T> t, std::source_location site = std::source_location::current()) {
        return add(weir::spawn(std::move(t), site));
    }
    abort_handle spawn(const spawn_options& options, task<T> t) {
        return add(weir::spawn(options, std::move(t)));
    }
    template <detail::spawnable_callable F, class... Args>
    abort_handle spawn(F f, Args... args) {
        return add(weir::spawn(std::move(f), std::move(args)...));
    }
    template <detail::spawnable_callable F, class... Args>
    abort_handle spawn(const spawn_options& options, F f, Args... args) {
        return add(weir::spawn(options, std::move(f), std::move(args)...));
    }

    /// As weir::spawn_blocking; an abort has no effect on a call that has begun.
    template <std::invocable F>
    abort_handle spawn_blocking(F f, std::source_location site = std::source_location::current()) {
        return add(weir::spawn_blocking(std::move(f), site));
    }
    template <std::invocable F>
    abort_handle spawn_blocking(const spawn_options& options, F f) {
        return add(weir::spawn_blocking(options, std::move(f)));
    }

    /// As weir::spawn_local: a task that stays on the thread of the current local_set.
    /// Errors  Throws no_local_set_error outside of one.
    abort_handle spawn_local(task<T> t,
                             std::source_location site = std::source_location::current()) {
        return add(weir::spawn_local(std::move(t), site));
    }
    template <detail::spawnable_callable F, class... Args>
    abort_handle spawn_local(F f, Args... args) {
        return add(weir::spawn_local(std::move(f), std::move(args)...));
    }

    /// Spawns on another runtime: a task, or a callable with its arguments, as weir::spawn.
    template <class... Args>
    abort_handle spawn_on(const runtime_handle& runtime, Args... args) {
        return add(runtime.spawn(std::move(args)...));
    }

    /// Waits until the oldest task has ended; yields std::optional<expected<T, join_error>>, and
    /// nullopt when the queue is empty.
    /// Cancel safety  Safe: a wait that is cancelled takes nothing out of the queue.
    /// Errors         Throws std::logic_error while another one waits.
    [[nodiscard("co_await it")]] auto join_next() noexcept {
        return next_operation<false>(state_.get());
    }
    /// As join_next; yields std::optional<std::pair<task_id, expected<T, join_error>>>.
    [[nodiscard("co_await it")]] auto join_next_with_id() noexcept {
        return next_operation<true>(state_.get());
    }
    /// The oldest task, if it has ended. Does not count as an operation of the task's budget.
    [[nodiscard]] std::optional<expected<T, join_error>> try_join_next() {
        if (empty() || !state_->tasks.front().is_finished()) return std::nullopt;
        state_->check_alone();
        join_handle<T> oldest = state_->take_oldest();
        return detail::spawn_access::take_outcome(oldest);
    }

    /// Waits for all tasks; yields a std::vector of their values, in the order of their spawns, or
    /// nothing where they are void.
    /// Cancel safety  Loses the values that it had collected; the other tasks stay in the queue.
    /// Errors         Throws the exception of the oldest task that has thrown, or task_cancelled
    ///                where that one was aborted; the others are aborted then, and the queue is
    ///                empty.
    [[nodiscard("co_await it")]] auto join_all() {
        return detail::collect_operation<T>(detail::collect_all(this));
    }

    /// Aborts every task. They stay in the queue until they are joined.
    void abort_all() noexcept {
        if (!state_) return;
        for (join_handle<T>& h : state_->tasks) h.abort();
    }
    /// Aborts every task and waits until all of them are destroyed, whatever they leave behind.
    /// Cancel safety  Safe: the tasks are aborted in any case, and stay in the queue.
    [[nodiscard("co_await it")]] WEIR_COROUTINE_WRAPPER task<> shutdown() {
        return detail::abort_and_drain(this);
    }

    /// Empties the queue and lets its tasks go on by themselves, as join_handle::detach.
    /// Errors  Throws std::logic_error while a join_next waits.
    void detach_all() {
        if (!state_) return;
        state_->check_alone();
        state_->tasks.clear();
    }

    /// How many tasks are running or not joined yet.
    [[nodiscard]] std::size_t size() const noexcept { return state_ ? state_->tasks.size() : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

private:
    struct state {
        std::deque<join_handle<T>> tasks;
        bool is_joined = false;  // a join_next waits for the first of them

        void check_alone() const {
            if (is_joined)
                detail::fail<std::logic_error>(
                    "weir::join_queue: its oldest task is being joined already: one join_next at a "
                    "time");
        }
        join_handle<T> take_oldest() {
            join_handle<T> oldest = std::move(tasks.front());
            tasks.pop_front();
            return oldest;
        }
    };

    /// Where there is no room for it, the task is aborted.
    abort_handle add(join_handle<T> h) {
        abort_handle for_caller = h.get_abort_handle();
        WEIR_TRY {
            if (!state_) state_ = std::make_unique<state>();
            state_->tasks.push_back(std::move(h));
        }
        WEIR_CATCH_ALL {
            for_caller.abort();
            WEIR_RETHROW;
        }
        return for_caller;
    }

    std::unique_ptr<state> state_;
};

template <class T>
template <bool WithId>
class join_queue<T>::next_operation : public detail::awaitable_base {
public:
    explicit next_operation(state* s) noexcept : state_(s) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    using result_operation = decltype(std::declval<join_handle<T>&>().result());

    class awaiter {
    public:
        awaiter(next_operation& op, detail::owner& o) {
            if (op.state_ == nullptr || op.state_->tasks.empty()) return;
            op.state_->check_alone();
            state_ = op.state_;
            state_->is_joined = true;
            join_handle<T>& oldest = state_->tasks.front();
            id_ = oldest.id();
            result_operation end = oldest.result();
            end_.emplace(end, o);
        }
        awaiter(const awaiter&) = delete;
        awaiter& operator=(const awaiter&) = delete;
        ~awaiter() {
            if (state_ != nullptr) state_->is_joined = false;
        }

        bool await_ready() noexcept { return !end_ || end_->await_ready(); }
        bool await_suspend(std::coroutine_handle<> h) noexcept { return end_->await_suspend(h); }
        auto await_resume() {
            using outcome = std::optional<expected<T, join_error>>;
            using identified = std::optional<std::pair<task_id, expected<T, join_error>>>;
            using result = std::conditional_t<WithId, identified, outcome>;
            if (!end_) return result();
            struct leave {
                ~leave() { self->state_->tasks.pop_front(); }
                awaiter* self;
            } const at_the_end{this};
            if constexpr (WithId)
                return result(std::in_place, id_, end_->await_resume());
            else
                return result(std::in_place, end_->await_resume());
        }

    private:
        state* state_ = nullptr;
        task_id id_{};
        std::optional<detail::native_awaiter_t<result_operation>> end_;
    };

    state* state_;
};

WEIR_ABI_END }  // namespace weir
