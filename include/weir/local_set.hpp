#pragma once
// local_set: tasks that stay on one thread, and may hold what is bound to it.
//
// A task of a multi_thread_runtime may go on on another thread after each co_await. What must not
// (a handle of a graphics library, an object that counts its references without atomics, a lock of
// the system) goes into a task of a local_set.
//
//     tasks that                                       take
//     may run on any thread                            spawn
//     stay on the thread that drives their set         local_set, in either kind of runtime
//     make up all of a program with one thread         local_runtime

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/local_tasks.hpp>
#include <weir/detail/concurrency/nested_owner.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN

/// spawn_local was called where there is no local_set.
class no_local_set_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

namespace detail {

inline task<> suspend_for_ever() { co_await std::suspend_always(); }

template <class T>
join_handle<T> add_local(local_tasks& tasks, task<T> t, std::source_location site) {
    tasks.check_thread(
        "weir::local_set: spawn_local on another thread than the one that has made the set: its "
        "tasks stay there");
    task_header& header = make_spawned(t, tasks, site);
    join_handle<T> handle = spawn_access::handle_to<T>(header);
    tasks.start(header);
    return handle;
}

}  // namespace detail

/// Tasks that run on the thread that has made the set, and on no other one. They make progress only
/// while something drives the set: its `block_on`, or a task of that thread that awaits `run_until`
/// or the set itself.
///
///     weir::local_set set;
///     set.block_on(runtime, draw(window));      // which calls weir::spawn_local, where it likes
///
/// `runtime` may be of either kind: the timers, sockets and spawned tasks are its own, and the
/// tasks of the set stay on the thread that has called block_on. In a task of a
/// current_thread_runtime:
///
///     weir::local_set set;
///     set.spawn_local(blink(cursor)).detach();
///     co_await set.run_until(edit(cursor));     // the others make progress meanwhile
///     co_await set;                             // until each of them has ended
///
/// In a task of a multi_thread_runtime, on a thread that is there for what blocks:
///
///     auto show_there = [rt = weir::runtime_handle::current()] {
///         weir::local_set set;
///         return set.block_on(rt, show());
///     };
///     auto showing = weir::spawn_blocking(show_there);
///     auto const shown = co_await showing;
///
/// A task costs its frame, a wait nothing. The handles of its tasks may be joined, awaited and
/// aborted anywhere.
/// Errors         Everything but waking and aborting its tasks throws std::logic_error on another
///                thread than the one that has made the set, and driving it in a task of a
///                multi_thread_runtime does, since such a task moves: use block_on on a thread of
///                one's own, or in spawn_blocking. A set stays with the runtime that drives it
///                first.
/// Lifetime       Destroying the set destroys its tasks where they wait, on their thread; an
///                awaited set must live until the await has ended.
/// Thread safety  The thread that has made it only.
class local_set : public detail::awaitable_base {
    template <class A>
    class until_operation;

public:
    local_set() = default;
    local_set(const local_set&) = delete;
    local_set& operator=(const local_set&) = delete;

    /// Adds a task; never runs any of it inside the call.
    template <class T>
    join_handle<T> spawn_local(task<T> t,
                               std::source_location site = std::source_location::current()) {
        return detail::add_local(tasks_, std::move(t), site);
    }
    /// A callable with its arguments, as weir::spawn.
    template <detail::spawnable_callable F, class... Args>
    auto spawn_local(F f, Args... args) {
        return spawn_local(detail::spawn_access::make_task(std::move(f), std::move(args)...),
                           std::source_location{});
    }

    /// Awaits `a`, on the budget of the caller, with the set as the one that weir::spawn_local adds
    /// to; runs the tasks of the set meanwhile. Yields what `co_await a` yields.
    /// Cancel safety  As `a`; the tasks of the set stop where they are.
    template <awaitable A>
    [[nodiscard("co_await it")]] auto run_until(A&& a) {
        return until_operation<A>(tasks_, std::forward<A>(a));
    }

