#pragma once
// join_set: parallel tasks that are joined in the order of their ending, and aborted with the set.
//
//     what is to be joined                      take
//     results of tasks that run in parallel     join_set; join_map where each has a key
//     the same, in the order of their spawns    join_queue
//     branches that borrow from their scope     task_group
//     nothing but the end of all, at shutdown   task_tracker
//     one task, which is to end with its scope  abort_on_drop

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <source_location>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/collect_all.hpp>
#include <weir/detail/concurrency/task_set.hpp>
#include <weir/expected.hpp>
#include <weir/local_set.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A growing set of spawned tasks that all yield a `T`. They run in parallel and own what they use;
/// for branches that borrow from the task they belong to, see task_group.
///
///     weir::join_set<int> set;
///     for (int i = 0; i < 10; ++i) set.spawn(work(i));
///     while (auto ended = co_await set.join_next()) {
///         if (*ended) use(**ended); else log(ended->error().what());
///     }
///
/// A task stays a member, and its result is kept, until it is joined. A set costs one allocation, a
/// task one small node beside its frame, a wait nothing.
/// Lifetime       Destroying the set aborts its tasks; it does not wait for them: see shutdown.
/// Thread safety  One thread at a time.
template <class T = void>
class join_set {
    static_assert(!std::is_reference_v<T>,
                  "the tasks of a weir::join_set yield an object or nothing: return a pointer");
    template <bool WithId>
    class next_operation;

public:
    using value_type = T;

    join_set() noexcept = default;
    join_set(join_set&&) noexcept = default;
    join_set& operator=(join_set&&) noexcept = default;

    /// Spawns on the current runtime, as weir::spawn.
    /// Errors  Throws no_runtime_error outside of a runtime.
    abort_handle spawn(task<T> t, std::source_location site = std::source_location::current()) {
        return add([&] { return weir::spawn(std::move(t), site); });
    }
    abort_handle spawn(const spawn_options& options, task<T> t) {
        return add([&] { return weir::spawn(options, std::move(t)); });
    }
    template <detail::spawnable_callable F, class... Args>
    abort_handle spawn(F f, Args... args) {
        return add([&] { return weir::spawn(std::move(f), std::move(args)...); });
    }
    template <detail::spawnable_callable F, class... Args>
    abort_handle spawn(const spawn_options& options, F f, Args... args) {
        return add([&] { return weir::spawn(options, std::move(f), std::move(args)...); });
    }

    /// As weir::spawn_blocking; an abort has no effect on a call that has begun.
    template <std::invocable F>
    abort_handle spawn_blocking(F f, std::source_location site = std::source_location::current()) {
        return add([&] { return weir::spawn_blocking(std::move(f), site); });
    }
    template <std::invocable F>
    abort_handle spawn_blocking(const spawn_options& options, F f) {
        return add([&] { return weir::spawn_blocking(options, std::move(f)); });
    }

    /// As weir::spawn_local: a task that stays on the thread of the current local_set.
    /// Errors  Throws no_local_set_error outside of one.
    abort_handle spawn_local(task<T> t,
                             std::source_location site = std::source_location::current()) {
        return add([&] { return weir::spawn_local(std::move(t), site); });
    }
    template <detail::spawnable_callable F, class... Args>
    abort_handle spawn_local(F f, Args... args) {
        return add([&] { return weir::spawn_local(std::move(f), std::move(args)...); });
    }

    /// Spawns on another runtime: a task, or a callable with its arguments, as weir::spawn.
    template <class... Args>
    abort_handle spawn_on(const runtime_handle& runtime, Args... args) {
        return add([&] { return runtime.spawn(std::move(args)...); });
    }

