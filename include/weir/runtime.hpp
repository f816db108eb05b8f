#pragma once
// The runtimes: what runs tasks.

#include <algorithm>
#include <chrono>
#include <concepts>
#include <exception>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/runtime/current_thread.hpp>
#include <weir/detail/runtime/multi_thread.hpp>
#include <weir/detail/runtime/options.hpp>
#include <weir/detail/task/spawned.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN

class local_set;
namespace test {
class simulation;
}

namespace detail {

template <class... Args>
inline constexpr bool is_included<runtime_header, Args...> = true;

template <class A>
task<await_result_t<A>> await_referenced(std::remove_reference_t<A>* a) {
    co_return co_await std::forward<A>(*a);
}

/// The task that block_on runs for `a`, which stays where it is unless it is a task.
template <class A>
WEIR_COROUTINE_WRAPPER task<await_result_t<A>> root_task(std::remove_reference_t<A>* a) {
    if constexpr (std::is_same_v<std::remove_cvref_t<A>, task<await_result_t<A>>>)
        return std::move(*a);
    else
        return await_referenced<A>(a);
}

/// Runs `a` as a task of `core`, on the calling thread, and gives its result back.
template <awaitable A>
await_result_t<A> block_on(runtime_core& core, A&& a, std::source_location site) {
    if (execution::must_not_block())
        fail<blocking_in_async_error>(
            "block_on was called on a thread that runs tasks: use co_await here");
    auto handle = spawn_access::spawn_on(core, root_task<A>(std::addressof(a)), {}, site);
    task_header& header = spawn_access::header_of(handle);
    core.drive(header);
    if (header.result() == task_header::outcome::cancelled)
        if (std::exception_ptr const e = core.fatal()) std::rethrow_exception(e);
    return spawn_access::take_result(handle);
}

/// For shutdown_timeout and shutdown_background.
inline void end_runtime(runtime_core& core, std::chrono::nanoseconds patience,
                        shutdown_report* report) {
    using clock = std::chrono::steady_clock;
    if (!core.may_end_here())
        fail<blocking_in_async_error>(
            "a current_thread_runtime was shut down by one of its own tasks, which runs on the "
            "thread that would have to destroy it: let block_on return first");
    const auto now = clock::now();
    const auto most = clock::time_point::max() - now;
    core.shut_down(now + std::clamp(patience, std::chrono::nanoseconds(0), most), report);
}

/// For destructors.
inline void end_runtime(runtime_core& core) noexcept {
    if (core.runs_here() && !core.has_ended())
        fail<blocking_in_async_error>(
            "a runtime was destroyed on one of its own threads, which it would wait for: call "
            "shutdown_background() first");
    core.shut_down({}, nullptr);
}

}  // namespace detail

/// Puts the calling thread into a runtime's context: `spawn` works, nothing runs. Guards end in the
/// reverse order of their making, on the thread that made them.
/// Errors  A guard that ends while another runtime's is the innermost throws std::logic_error, unless
///         an exception is under way, and leaves the context as it is.
class [[nodiscard("the context ends with the guard")]] enter_guard {
public:
    explicit enter_guard(detail::runtime_core& core) noexcept
        : core_(&core), before_(detail::runtime_core::exchange_current(&core)) {}
    enter_guard(const enter_guard&) = delete;
    enter_guard& operator=(const enter_guard&) = delete;
    ~enter_guard() noexcept(false) {
        if (detail::runtime_core::current() == core_)
            detail::runtime_core::exchange_current(before_);
        else if (std::uncaught_exceptions() == 0)
            detail::fail<std::logic_error>(
                "runtime.enter(): a guard ended before another one that was made later: end them in "
                "the reverse order, or on the thread that made them");
    }

private:
    detail::runtime_core* core_;
    detail::runtime_core* before_;
};

/// A cheap copy that spawns onto a runtime from anywhere. May outlive the runtime: a task that is
/// spawned then is destroyed at once, and joins as cancelled.
/// Thread safety  Any thread.
class runtime_handle {
public:
    /// The runtime of the calling task, or the one that this thread has entered.
    static runtime_handle current() {
        return runtime_handle(detail::runtime_core::current_or_throw().shared_from_this());
    }
    [[nodiscard]] static std::optional<runtime_handle> try_current() noexcept {
        detail::runtime_core* const core = detail::runtime_core::current();
        if (core == nullptr) return std::nullopt;
        return runtime_handle(core->shared_from_this());
    }

