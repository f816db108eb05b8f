#pragma once
// task_tracker: counts tasks, so that a shutdown can wait until all of them have ended.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/task/foreign_await.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN

class task_tracker_token;

/// Tracks tasks without keeping them: nothing of a task that has ended stays, and the end of the
/// tracker leaves its tasks alone. For a shutdown:
///
///     weir::task_tracker tracker;
///     while (auto connection = co_await accept(stop)) tracker.spawn(serve(*connection)).detach();
///     tracker.close();
///     co_await tracker.wait();
///
/// Copies share one tracker. It costs one allocation, a spawned task a second small frame, a wait
/// nothing.
/// Thread safety  Any thread; one tracker object, one thread at a time.
class task_tracker {
    class count;
    template <class A>
    class tracked;
    class wait_operation;

public:
    task_tracker() : count_(std::make_shared<count>()) {}

    /// Spawns a tracked task, as weir::spawn. It counts as long as its arguments and locals live.
    template <class T>
    join_handle<T> spawn(task<T> t, std::source_location site = std::source_location::current());
    template <class T>
    join_handle<T> spawn(const spawn_options& options, task<T> t);
    template <detail::spawnable_callable F, class... Args>
    auto spawn(F f, Args... args);
    template <detail::spawnable_callable F, class... Args>
    auto spawn(const spawn_options& options, F f, Args... args);

    /// Tracks an awaitable from now on until it is destroyed; yields what `co_await a` yields.
    /// Cancel safety  As `a`.
    template <awaitable A>
    [[nodiscard("co_await it")]] auto track(A&& a) const;

    /// Counts as one task while it, or a copy of it, lives.
    [[nodiscard]] task_tracker_token token() const;

    /// Lets waits complete as soon as nothing is tracked; tasks can still be added. False: it was
    /// closed already.
    bool close() const noexcept;
    /// Makes waits wait again. False: it was open.
    bool reopen() const noexcept;
    [[nodiscard]] bool is_closed() const noexcept;

    /// Completes when the tracker is closed and nothing is tracked, or has been so at any moment
    /// since this call, however short.
    /// Cancel safety  Safe.
    [[nodiscard("co_await it")]] auto wait() const noexcept;

    /// How many tasks, awaitables and tokens are tracked.
    [[nodiscard]] std::size_t size() const noexcept;
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

    friend bool operator==(const task_tracker&, const task_tracker&) = default;

private:
    friend class task_tracker_token;

    std::shared_ptr<count> count_;
};

class task_tracker::count {
public:
    void add() noexcept {
        detail::scoped_lock guard(lock_);
        ++size_;
    }
    void remove() noexcept {
        detail::wake_list wakes;
        detail::scoped_lock guard(lock_);
        --size_;
        note_idle(wakes);
    }
    bool close() noexcept {
        detail::wake_list wakes;
        detail::scoped_lock guard(lock_);
        if (std::exchange(closed_, true)) return false;
        note_idle(wakes);
        return true;
    }
    bool reopen() noexcept {
        detail::scoped_lock guard(lock_);
        return std::exchange(closed_, false);
    }
    [[nodiscard]] bool is_closed() const noexcept {
        detail::scoped_lock guard(lock_);
        return closed_;
    }
    [[nodiscard]] std::size_t size() const noexcept {
        detail::scoped_lock guard(lock_);
        return size_;
    }
    [[nodiscard]] std::uint64_t times_idle() const noexcept {
        detail::scoped_lock guard(lock_);
        return times_idle_;
    }

    class awaiter;

private:
    [[nodiscard]] bool is_idle() const noexcept { return closed_ && size_ == 0; }
    void note_idle(detail::wake_list& wakes) noexcept {
        if (!is_idle()) return;
        ++times_idle_;
        while (!waiters_.empty()) wakes.wake(waiters_.pop_front());
    }

    mutable detail::small_lock lock_;
    bool closed_ = false;
    std::size_t size_ = 0;
    std::uint64_t times_idle_ = 0;  // how often it has become closed and empty
    detail::wait_list waiters_;
};

class task_tracker::count::awaiter : public detail::leaf_awaiter {
public:
    awaiter(count& c, std::uint64_t times_idle, detail::owner& o) noexcept
        : leaf_awaiter(o), count_(&c), since_(times_idle) {}
    ~awaiter() {
        if (!is_suspended()) return;
        detail::scoped_lock guard(count_->lock_);
        if (state == phase::waiting)
            count_->waiters_.erase(*this);
        else if (state != phase::idle)
            who->retract(*this);
    }
    bool await_ready() noexcept {
        if (!who->has_budget()) return false;
        detail::scoped_lock guard(count_->lock_);
        if (!is_over()) return false;
        who->spend_budget();
        return true;
    }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        handle = h;
        {
            detail::scoped_lock guard(count_->lock_);
            if (!is_over()) {
                enqueue_in(count_->waiters_);
                return true;
            }
        }
        yield_granted();
        return true;
    }
    void await_resume() const noexcept {}

