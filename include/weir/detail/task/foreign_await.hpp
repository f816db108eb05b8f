#pragma once
// How a weir::task awaits something that is not weir's, and comes back to its own runtime.

#include <concepts>
#include <coroutine>
#include <optional>
#include <type_traits>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/resume_hook.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// The foreign awaiter is given a handle of ours. Resuming it, on whatever thread, posts the task;
/// the task goes on where its runtime runs it.
///
/// Cancel safety  The foreign awaiter's destructor must make sure that its handle is not resumed any
///                more, and wait for a resumption that has begun.
template <class A>
class foreign_await : private wait_node, private resume_hook<foreign_await<A>> {
    using foreign_awaiter = decltype(foreign_awaiter_of(std::declval<A>()));

public:
    foreign_await(A&& a, owner& o) : wait_node(o, wait_kind::foreign) {
        awaiter_.emplace([&]() -> foreign_awaiter { return foreign_awaiter_of(std::forward<A>(a)); });
    }
    foreign_await(const foreign_await&) = delete;
    foreign_await& operator=(const foreign_await&) = delete;
    ~foreign_await() {
        awaiter_.reset();
        if (state != phase::idle) who->retract(*this);
    }

    bool await_ready() { return awaiter_->get().await_ready(); }

    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> task) {
        handle = task;
        const auto hook = resume_hook<foreign_await>::handle();
        using suspended = decltype(awaiter_->get().await_suspend(hook));
        if constexpr (std::is_void_v<suspended>) {
            awaiter_->get().await_suspend(hook);
            return true;
        } else if constexpr (std::convertible_to<suspended, bool>) {
            return static_cast<bool>(awaiter_->get().await_suspend(hook));
        } else {
            owner& o = *who;
            o.transfer(awaiter_->get().await_suspend(hook));
            return true;
        }
    }

    decltype(auto) await_resume() { return awaiter_->get().await_resume(); }

private:
    friend class resume_hook<foreign_await>;

    void resumed() noexcept {
        // After the post this frame may be resumed and destroyed by another thread.
        if (owner* const o = owner::post(*this)) o->home().schedule(*o);
    }

    // Holds a prvalue awaiter that cannot be moved, or a reference to one.
    class holder {
    public:
        template <class Make>
        explicit holder(Make make) : awaiter_(make()) {}
        std::remove_reference_t<foreign_awaiter>& get() noexcept { return awaiter_; }

    private:
        foreign_awaiter awaiter_;
    };

    std::optional<holder> awaiter_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