    /// Runs `a` as a task of the set, on the calling thread, until it has ended, and the other
    /// tasks of the set meanwhile. Blocks the thread. Of a current_thread_runtime this is the
    /// block_on too; the tasks of a multi_thread_runtime run on its own threads.
    /// Errors  As block_on of the runtime.
    template <awaitable A>
    await_result_t<A> block_on(const runtime_handle& runtime, A&& a,
                               std::source_location site = std::source_location::current());
    template <class Runtime, awaitable A>
        requires requires(Runtime& r) { { r.handle() } -> std::same_as<runtime_handle>; }
    await_result_t<A> block_on(Runtime& runtime, A&& a,
                               std::source_location site = std::source_location::current()) {
        return block_on(runtime.handle(), std::forward<A>(a), site);
    }

    /// Until the guard ends, weir::spawn_local on this thread adds to the set. Nothing runs.
    class enter_guard;
    [[nodiscard]] enter_guard enter();

    /// How many tasks have not ended.
    [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    /// Waits until every task has ended.
    class awaiter : private detail::branch_parent {
    public:
        awaiter(local_set& s, detail::owner& o)
            : owner_(&o), driver_(s.tasks_, o, o.home(), true, *this, 0) {}
        bool await_ready() noexcept {
            if (!driver_.is_over() || !owner_->has_budget()) return false;
            owner_->spend_budget();
            return true;
        }
        bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle_ = h;
            driver_.begin();
            return true;
        }
        void await_resume() const { driver_.check(); }

    private:
        void completed(std::size_t) noexcept override { owner_->transfer(handle_); }

        detail::owner* owner_;
        std::coroutine_handle<> handle_;
        detail::local_tasks::driver driver_;
    };

    /// Drives the set on the calling thread, which runs no tasks of the runtime, until `root` has
    /// ended or the runtime.
    void drive(const runtime_handle& runtime, detail::task_header& root);

    detail::local_tasks tasks_;
};

/// Adds a task to the set that is current: in its own tasks, inside of its run_until and block_on,
/// and after its `enter`.
/// Errors  Throws no_local_set_error elsewhere.
template <class T>
join_handle<T> spawn_local(task<T> t, std::source_location site = std::source_location::current()) {
    detail::local_tasks* const set = detail::local_tasks::current();
    if (set == nullptr)
        detail::fail<no_local_set_error>(
            "spawn_local was called outside of a local_set: call it inside of its run_until or "
            "block_on, or in one of its tasks; use spawn for a task that any thread may run");
    return detail::add_local(*set, std::move(t), site);
}
template <detail::spawnable_callable F, class... Args>
auto spawn_local(F f, Args... args) {
    return spawn_local(detail::spawn_access::make_task(std::move(f), std::move(args)...),
                       std::source_location{});
}

/// A current_thread_runtime with a local_set: spawn_local works everywhere in it.
///
///     int main() {
///         weir::local_runtime rt;
///         return rt.block_on(async_main());
///     }
///
/// Thread safety  The thread that has made it only; `handle` gives what others may spawn with.
class local_runtime {
public:
    explicit local_runtime(runtime_options options = {}) : runtime_(std::move(options)) {}

    /// As local_set::block_on.
    template <awaitable A>
    await_result_t<A> block_on(A&& a, std::source_location site = std::source_location::current()) {
        return set_.block_on(runtime_, std::forward<A>(a), site);
    }
    /// As local_set::spawn_local; the task runs when the thread is inside of block_on.
    template <class... Args>
    auto spawn_local(Args... args) {
        return set_.spawn_local(std::move(args)...);
    }
    [[nodiscard]] runtime_handle handle() const { return runtime_.handle(); }

private:
    current_thread_runtime runtime_;
    local_set set_;  // ends before its runtime
};

class [[nodiscard("the set is current until the guard ends")]] local_set::enter_guard {
public:
    explicit enter_guard(detail::local_tasks& s) noexcept
        : before_(detail::local_tasks::exchange_current(&s)) {}
    enter_guard(const enter_guard&) = delete;
    enter_guard& operator=(const enter_guard&) = delete;
    ~enter_guard() { detail::local_tasks::exchange_current(before_); }

private:
    detail::local_tasks* before_;
};

inline auto local_set::enter() -> enter_guard {
    tasks_.check_thread("weir::local_set: entered on another thread than the one that has made it");
    return enter_guard(tasks_);
}

namespace detail {

/// Makes a set the current one for as long as the awaitable runs.
class in_local_set {
public:
    explicit in_local_set(local_tasks& s) noexcept : tasks_(&s) {}

