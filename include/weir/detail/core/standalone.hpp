#pragma once
// Owners that are not tasks: a thread that blocks, and a coroutine that is not weir's.

#include <coroutine>
#include <optional>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/inline_turns.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/resume_hook.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// An owner that has its turn wherever it is scheduled, until one operation has completed.
class standalone_owner : public owner, private resume_hook<standalone_owner> {
protected:
    explicit standalone_owner(scheduler& home) noexcept : owner(home, false) {
        exchange_budget(unlimited);
    }

    /// What the operation resumes when it completes.
    using resume_hook<standalone_owner>::handle;
    [[nodiscard]] bool completed() const noexcept { return completed_; }

    /// Resumes what was posted, until the operation has completed (true) or the turn is given up.
    bool run_turn() {
        for (;;) {
            collect(false);
            resume_taken([this] { return completed_; });
            if (completed_) return true;
            exchange_budget(unlimited);
            if (!has_taken() && try_park()) return false;
        }
    }

private:
    friend class resume_hook<standalone_owner>;
    void resumed() noexcept { completed_ = true; }

    bool completed_ = false;
};

/// Starts an awaiter on behalf of `o`, running what it hands the turn to. True: it has completed.
template <class Awaiter>
[[nodiscard]] bool start_awaiter(Awaiter& a, owner& o, std::coroutine_handle<> continuation) {
    if (a.await_ready()) return true;
    using suspended = decltype(a.await_suspend(continuation));
    if constexpr (std::is_same_v<suspended, bool>) {
        return !a.await_suspend(continuation);
    } else if constexpr (std::is_void_v<suspended>) {
        a.await_suspend(continuation);
        if (auto const next = o.take_transfer()) o.drive(next);
    } else {
        o.drive(a.await_suspend(continuation));
    }
    return false;
}

/// Where the owner is a blocked thread: scheduling it means to unpark.
class thread_owner final : public standalone_owner {
public:
    thread_owner() noexcept : standalone_owner(home()) {}

    /// Blocks the thread until the awaiter has completed.
    template <class Awaiter>
    void wait_for(Awaiter& a) {
        if (!start_awaiter(a, *this, handle())) wait();
    }

    /// Blocks the thread until something has resumed `handle()`.
    void wait() {
        while (!completed() && !run_turn()) parker_.park();
    }
    using standalone_owner::handle;

private:
    class unparker final : public scheduler {
    public:
        void schedule(owner& o) noexcept override { static_cast<thread_owner&>(o).parker_.unpark(); }
    };
    static scheduler& home() noexcept {
        static unparker instance;
        return instance;
    }

    sync::parker parker_;
};

/// Where the owner is a foreign coroutine: it goes on on the thread that completes the operation,
/// inside the call that does so, when everybody whom that call wakes has been scheduled.
/// Lifetime  The coroutine may be destroyed while it waits, also by another one that the same call
///           has woken; but not while a call that wakes it runs on another thread.
class foreign_owner final : public standalone_owner, private inline_turns::member {
public:
    foreign_owner() noexcept : standalone_owner(home()) {}

    /// True: the coroutine stays suspended and will be resumed.
    template <class Awaiter>
    bool start(Awaiter& a, std::coroutine_handle<> waiter) {
        waiter_ = waiter;
        if (start_awaiter(a, *this, handle()) || completed()) return false;
        return !run_turn();
    }

private:
    void run() override {
        if (run_turn()) waiter_.resume();  // which may destroy the owner
    }

    class inline_runner final : public scheduler {
    public:
        void schedule(owner& o) noexcept override {
            static_cast<foreign_owner&>(o).run_or_wait();
        }
    };
    static scheduler& home() noexcept {
        static inline_runner instance;
        return instance;
    }

    std::coroutine_handle<> waiter_;
};

/// The awaiter that a coroutine which is not weir's gets for an awaitable of weir.
template <native_awaitable A>
class foreign_coroutine_awaiter {
public:
    explicit foreign_coroutine_awaiter(A&& a) : inner_(a, owner_) {}
    foreign_coroutine_awaiter(const foreign_coroutine_awaiter&) = delete;
    foreign_coroutine_awaiter& operator=(const foreign_coroutine_awaiter&) = delete;

    bool await_ready() noexcept { return false; }
    template <class Promise>
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<Promise> h) {
        return owner_.start(inner_, h);
    }
    decltype(auto) await_resume() { return inner_.await_resume(); }

private:
    foreign_owner owner_;
    native_awaiter_t<A> inner_;
};

/// Found by argument-dependent lookup for every awaitable of weir.
template <native_awaitable A>
foreign_coroutine_awaiter<A> operator co_await(A&& a) {
    return foreign_coroutine_awaiter<A>(std::forward<A>(a));
}

/// Blocks the calling thread until `a` has completed. Throws on a thread that runs tasks, where the
/// wait could keep the very task from running that would end it.
template <native_awaitable A>
decltype(auto) block_thread_on(A&& a, const char* misuse) {
    if (execution::must_not_block()) fail<blocking_in_async_error>(misuse);
    thread_owner self;
    native_awaiter_t<A> awaiter(a, self);
    self.wait_for(awaiter);
    return awaiter.await_resume();
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