    template <class T>
    join_handle<T> spawn(task<T> t,
                         std::source_location site = std::source_location::current()) const {
        return detail::spawn_access::spawn_on(*core_, std::move(t), {}, site);
    }
    template <class... Args>
        requires(sizeof...(Args) != 0)
    auto spawn(Args... args) const {
        enter_guard const in(*core_);
        return weir::spawn(std::move(args)...);
    }
    /// As weir::spawn_blocking, on this runtime's threads.
    template <std::invocable F>
    auto spawn_blocking(F f, std::source_location site = std::source_location::current()) const {
        return detail::spawn_access::spawn_blocking_on(*core_, std::move(f), {}, site);
    }
    template <std::invocable F>
    auto spawn_blocking(const spawn_options& options, F f) const {
        return detail::spawn_access::spawn_blocking_on(*core_, std::move(f), options.name,
                                                       options.site);
    }
    /// As the runtime's block_on.
    template <awaitable A>
    await_result_t<A> block_on(A&& a,
                               std::source_location site = std::source_location::current()) const {
        return detail::block_on(*core_, std::forward<A>(a), site);
    }
    [[nodiscard]] enter_guard enter() const noexcept { return enter_guard(*core_); }
    /// What the runtime has counted so far. Any thread, also after the end.
    [[nodiscard]] runtime_metrics metrics() const { return core_->measure(); }
    /// What every live task waits for: include <weir/inspect.hpp>. Any thread.
    [[nodiscard]] runtime_dump dump() const;

    friend bool operator==(const runtime_handle&, const runtime_handle&) = default;

private:
    friend class current_thread_runtime;
    friend class local_set;
    friend class multi_thread_runtime;
    friend class test::simulation;
    explicit runtime_handle(std::shared_ptr<detail::runtime_core> core) : core_(std::move(core)) {}

    std::shared_ptr<detail::runtime_core> core_;
};

/// Runs all of its tasks on the thread that is inside `block_on`: no locks are contended, no thread
/// is started. Several threads may call block_on at once: one drives, and hands over when it leaves.
///
///     weir::current_thread_runtime rt;
///     int const n = rt.block_on(async_main());
///
/// Lifetime  The destructor destroys every task where it waits, in this runtime's context, cancels
///           blocking functions that have not begun, and waits for those that have.
class current_thread_runtime {
public:
    explicit current_thread_runtime(runtime_options options = {})
        : core_(std::make_shared<detail::current_thread_core>(std::move(options))) {}
    current_thread_runtime(const current_thread_runtime&) = delete;
    current_thread_runtime& operator=(const current_thread_runtime&) = delete;
    ~current_thread_runtime() { detail::end_runtime(*core_); }

    /// Runs `a` to completion, and spawned tasks meanwhile; yields what `co_await a` would, and
    /// throws what it would.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    template <awaitable A>
    await_result_t<A> block_on(A&& a, std::source_location site = std::source_location::current()) {
        return detail::block_on(*core_, std::forward<A>(a), site);
    }

    /// As weir::spawn, from anywhere. The task runs when some thread is inside block_on.
    template <class T>
    join_handle<T> spawn(task<T> t, std::source_location site = std::source_location::current()) {
        return handle().spawn(std::move(t), site);
    }
    template <class... Args>
    auto spawn(Args... args) {
        return handle().spawn(std::move(args)...);
    }
    /// As weir::spawn_blocking, from anywhere.
    template <std::invocable F>
    auto spawn_blocking(F f, std::source_location site = std::source_location::current()) {
        return handle().spawn_blocking(std::move(f), site);
    }
    template <std::invocable F>
    auto spawn_blocking(const spawn_options& options, F f) {
        return handle().spawn_blocking(options, std::move(f));
    }

    /// Ends the runtime: no more turns begin, tasks that wait are destroyed, blocking functions that
    /// have not begun are cancelled. Then waits for the others, at most `patience`, and tells what
    /// still ran; that goes on, and keeps what it needs of the runtime. Afterwards the runtime and its
    /// handles spawn cancelled tasks only. Blocks the thread. A block_on of another thread throws
    /// task_cancelled when the turn that it runs has ended, which is waited for in any case.
    /// Errors  Throws blocking_in_async_error in one of the runtime's own tasks.
    [[nodiscard("it names what still runs")]] shutdown_report shutdown_timeout(
        std::chrono::nanoseconds patience) {
        shutdown_report report;
        detail::end_runtime(*core_, patience, &report);
        return report;
    }
    /// As shutdown_timeout, without waiting.
    void shutdown_background() { detail::end_runtime(*core_, {}, nullptr); }

