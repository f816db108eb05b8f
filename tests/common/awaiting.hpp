#pragma once
// Helpers of the tests that wait: run until idle, probe an operation, foreign coroutines.
//
// "Waits" in a test means: started, everything else that could run has run, and not completed.

#include <atomic>
#include <chrono>
#include <coroutine>
#include <doctest/doctest.h>
#include <exception>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <weir/join.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "runtimes.hpp"

namespace weir_test {

// Yields until every other ready task has run: far more rounds than any test has hand-overs.
inline weir::task<> settle() {
    for (int i = 0; i < 32; ++i) co_await weir::yield_now();
}

// Yields until the predicate holds; false when it still does not after a long time.
template <class Pred>
weir::task<bool> until(Pred pred) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!pred()) {
        if (std::chrono::steady_clock::now() > give_up) co_return false;
        co_await weir::yield_now();
    }
    co_return true;
}

// Awaits an operation that was made elsewhere, as a task.
template <class Op>
weir::task<weir::await_result_t<Op>> run_operation(Op op) {
    if constexpr (std::is_void_v<weir::await_result_t<Op>>) {
        co_await std::move(op);
    } else {
        co_return co_await std::move(op);
    }
}

// A spawned operation that a test watches; `handle` is awaited for its result.
template <class T>
class probe {
public:
    explicit probe(weir::join_handle<T> h) : handle(std::move(h)) {}

    weir::task<bool> waits() {
        co_await settle();
        co_return !handle.is_finished();
    }

    weir::task<bool> completes() {
        if (parallel) co_return co_await until([this] { return handle.is_finished(); });
        co_await settle();
        co_return handle.is_finished();
    }

    weir::task<> abort() {
        handle.abort();
        static_cast<void>(co_await handle.result());
    }

    weir::join_handle<T> handle;
};

namespace impl {

// Two branches of one task are never in parallel: when the second sees that the first has entered
// its operation, that operation has completed or is queued where it waits.
template <class Op>
weir::task<weir::await_result_t<Op>> enter(Op op, bool& entered) {
    entered = true;
    if constexpr (std::is_void_v<weir::await_result_t<Op>>) {
        co_await std::move(op);
    } else {
        co_return co_await std::move(op);
    }
}

inline weir::task<> announce(const bool& entered, std::shared_ptr<std::atomic<bool>> started) {
    while (!entered) co_await weir::yield_now();
    started->store(true);
}

template <class Op>
weir::task<weir::await_result_t<Op>> run_announced(Op op,
                                                   std::shared_ptr<std::atomic<bool>> started) {
    bool entered = false;
    auto both = co_await weir::join(enter(std::move(op), entered), announce(entered, started));
    if constexpr (!std::is_void_v<weir::await_result_t<Op>>) co_return std::get<0>(std::move(both));
}

}  // namespace impl

// Spawns the operation and returns when it has run as far as it can by itself, so that operations
// started one after the other are queued in that order.
template <class Op>
weir::task<probe<weir::await_result_t<Op>>> start(Op op) {
    using result = weir::await_result_t<Op>;
    if (!parallel) {
        probe<result> one(weir::spawn(run_operation(std::move(op))));
        co_await settle();
        co_return one;
    }
    auto started = std::make_shared<std::atomic<bool>>(false);
    probe<result> one(weir::spawn(impl::run_announced(std::move(op), started)));
    co_await until([&] { return started->load() || one.handle.is_finished(); });
    co_return one;
}

// Statements, so that no co_await ever stands inside of an assertion of doctest.
#define CHECK_WAITS(p)                                   \
    do {                                                 \
        const bool still_waits = co_await (p).waits();   \
        CHECK_MESSAGE(still_waits, #p " should wait");   \
    } while (false)

#define CHECK_COMPLETES(p)                                     \
    do {                                                       \
        const bool completed = co_await (p).completes();       \
        CHECK_MESSAGE(completed, #p " should have completed"); \
    } while (false)

#define REQUIRE_COMPLETES(p)                                     \
    do {                                                         \
        const bool completed = co_await (p).completes();         \
        REQUIRE_MESSAGE(completed, #p " should have completed"); \
    } while (false)

// A coroutine type that knows nothing of weir: runs at once, is resumed by whoever wakes it, and
// destroys what it waits for when it goes out of scope.
template <class T>
class foreign {
    using stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

    struct promise_base {
        std::optional<stored> value;
        std::exception_ptr error;
        std::atomic<bool> done{false};

        struct final_awaiter {
            explicit final_awaiter(std::atomic<bool>& f) noexcept : flag(f) {}
            std::atomic<bool>& flag;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<>) noexcept { flag.store(true); }
            void await_resume() const noexcept {}
        };

        std::suspend_never initial_suspend() const noexcept { return {}; }
        final_awaiter final_suspend() noexcept { return final_awaiter(done); }
        void unhandled_exception() noexcept { error = std::current_exception(); }
    };
    struct promise_value : promise_base {
        template <class U>
        void return_value(U&& u) {
            this->value.emplace(std::forward<U>(u));
        }
    };
    struct promise_void : promise_base {
        void return_void() { this->value.emplace(); }
    };

public:
    struct promise_type : std::conditional_t<std::is_void_v<T>, promise_void, promise_value> {
        foreign get_return_object() {
            return foreign(std::coroutine_handle<promise_type>::from_promise(*this));
        }
    };

    foreign(foreign&& o) noexcept : frame_(std::exchange(o.frame_, {})) {}
    foreign& operator=(foreign&& o) noexcept {
        std::swap(frame_, o.frame_);
        return *this;
    }
    ~foreign() { cancel(); }

    void cancel() {
        if (auto frame = std::exchange(frame_, {})) frame.destroy();
    }

    bool done() const { return frame_.promise().done.load(); }

    // The result, once done.
    stored& value() {
        if (frame_.promise().error) std::rethrow_exception(frame_.promise().error);
        return frame_.promise().value.value();
    }

private:
    explicit foreign(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
    std::coroutine_handle<promise_type> frame_;
};

// Starts the operation in a foreign coroutine; when this returns, it completed or waits.
template <class Op>
foreign<weir::await_result_t<Op>> start_foreign(Op op) {
    if constexpr (std::is_void_v<weir::await_result_t<Op>>) {
        co_await std::move(op);
    } else {
        co_return co_await std::move(op);
    }
}

}  // namespace weir_test