    /// Waits until a task has ended; yields std::optional<expected<T, join_error>>, in the order of
    /// their ending, and nullopt when the set is empty.
    /// Cancel safety  Safe: a wait that is cancelled takes nothing out of the set.
    [[nodiscard("co_await it")]] auto join_next() noexcept {
        return next_operation<false>(state_.get());
    }
    /// As join_next; yields std::optional<std::pair<task_id, expected<T, join_error>>>.
    [[nodiscard("co_await it")]] auto join_next_with_id() noexcept {
        return next_operation<true>(state_.get());
    }
    /// A task that has ended; nullopt if none has, or none is left. Does not count as an operation
    /// of the task's budget.
    [[nodiscard]] std::optional<expected<T, join_error>> try_join_next() {
        if (!state_) return std::nullopt;
        return outcome_of(state_->try_next());
    }

    /// Waits for all tasks; yields a std::vector of their values, in the order of their ending, or
    /// nothing where they are void.
    /// Cancel safety  Loses the values that it had collected; the tasks stay in the set.
    /// Errors         Throws the first exception of a task, or task_cancelled for the first that was
    ///                aborted; the others are aborted then, and the set is empty.
    [[nodiscard("co_await it")]] auto join_all() {
        return detail::collect_operation<T>(detail::collect_all(this));
    }

    /// Aborts every task. They stay in the set until they are joined.
    void abort_all() noexcept {
        if (state_) state_->abort_all();
    }
    /// Aborts every task and waits until all of them are destroyed, whatever they leave behind.
    /// Cancel safety  Safe: the tasks are aborted in any case, and stay in the set.
    [[nodiscard("co_await it")]] WEIR_COROUTINE_WRAPPER task<> shutdown() {
        return detail::abort_and_drain(this);
    }

    /// Empties the set and lets its tasks go on by themselves, as join_handle::detach.
    void detach_all() noexcept {
        if (state_) state_->forget_all();
    }

    /// How many tasks are running or not joined yet.
    [[nodiscard]] std::size_t size() const noexcept { return state_ ? state_->size() : 0; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

private:
    using member_ptr = detail::task_set::member_ptr;
    using outcome = std::optional<expected<T, join_error>>;

    /// The room for a task is made before it is spawned, so that it is in the set or was never run.
    template <class Spawn>
    abort_handle add(Spawn spawn) {
        if (!state_) state_.reset(new detail::task_set);
        auto room = std::make_unique<detail::task_set::member>(*state_);
        join_handle<T> handle = spawn();
        abort_handle for_caller = handle.get_abort_handle();
        state_->add(std::move(room), detail::spawn_access::release(handle));
        return for_caller;
    }

    static outcome outcome_of(member_ptr m) {
        if (!m) return std::nullopt;
        detail::task_header& t = m->task();
        if (t.result() == detail::task_header::outcome::cancelled)
            return outcome(std::in_place, unexpect, t.id());
        auto& slot = detail::result_of<T>(t);
        if (slot.has_exception())
            return outcome(std::in_place, unexpect, t.id(), slot.stored_exception());
        if constexpr (std::is_void_v<T>)
            return outcome(std::in_place);
        else
            return outcome(std::in_place, slot.take());
    }

    struct destroy {
        void operator()(detail::task_set* s) const noexcept { detail::task_set::destroy(s); }
    };
    std::unique_ptr<detail::task_set, destroy> state_;
};

template <class T>
template <bool WithId>
class join_set<T>::next_operation : public detail::awaitable_base {
public:
    explicit next_operation(detail::task_set* s) noexcept : set_(s) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public detail::task_set::next_awaiter {
    public:
        awaiter(next_operation& op, detail::owner& o) noexcept : next_awaiter(op.set_, o) {}
        auto await_resume() {
            member_ptr ended = this->take();
            if constexpr (WithId) {
                using identified = std::pair<task_id, expected<T, join_error>>;
                if (!ended) return std::optional<identified>();
                const task_id id = ended->task().id();
                return std::optional<identified>(std::in_place, id, *outcome_of(std::move(ended)));
            } else {
                return outcome_of(std::move(ended));
            }
        }
    };

    detail::task_set* set_;
};

WEIR_ABI_END }  // namespace weir
