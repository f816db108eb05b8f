#pragma once
// The one awaiter of all operations on descriptors.
//
// An `Op` says what to try; the awaiter tries it, waits until its source is ready, and tries again
// on each wake, without resuming the coroutine in between:
//
//     static constexpr cancel_safety safety;
//     io_source& source(); io_direction direction(); std::uint32_t seen();   // of the last attempt
//     bool attempt() noexcept;                  // false: it would block
//     void fail(std::error_code) noexcept;      // it cannot be waited for
//     R take();                                 // the result, after attempt() or fail()

#include <cerrno>
#include <coroutine>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <sys/types.h>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/resume_hook.hpp>
#include <weir/detail/runtime/io_source.hpp>
#include <weir/detail/runtime/runtime_core.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class Op>
class [[nodiscard("an operation does nothing until it is awaited")]] io_operation
    : public awaitable_base {
public:
    explicit io_operation(Op op) : op_(std::move(op)) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = Op::safety;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : public leaf_awaiter, private resume_hook<awaiter> {
    public:
        awaiter(io_operation& operation, owner& o)
            : leaf_awaiter(o, wait_kind::io), op_(std::move(operation.op_)) {}
        ~awaiter() {
            if (waiting_in_ != nullptr)
                waiting_in_->leave(*this, direction_);
            else if (is_suspended())  // it yielded: nobody else knows it
                who->retract(*this);
        }

        bool await_ready() noexcept {
            if (!who->has_budget()) return false;
            tried_ = true;
            if (!op_.attempt()) return false;
            who->spend_budget();
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> waiter) noexcept {
            waiter_ = waiter;
            if (tried_) return wait();
            handle = resume_hook<awaiter>::handle();
            yield_granted();
            return true;
        }
        decltype(auto) await_resume() {
            if (no_runtime_)
                fail<no_runtime_error>(
                    "an operation that waits for the system needs a weir runtime: await it inside "
                    "a task, inside block_on, or under runtime.enter()");
            return op_.take();
        }

    private:
        friend class resume_hook<awaiter>;

        void resumed() noexcept {
            io_source* const source = std::exchange(waiting_in_, nullptr);
            bool completed = true;
            if (source != nullptr && amount == io_source::abandoned) {
                op_.fail(std::make_error_code(std::errc::operation_canceled));
            } else {
                const bool others_wait = source != nullptr && granted;
                completed = op_.attempt();
                if (completed && others_wait) source->pass_on(direction_);
            }
            if (source != nullptr) source->release();
            if (completed || !wait()) who->transfer(waiter_);
        }

        // Queues in the source; false if the operation has completed instead.
        bool wait() noexcept {
            for (;;) {
                io_source& source = op_.source();
                direction_ = op_.direction();
                waiting_in_ = &source;
                handle = resume_hook<awaiter>::handle();
                const auto result = source.wait(*this, direction_, op_.seen());
                if (result == io_source::wait_result::waiting) return true;
                waiting_in_ = nullptr;
                handle = nullptr;
                if (result == io_source::wait_result::changed ? op_.attempt() : !join(source))
                    return false;
            }
        }

        // Registers the source with the runtime of who waits.
        bool join(io_source& source) noexcept {
            runtime_core* runtime = who->home().runtime();
            if (runtime == nullptr) runtime = runtime_core::current();
            no_runtime_ = runtime == nullptr;
            if (no_runtime_) return false;
            std::error_code error;
            if (io_reactor* const reactor = runtime->events().reactor(error))
                error = reactor->add(source);
            if (error) op_.fail(error);
            return !error;
        }

        Op op_;
        std::coroutine_handle<> waiter_;
        io_source* waiting_in_ = nullptr;
        io_direction direction_ = io_direction::read;
        bool tried_ = false;
        bool no_runtime_ = false;
    };

    Op op_;
};

/// What the operations on one direction of one source have in common.
class io_attempt {
public:
    io_attempt(io_source& source, io_direction d) noexcept : source_(&source), direction_(d) {}

    [[nodiscard]] io_source& source() const noexcept { return *source_; }
    [[nodiscard]] io_direction direction() const noexcept { return direction_; }
    [[nodiscard]] std::uint32_t seen() const noexcept { return seen_; }
    void fail(std::error_code error) noexcept { error_ = error; }

protected:
    enum class status : std::uint8_t { done, blocked, failed };

    /// Makes a system call, unless it is known that it would block. `call(source)` returns what
    /// the system call did.
    template <class Call>
    [[nodiscard]] status try_call(Call call) {
        seen_ = source_->edges(direction_);
        if (source_->is_drained(direction_, seen_)) return status::blocked;
        for (;;) {
            const auto result = call(std::as_const(*source_));
            if (result >= 0) {
                count_ = static_cast<std::size_t>(result);
                return status::done;
            }
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                drained();
                return status::blocked;
            }
            error_ = std::error_code(errno, std::system_category());
            return status::failed;
        }
    }
    /// A stream transferred less than there was room for: the next call would block.
    void drained() noexcept { source_->set_drained(direction_, seen_); }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] const std::error_code& error() const noexcept { return error_; }

private:
    io_source* source_;
    std::size_t count_ = 0;
    std::error_code error_;
    std::uint32_t seen_ = 0;
    io_direction direction_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
