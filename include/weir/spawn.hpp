#pragma once
// spawn, and the handle by which a task is joined, aborted or let go.

#include <concepts>
#include <exception>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/detail/runtime/blocking_pool.hpp>
#include <weir/detail/task/spawned.hpp>
#include <weir/expected.hpp>
#include <weir/task.hpp>
#include <weir/yield.hpp>

namespace weir { WEIR_ABI_BEGIN

namespace detail {
template <class... Args>
inline constexpr bool is_included<spawn_header, Args...> = true;

struct spawn_access;
}  // namespace detail

/// Thrown by `co_await handle` when the task was aborted, or its runtime ended before it did.
class task_cancelled : public std::exception {
public:
    const char* what() const noexcept override { return "the weir task was cancelled"; }
};

/// Why a task has left no value: it was cancelled, or an exception left it.
class join_error {
public:
    explicit join_error(task_id task, std::exception_ptr e = nullptr) noexcept
        : task_(task), exception_(std::move(e)) {}

    [[nodiscard]] bool is_cancelled() const noexcept { return exception_ == nullptr; }
    /// The exception that left the task; null if it was cancelled.
    [[nodiscard]] const std::exception_ptr& exception() const noexcept { return exception_; }
    [[nodiscard]] task_id task() const noexcept { return task_; }
    /// Names the task and, where it has one, the exception's text.
    [[nodiscard]] std::string what() const;

private:
    task_id task_;
    std::exception_ptr exception_;
};

/// The right to abort a task without the right to join it. A cheap copy; destroying it does nothing.
/// Thread safety  All members may be called from any thread, also after the task has ended.
class abort_handle {
public:
    abort_handle(const abort_handle& other) noexcept : task_(other.task_) {
        if (task_) task_->add_reference();
    }
    abort_handle(abort_handle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    abort_handle& operator=(abort_handle other) noexcept {
        std::swap(task_, other.task_);
        return *this;
    }
    ~abort_handle() {
        if (task_) task_->release();
    }

    /// As join_handle::abort.
    void abort() const noexcept { task_->abort(); }
    [[nodiscard]] bool is_finished() const noexcept { return task_->is_done(); }
    [[nodiscard]] task_id id() const noexcept { return task_->id(); }

private:
    template <class T>
    friend class join_handle;
    explicit abort_handle(detail::task_header& t) noexcept : task_(&t) { t.add_reference(); }

    detail::task_header* task_;
};

/// Owns the result of a spawned task.
///
///     auto h = weir::spawn(work());
///     int const n = co_await h;                 // rethrows; throws task_cancelled after an abort
///
/// or, where that is not an exception:
///
///     auto const r = co_await h.result();       // an expected<int, join_error>
///
/// Cancel safety  Both awaits are safe: a lost `select(h, …)` leaves the handle as it was.
/// Errors         Awaiting it a second time after it has yielded throws already_consumed_error.
/// Lifetime       Destroying the handle detaches the task. May outlive the runtime.
/// Thread safety  One thread at a time; `abort`, `is_finished` and `id` from any.
template <class T>
class [[nodiscard("destroying a join_handle detaches the task: say so with .detach()")]] join_handle
    : public detail::awaitable_base {
public:
    join_handle(join_handle&& other) noexcept : task_(std::exchange(other.task_, nullptr)) {}
    join_handle& operator=(join_handle&& other) noexcept {
        join_handle(std::move(other)).swap(*this);
        return *this;
    }
    ~join_handle() {
        if (task_) task_->detach();
    }
    void swap(join_handle& other) noexcept { std::swap(task_, other.task_); }

    /// Waits for the end of the task; yields its value or a join_error, and never throws.
    [[nodiscard]] auto result() noexcept { return result_operation(*this); }

    /// Asks the task to be destroyed at the `co_await` where it waits or that it reaches next. It
    /// has no effect on one that has ended; otherwise joining reports cancellation.
    void abort() noexcept {
        if (task_) task_->abort();
    }
    [[nodiscard]] abort_handle get_abort_handle() const { return abort_handle(valid()); }

    /// Whether the task has ended, with its arguments and locals destroyed.
    [[nodiscard]] bool is_finished() const { return valid().is_done(); }
    [[nodiscard]] task_id id() const { return valid().id(); }

    /// Lets the task go on by itself; what it returns is destroyed, an exception that leaves it, or
    /// has left it already, goes to the runtime's `on_unhandled`. One that had left it before is not
    /// reported on a thread outside of every runtime.
    void detach() && noexcept { join_handle const let_go(std::move(*this)); }

private:
    friend struct detail::awaiter_access;
    friend struct detail::spawn_access;

    explicit join_handle(detail::task_header& t) noexcept : task_(&t) {}

    detail::task_header& valid() const {
        if (task_ == nullptr)
            detail::fail<already_consumed_error>(
                "this join_handle was detached, moved from, or has yielded its result already");
        return *task_;
    }
    /// Of an ended task: its value, by move; throws what it has thrown, or task_cancelled.
    T take_result() {
        if (task_->result() == detail::task_header::outcome::cancelled) {
#if WEIR_EXCEPTIONS
            throw task_cancelled();
#else
            std::terminate();
#endif
        }
        return detail::result_of<T>(*task_).take();
    }

    /// The same without throwing.
    expected<T, join_error> take_outcome() {
        using outcome = detail::task_header::outcome;
        if (task_->result() == outcome::cancelled)
            return unexpected<join_error>(join_error(task_->id()));
        auto& slot = detail::result_of<T>(*task_);
        if (slot.has_exception())
            return unexpected<join_error>(
                join_error(task_->id(), std::exchange(slot.stored_exception(), nullptr)));
        if constexpr (std::is_void_v<T>)
            return {};
        else
            return slot.take();
    }

    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class wait_for_end : public detail::leaf_awaiter {
    public:
        wait_for_end(join_handle& h, detail::owner& o) : leaf_awaiter(o), handle_(&h) { h.valid(); }
        ~wait_for_end() {
            if (joining_) handle_->task_->remove_joiner(*this);
        }
        bool await_ready() noexcept {
            if (!who->has_budget() || !handle_->task_->is_done()) return false;
            who->spend_budget();
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            joining_ = true;
            if (!handle_->task_->add_joiner(*this)) yield_granted();
            return true;
        }

    protected:
        detail::task_header& ended() noexcept {
            joining_ = false;
            return *handle_->task_;
        }
        join_handle* handle_;

    private:
        bool joining_ = false;
    };

    class awaiter : public wait_for_end {
    public:
        using wait_for_end::wait_for_end;
        T await_resume() {
            this->ended();
            join_handle spent(std::move(*this->handle_));
            return spent.take_result();
        }
    };

    class result_operation : public detail::awaitable_base {
    public:
        explicit result_operation(join_handle& h) noexcept : handle_(&h) {}

    private:
        friend struct detail::awaiter_access;
        static constexpr cancel_safety safety = cancel_safety::safe;
        static constexpr bool awaitable_as_lvalue = true;

        class awaiter : public wait_for_end {
        public:
            awaiter(result_operation& op, detail::owner& o) : wait_for_end(*op.handle_, o) {}
            expected<T, join_error> await_resume() {
                this->ended();
                join_handle spent(std::move(*this->handle_));
                return spent.take_outcome();
            }
        };

        join_handle* handle_;
    };

    detail::task_header* task_;
};

/// Names a task in reports and dumps. The place where it is made counts as the spawn site.
struct spawn_options {
    std::string_view name{};
    std::source_location site = std::source_location::current();
};

namespace detail {

/// The join_handle of a task that was made from what g++ 12 destroys twice when it is a temporary of
/// the expression that awaits the handle. Nothing tells whether it is, so a name has to come between.
template <class T>
class [[nodiscard]] named_handle : public join_handle<T> {
public:
    explicit named_handle(join_handle<T>&& h) noexcept : join_handle<T>(std::move(h)) {}
    [[nodiscard]] auto result() & noexcept { return join_handle<T>::result(); }
    void result() && = delete;  // g++ 12 would destroy captures twice: name the handle first
};
template <class T>
inline constexpr bool awaited_by_name<named_handle<T>> = true;

/// What spawn returns for a callable and arguments of the types `Stored`.
template <class... Stored, class T>
auto handle_of(join_handle<T> h) {
    if constexpr (((survives_as_callable<Stored> && survives_await_expression<Stored>) && ...))
        return h;
    else
        return named_handle<T>(std::move(h));
}

struct spawn_access {
    template <class T>
    static join_handle<T> spawn_on(runtime_core& core, task<T> t, std::string_view name,
                                   std::source_location site) {
        task_header& header = make_spawned(t, core, site);
        join_handle<T> handle(header);
        if (!name.empty()) core.set_name(header, name);
        core.start(header);
        return handle;
    }

