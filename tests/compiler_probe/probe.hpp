#pragma once
// What the forms are made of: a lazy task that is not weir's, a suspension that the driver ends,
// and a value that notices when its bits were copied behind its back.

#include <coroutine>
#include <cstdio>
#include <exception>
#include <optional>
#include <span>
#include <utility>

namespace probe {

// Who needs a form to be right.
enum class rule {
    relied_on,   // weir or its examples write it: wrong is a failure
    aggregates,  // WEIR_AGGREGATE_TEMPORARIES_BREAK says whether it is wrong
    avoided,     // wrong on some compilers, so weir does without: only reported
};

// Knows its own address. `live` counts values that exist, `strays` destructions of one that never
// was constructed where it was destroyed.
class tracked {
public:
    tracked() : self_(this) { ++live; }
    tracked(const tracked&) : tracked() {}
    tracked(tracked&&) noexcept : tracked() {}
    tracked& operator=(const tracked&) { return *this; }
    tracked& operator=(tracked&&) noexcept { return *this; }
    ~tracked() {
        if (self_ != this) ++strays;
        self_ = nullptr;
        --live;
    }

    // 1 where it should be, and a value that no form takes for success elsewhere.
    int at_home() const { return self_ == this ? 1 : -100; }

    inline static int live = 0;
    inline static int strays = 0;

private:
    const tracked* self_;
};

inline std::coroutine_handle<> suspended;  // what the driver resumes next

struct suspend {
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> handle) const { suspended = handle; }
    void await_resume() const {}
};

template <class T>
class [[nodiscard]] task {
public:
    struct promise_type;
    using handle = std::coroutine_handle<promise_type>;

    struct final_awaiter {
        bool await_ready() const noexcept { return false; }
        std::coroutine_handle<> await_suspend(handle self) const noexcept {
            return self.promise().continuation;
        }
        void await_resume() const noexcept {}
    };

    struct promise_type {
        std::coroutine_handle<> continuation = std::noop_coroutine();
        std::optional<T> value;
        std::exception_ptr error;

        task get_return_object() { return task(handle::from_promise(*this)); }
        std::suspend_always initial_suspend() noexcept { return {}; }
        final_awaiter final_suspend() noexcept { return {}; }
        template <class U>
        void return_value(U&& result) {
            value.emplace(std::forward<U>(result));
        }
        void unhandled_exception() { error = std::current_exception(); }
    };

    class awaiter {
    public:
        explicit awaiter(handle child) : child_(child) {}
        bool await_ready() const { return false; }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) const {
            child_.promise().continuation = parent;
            return child_;
        }
        T await_resume() const {
            if (child_.promise().error) std::rethrow_exception(child_.promise().error);
            return std::move(*child_.promise().value);
        }

    private:
        handle child_;
    };

    task(task&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    ~task() {
        if (handle_) handle_.destroy();
    }
    awaiter operator co_await() && { return awaiter(handle_); }

    // Runs to the end, ending every suspension at once. Nothing where the form never finished.
    std::optional<T> run() {
        handle_.resume();
        while (suspended) std::exchange(suspended, {}).resume();
        return handle_.done() ? handle_.promise().value : std::nullopt;
    }

private:
    explicit task(handle own) : handle_(own) {}
    handle handle_;
};

struct form {
    rule needed;
    const char* source;  // what a reader would have to write to meet it
    task<int> (*start)();  // yields a positive number when all went well
};

std::span<const form> argument_forms();    // values and closures passed to a coroutine
std::span<const form> expression_forms();  // co_await inside larger expressions and statements
std::span<const form> awaiter_forms();     // where the awaiter itself lives
std::span<const form> send_forms();        // a value passed to an operation that is awaited

}  // namespace probe