    void enter(owner& inner, owner& outer) noexcept {
        on_outer_budget::enter(inner, outer);
        before_ = local_tasks::exchange_current(tasks_);
    }
    void leave(owner& inner, owner& outer) noexcept {
        local_tasks::exchange_current(before_);
        on_outer_budget::leave(inner, outer);
    }
    template <class F>
    void destroy(F f) noexcept {
        local_tasks* const before = local_tasks::exchange_current(tasks_);
        f();
        local_tasks::exchange_current(before);
    }

private:
    local_tasks* tasks_;
    local_tasks* before_ = nullptr;
};

}  // namespace detail

template <class A>
class local_set::until_operation : public detail::awaitable_base {
    using inside = detail::nested_operation<detail::in_local_set, A>;

public:
    until_operation(detail::local_tasks& s, A&& a)
        : tasks_(&s), operand_(inside(std::forward<A>(a), s)) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety_v<A>;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : private detail::branch_parent {
    public:
        awaiter(until_operation& op, detail::owner& o)
            : owner_(&o),
              driver_(*op.tasks_, o, o.home(), false, *this, 1),
              branch_({op.operand_, *this, 0}) {}

        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> h) {
            if (branch_.start(*owner_)) return false;
            handle_ = h;
            driver_.begin();
            return true;
        }
        await_result_t<A> await_resume() {
            driver_.check();
            return branch_.take();
        }

    private:
        void completed(std::size_t) noexcept override { owner_->transfer(handle_); }

        detail::owner* owner_;
        std::coroutine_handle<> handle_;
        detail::local_tasks::driver driver_;
        detail::branch<inside> branch_;
    };

    detail::local_tasks* tasks_;
    detail::branch_operand<inside> operand_;
};

template <awaitable A>
await_result_t<A> local_set::block_on(const runtime_handle& runtime, A&& a,
                                      std::source_location site) {
    if (detail::execution::must_not_block())
        detail::fail<blocking_in_async_error>(
            "local_set::block_on was called on a thread that runs tasks: co_await set.run_until");
    using result = await_result_t<A>;
    auto root = [&] {
        if constexpr (std::is_same_v<std::remove_cvref_t<A>, task<result>>)
            return std::move(a);
        else
            return detail::await_referenced<A>(std::addressof(a));
    }();
    join_handle<result> handle = detail::add_local(tasks_, std::move(root), site);
    detail::task_header& header = detail::spawn_access::header_of(handle);

    // What the root awaits lies on the caller's stack.
    class end_of_root {
    public:
        end_of_root(detail::local_tasks& tasks, detail::task_header& root) noexcept
            : tasks_(&tasks), root_(&root) {
            root.add_reference();
        }
        end_of_root(const end_of_root&) = delete;
        end_of_root& operator=(const end_of_root&) = delete;
        ~end_of_root() {
            tasks_->drop(*root_);
            root_->release();
        }

    private:
        detail::local_tasks* tasks_;
        detail::task_header* root_;
    };
    {
        end_of_root const with_the_call(tasks_, header);
        if (runtime.core_->drives_here()) return runtime.block_on(run_until(handle), site);
        drive(runtime, header);
    }
    if (header.result() == detail::task_header::outcome::cancelled)
        if (std::exception_ptr const e = runtime.core_->fatal()) std::rethrow_exception(e);
    return detail::spawn_access::take_result(handle);
}

inline void local_set::drive(const runtime_handle& runtime, detail::task_header& root) {
    struct nobody final : detail::branch_parent {
        void completed(std::size_t) noexcept override {}
    };
    enter_guard const in_set = enter();
    weir::enter_guard const in_runtime = runtime.enter();
    // A task that lives as long as the runtime.
    join_handle<void> lifetime = runtime.spawn(detail::suspend_for_ever());
    detail::task_header& end_of_runtime = detail::spawn_access::header_of(lifetime);

    detail::thread_owner self;
    detail::wait_node done(self), ended(self);
    done.handle = ended.handle = self.handle();
    {
        nobody parent;
        detail::local_tasks::driver driver(tasks_, self, end_of_runtime.home(), false, parent, 0);
        driver.begin();
        if (root.add_joiner(done) && end_of_runtime.add_joiner(ended)) self.wait();
    }
    root.remove_joiner(done);
    end_of_runtime.remove_joiner(ended);
    lifetime.abort();
}

WEIR_ABI_END }  // namespace weir