    [[nodiscard]] runtime_handle handle() const { return runtime_handle(core_); }
    [[nodiscard]] enter_guard enter() const noexcept { return enter_guard(*core_); }
    /// What the runtime has counted so far. Any thread, also after the end.
    [[nodiscard]] runtime_metrics metrics() const { return core_->measure(); }
    /// What every live task waits for: include <weir/inspect.hpp>. Any thread.
    [[nodiscard]] runtime_dump dump() const;

private:
    std::shared_ptr<detail::current_thread_core> core_;
};

/// Runs its tasks on several threads of its own, which steal work from each other.
///
///     weir::multi_thread_runtime rt;
///     int const n = rt.block_on(async_main());
///
/// A task runs on one thread at a time, and may go on on another one after a co_await. The worker
/// threads run from construction on, also while nobody is inside block_on.
/// Lifetime  The destructor waits for the turns that are running, then destroys every task where it
///           waits, in this runtime's context; it cancels blocking functions that have not begun, and
///           waits for those that have. It must not run on one of the runtime's own threads.
class multi_thread_runtime {
public:
    explicit multi_thread_runtime(runtime_options options = {})
        : core_(std::make_shared<detail::multi_thread_core>(std::move(options))) {
        core_->begin();
    }
    multi_thread_runtime(const multi_thread_runtime&) = delete;
    multi_thread_runtime& operator=(const multi_thread_runtime&) = delete;
    ~multi_thread_runtime() { detail::end_runtime(*core_); }

    /// Runs `a` as a task and blocks the calling thread until it has completed; yields what
    /// `co_await a` would, and throws what it would.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    template <awaitable A>
    await_result_t<A> block_on(A&& a, std::source_location site = std::source_location::current()) {
        return detail::block_on(*core_, std::forward<A>(a), site);
    }

    /// As weir::spawn, from anywhere.
    template <class T>
    join_handle<T> spawn(task<T> t, std::source_location site = std::source_location::current()) {
        return handle().spawn(std::move(t), site);
    }
    template <class... Args>
    auto spawn(Args... args) {
        return handle().spawn(std::move(args)...);
    }
    /// As weir::spawn_blocking, from anywhere.
    template <std::invocable F>
    auto spawn_blocking(F f, std::source_location site = std::source_location::current()) {
        return handle().spawn_blocking(std::move(f), site);
    }
    template <std::invocable F>
    auto spawn_blocking(const spawn_options& options, F f) {
        return handle().spawn_blocking(options, std::move(f));
    }

    /// Ends the runtime: no more turns begin, tasks that wait are destroyed, blocking functions that
    /// have not begun are cancelled. Then waits for the others, at most `patience`, and tells what
    /// still ran; that goes on, and keeps what it needs of the runtime. Afterwards the runtime and its
    /// handles spawn cancelled tasks only. Blocks the thread. In a task of the runtime's own it works
    /// too, and counts that task as one that still ran. The options' callbacks may be called until
    /// the last thread has ended.
    [[nodiscard("it names what still runs")]] shutdown_report shutdown_timeout(
        std::chrono::nanoseconds patience) {
        shutdown_report report;
        detail::end_runtime(*core_, patience, &report);
        return report;
    }
    /// As shutdown_timeout, without waiting.
    void shutdown_background() { detail::end_runtime(*core_, {}, nullptr); }

    [[nodiscard]] runtime_handle handle() const { return runtime_handle(core_); }
    [[nodiscard]] enter_guard enter() const noexcept { return enter_guard(*core_); }
    /// What the runtime has counted so far. Any thread, also after the end.
    [[nodiscard]] runtime_metrics metrics() const { return core_->measure(); }
    /// What every live task waits for: include <weir/inspect.hpp>. Any thread.
    [[nodiscard]] runtime_dump dump() const;

private:
    std::shared_ptr<detail::multi_thread_core> core_;
};

/// Runs `a` on a fresh multi_thread_runtime: `int main() { return weir::run(async_main()); }`
template <awaitable A>
await_result_t<A> run(A&& a, runtime_options options = {},
                      std::source_location site = std::source_location::current()) {
    multi_thread_runtime runtime(std::move(options));
    return runtime.block_on(std::forward<A>(a), site);
}

/// Runs `a` on a fresh current_thread_runtime: `int main() { return weir::block_on(async_main()); }`
template <awaitable A>
await_result_t<A> block_on(A&& a, runtime_options options = {},
                           std::source_location site = std::source_location::current()) {
    current_thread_runtime runtime(std::move(options));
    return runtime.block_on(std::forward<A>(a), site);
}

WEIR_ABI_END }  // namespace weir