private:
    [[nodiscard]] bool is_over() const noexcept {
        return count_->is_idle() || count_->times_idle_ != since_;
    }

    task_tracker::count* count_;
    std::uint64_t since_;
};

/// Keeps a task_tracker from being empty. A copy counts for itself.
class [[nodiscard("the tracker counts it until it is destroyed")]] task_tracker_token {
public:
    task_tracker_token(const task_tracker_token& other) noexcept : count_(other.count_) {
        if (count_) count_->add();
    }
    task_tracker_token(task_tracker_token&& other) noexcept = default;
    task_tracker_token& operator=(task_tracker_token other) noexcept {
        std::swap(count_, other.count_);
        return *this;
    }
    ~task_tracker_token() {
        if (count_) count_->remove();
    }

private:
    friend class task_tracker;
    using count = task_tracker::count;
    explicit task_tracker_token(std::shared_ptr<count> c) noexcept : count_(std::move(c)) {
        count_->add();
    }

    std::shared_ptr<count> count_;
};

template <class A>
class task_tracker::tracked : public detail::awaitable_base {
public:
    tracked(task_tracker_token t, A&& a) : token_(std::move(t)), operand_(std::forward<A>(a)) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety_v<A>;
    static constexpr bool awaitable_as_lvalue = false;

    template <class U>
    struct awaiter_of {
        using type = detail::foreign_await<U>;
    };
    template <detail::native_awaitable U>
    struct awaiter_of<U> {
        using type = detail::native_awaiter_t<U>;
    };
    class awaiter {
    public:
        awaiter(tracked& op, detail::owner& o)
            requires detail::native_awaitable<A>
            : inner_(op.operand_, o) {}
        awaiter(tracked& op, detail::owner& o)
            requires detail::foreign_awaitable<A>
            : inner_(static_cast<A&&>(op.operand_), o) {}
        awaiter(const awaiter&) = delete;
        awaiter& operator=(const awaiter&) = delete;

        bool await_ready() { return inner_.await_ready(); }
        auto await_suspend(std::coroutine_handle<> h) { return inner_.await_suspend(h); }
        decltype(auto) await_resume() { return inner_.await_resume(); }

    private:
        typename awaiter_of<A>::type inner_;
    };

    task_tracker_token token_;  // before the operand: destroyed after it
    A operand_;
};

class task_tracker::wait_operation : public detail::awaitable_base {
public:
    explicit wait_operation(std::shared_ptr<count> c) noexcept
        : count_(std::move(c)), times_idle_(count_->times_idle()) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public count::awaiter {
    public:
        awaiter(wait_operation& op, detail::owner& o) noexcept
            : count::awaiter(*op.count_, op.times_idle_, o) {}
    };

    std::shared_ptr<count> count_;
    std::uint64_t times_idle_;
};

template <class T>
join_handle<T> task_tracker::spawn(task<T> t, std::source_location site) {
    return weir::spawn(detail::await_stored(track(std::move(t))), site);
}
template <class T>
join_handle<T> task_tracker::spawn(const spawn_options& options, task<T> t) {
    return weir::spawn(options, detail::await_stored(track(std::move(t))));
}
template <detail::spawnable_callable F, class... Args>
auto task_tracker::spawn(F f, Args... args) {
    return detail::handle_of<F, Args...>(
        spawn(detail::spawn_access::make_task(std::move(f), std::move(args)...)));
}
template <detail::spawnable_callable F, class... Args>
auto task_tracker::spawn(const spawn_options& options, F f, Args... args) {
    return detail::handle_of<F, Args...>(
        spawn(options, detail::spawn_access::make_task(std::move(f), std::move(args)...)));
}

template <awaitable A>
auto task_tracker::track(A&& a) const {
    return tracked<A>(token(), std::forward<A>(a));
}

inline task_tracker_token task_tracker::token() const { return task_tracker_token(count_); }
inline bool task_tracker::close() const noexcept { return count_->close(); }
inline bool task_tracker::reopen() const noexcept { return count_->reopen(); }
inline bool task_tracker::is_closed() const noexcept { return count_->is_closed(); }
inline std::size_t task_tracker::size() const noexcept { return count_->size(); }
inline auto task_tracker::wait() const noexcept { return wait_operation(count_); }

WEIR_ABI_END }  // namespace weir
