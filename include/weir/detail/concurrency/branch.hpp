#pragma once
// One branch of join, select or timeout: an awaitable, its awaiter, and what it calls when done.
//
// A branch is not a coroutine: its awaiter lives in the parent's frame and resumes a hook. All
// branches of a task share its mailbox and its turn, so no two of them ever run at the same time.

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/resume_hook.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/task/foreign_await.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// What a parent was given for one branch: an rvalue is owned, an lvalue referred to.
template <class A>
class branch_operand {
public:
    explicit branch_operand(A&& a, bool enabled = true) : operand_(std::in_place, std::forward<A>(a)),
                                                          enabled_(enabled) {
        check_awaited_form<A>();
    }

    [[nodiscard]] bool enabled() const noexcept { return enabled_; }
    A&& get() noexcept { return static_cast<A&&>(*operand_); }
    void drop() noexcept { operand_.reset(); }

private:
    std::optional<A> operand_;
    bool enabled_;
};
template <class A>
class branch_operand<A&> {
public:
    explicit branch_operand(A& a, bool enabled = true) noexcept : operand_(&a), enabled_(enabled) {}

    [[nodiscard]] bool enabled() const noexcept { return enabled_; }
    A& get() noexcept { return *operand_; }
    void drop() noexcept {}

private:
    A* operand_;
    bool enabled_;
};

/// Told by a branch that it has completed; on the task's turn.
class branch_parent {
public:
    virtual void completed(std::size_t branch) noexcept = 0;

protected:
    ~branch_parent() = default;
};

template <class A>
class branch : private resume_hook<branch<A>> {
    static constexpr bool is_native = native_awaitable<A>;

    template <class U>
    struct awaiter_of {
        using type = foreign_await<U>;
    };
    template <native_awaitable U>
    struct awaiter_of<U> {
        using type = native_awaiter_t<U>;
    };
    using awaiter = typename awaiter_of<A>::type;

public:
    using result = await_result_t<A>;

    struct place {
        branch_operand<A>& operand;
        branch_parent& parent;
        std::size_t index;
    };
    explicit branch(place p) noexcept
        : operand_(&p.operand), parent_(&p.parent), index_(p.index) {}
    branch(const branch&) = delete;
    branch& operator=(const branch&) = delete;
    ~branch() { drop(); }

    /// True: it has completed without waiting, and `parent.completed` was not called for it.
    [[nodiscard]] bool start(owner& o) {
        if constexpr (is_native) {
            auto&& operand = operand_->get();
            ::new (storage()) awaiter(operand, o);
        } else {
            ::new (storage()) awaiter(operand_->get(), o);
        }
        started_ = true;
        return start_awaiter(*live(), o, resume_hook<branch>::handle());
    }
    result take() { return live()->await_resume(); }

    /// Destroys the awaiter and what it waited for: a wait that goes on is cancelled.
    void drop() noexcept {
        if (std::exchange(started_, false)) live()->awaiter::~awaiter();
        operand_->drop();
    }

private:
    friend class resume_hook<branch>;
    void resumed() noexcept { parent_->completed(index_); }

    void* storage() noexcept { return static_cast<void*>(storage_); }
    awaiter* live() noexcept { return std::launder(reinterpret_cast<awaiter*>(storage_)); }

    branch_operand<A>* operand_;
    branch_parent* parent_;
    std::size_t index_;
    bool started_ = false;
    alignas(awaiter) std::byte storage_[sizeof(awaiter)];
};

/// What a branch leaves in a tuple or a variant.
template <class R>
struct branch_value {
    using type = R;
};
template <class R>
    requires std::is_void_v<R>
struct branch_value<R> {
    using type = std::monostate;
};
template <class R>
struct branch_value<R&> {
    using type = std::reference_wrapper<R>;
};
template <class A>
using branch_value_t = typename branch_value<await_result_t<A>>::type;

/// Calls `f` with the constant i for the run-time index `i < N`.
template <std::size_t N, class F>
void with_index(std::size_t i, F&& f) {
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        static_cast<void>(((I == i && (f(std::integral_constant<std::size_t, I>{}), true)) || ...));
    }(std::make_index_sequence<N>{});
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