    template <class F>
    static auto spawn_blocking_on(runtime_core& core, F f, std::string_view name,
                                  std::source_location site) {
        using returned = std::invoke_result_t<F>;
        static_assert(!awaitable<returned>,
                      "spawn_blocking runs a function that blocks its thread, and never awaits: use "
                      "spawn for a weir::task");
        auto t = call_stored<returned>(std::move(f));
        if (core.events().simulated() != nullptr) [[unlikely]]  // which has one thread for all
            return handle_of<F>(spawn_on(core, std::move(t), name, site));
        task_header& header = make_spawned(t, core.blocking(), site);
        join_handle<returned> handle(header);
        if (!name.empty()) core.set_name(header, name);
        core.blocking().start(header);
        return handle_of<F>(std::move(handle));
    }

    /// The handle of a task that make_spawned has made.
    template <class T>
    static join_handle<T> handle_of(task_header& t) noexcept {
        return join_handle<T>(t);
    }
    template <class T>
    static task_header& header_of(const join_handle<T>& h) noexcept {
        return *h.task_;
    }
    /// The task, with the reference that the handle had.
    template <class T>
    static task_header& release(join_handle<T>& h) noexcept {
        return *std::exchange(h.task_, nullptr);
    }

    template <class T>
    static T take_result(join_handle<T>& h) {
        return h.take_result();
    }
    template <class T>
    static expected<T, join_error> take_outcome(join_handle<T>& h) {
        return h.take_outcome();
    }

    template <class F, class... Args>
    WEIR_COROUTINE_WRAPPER static auto make_task(F f, Args... args) {
        using returned = std::invoke_result_t<F&, Args...>;
        static_assert(awaitable<returned>,
                      "spawn runs what can be awaited: pass a weir::task, or a callable that returns "
                      "one when it is called with these arguments");
        if constexpr (std::is_empty_v<F> && sizeof...(Args) == 0 && is_task<returned>)
            return f();
        else
            return invoke_stored<await_result_t<returned>, F, Args...>(std::move(f),
                                                                       std::move(args)...);
    }

    template <class T>
    static constexpr bool is_task = false;
};
template <class T>
inline constexpr bool spawn_access::is_task<task<T>> = true;

template <class F>
concept spawnable_callable = !awaitable<F> && !std::is_same_v<F, spawn_options>;

}  // namespace detail

/// Starts a task on the current runtime, to run concurrently with its spawner. Never runs any of it
/// inside the call, and allocates nothing beyond the task's own frame.
/// Errors    Throws no_runtime_error outside of a runtime.
/// Lifetime  The task owns its arguments. The end of the runtime destroys it where it waits.
template <class T>
join_handle<T> spawn(WEIR_LIFETIMEBOUND task<T> t,
                     std::source_location site = std::source_location::current()) {
    return detail::spawn_access::spawn_on(detail::runtime_core::current_or_throw(), std::move(t),
                                          {}, site);
}
template <class T>
join_handle<T> spawn(const spawn_options& options, WEIR_LIFETIMEBOUND task<T> t) {
    return detail::spawn_access::spawn_on(detail::runtime_core::current_or_throw(), std::move(t),
                                          options.name, options.site);
}

/// Stores a callable and its arguments in the task, then calls it there: captures of a lambda
/// coroutine live as long as the task.
///
///     auto h = weir::spawn([big](std::size_t n) -> weir::task<int> { co_return big.at(n); }, 7);
///
/// On g++ 12 such a handle is awaited by its name only: the captures of a lambda that stands in the
/// co_await expression itself would be destroyed twice.
template <detail::spawnable_callable F>
auto spawn(F f, std::source_location site = std::source_location::current()) {
    return detail::handle_of<F>(spawn(detail::spawn_access::make_task(std::move(f)), site));
}
template <detail::spawnable_callable F, class A, class... Args>
    requires(!std::is_same_v<A, std::source_location>)
auto spawn(F f, A first, Args... rest) {
    return detail::handle_of<F, A, Args...>(
        spawn(detail::spawn_access::make_task(std::move(f), std::move(first), std::move(rest)...),
              std::source_location{}));
}
template <detail::spawnable_callable F, class... Args>
auto spawn(const spawn_options& options, F f, Args... args) {
    return detail::handle_of<F, Args...>(
        spawn(options, detail::spawn_access::make_task(std::move(f), std::move(args)...)));
}

/// Calls `f` on a thread that may block: for file access, long computations, libraries that wait by
/// themselves. The handle yields what it returns, or throws what it throws. The threads are the
/// runtime's own, up to `max_blocking_threads`; when all are busy, calls queue. Inside, blocking
/// operations, `block_on` and `spawn` work as on a thread of one's own, and `this_task::id` is that
/// of the handle.
/// Errors    Throws no_runtime_error outside of a runtime, std::system_error where not one thread
///           can be made.
/// Lifetime  A call that has begun runs to its end: an abort has no effect on it, and the end of the
///           runtime waits for it (see shutdown_timeout). One that has not begun is dropped by both,
///           and joins as cancelled.
template <std::invocable F>
auto spawn_blocking(F f, std::source_location site = std::source_location::current()) {
    return detail::spawn_access::spawn_blocking_on(detail::runtime_core::current_or_throw(),
                                                   std::move(f), {}, site);
}
template <std::invocable F>
auto spawn_blocking(const spawn_options& options, F f) {
    return detail::spawn_access::spawn_blocking_on(detail::runtime_core::current_or_throw(),
                                                   std::move(f), options.name, options.site);
}

namespace this_task {

/// The id of the running task, also in destructors that run while it is destroyed.
[[nodiscard]] inline std::optional<task_id> try_id() noexcept {
    detail::execution* const here = detail::execution::here();
    if (here == nullptr || here->current == nullptr) return std::nullopt;
    return static_cast<detail::task_header*>(here->current)->id();
}
/// As try_id; throws no_runtime_error outside of a task.
[[nodiscard]] inline task_id id() {
    auto const found = try_id();
    if (!found)
        detail::fail<no_runtime_error>(
            "this_task::id() was called outside of a task: use try_id() where there may be none");
    return *found;
}
/// Whether an abort of the running task has been asked for; it takes effect at its next suspension.
[[nodiscard]] inline bool is_cancelled() noexcept {
    detail::execution* const here = detail::execution::here();
    return here != nullptr && here->current != nullptr &&
           here->current->abort_requested();
}

}  // namespace this_task

inline std::string join_error::what() const {
    std::string text = "task " + std::to_string(static_cast<std::uint64_t>(task_));
    if (is_cancelled()) return text + " was cancelled";
    text += " ended with an exception";
#if WEIR_EXCEPTIONS
    try {
        std::rethrow_exception(exception_);
    } catch (const std::exception& e) {
        text += std::string(": ") + e.what();
    } catch (...) {
    }
#endif
    return text;
}

WEIR_ABI_END }  // namespace weir
