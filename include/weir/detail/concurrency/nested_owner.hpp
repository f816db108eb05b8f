#pragma once
// An owner inside another one: for what has to be set up before each resumption of one awaitable,
// and undone after it. Who does not use it pays nothing.
//
// Everything inside the awaitable waits as this owner, so every wake passes through its mailbox.
// The thread that claims it posts `bell_`, a node of the outer owner; when that is resumed, the
// inner turn runs in the middle of the outer one, between the context's `enter` and `leave`.
//
// Turn      of this owner: a part of the outer owner's turn. `has_turn_` says that no other thread
//           has a claim: the inner turn runs, or is due because `bell_` is on its way.
// Lifetime  what waited inside is destroyed first, so that nobody can post any more. A thread that
//           has claimed the owner before, and has not posted `bell_` yet, is waited for: it has a
//           few instructions to go.

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/core/small_lock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// A context in which whatever runs lives on the budget of the owner around it.
class on_outer_budget {
public:
    static void enter(owner& inner, owner& outer) noexcept {
        inner.exchange_budget(outer.exchange_budget(0));
    }
    static void leave(owner& inner, owner& outer) noexcept {
        outer.exchange_budget(inner.exchange_budget(0));
    }
};

/// `Context::enter(owner& inner, owner& outer)` and `leave` enclose whatever runs inside. A context
/// may have a `gives_way()`, which is asked before each turn whether others come first.
template <class Context>
class nested_owner : private scheduler,
                     public owner,
                     private resume_hook<nested_owner<Context>> {
public:
    nested_owner(owner& outer, Context& context) noexcept
        : owner(static_cast<scheduler&>(*this), false),
          bell_(outer),
          context_(&context) {
        bell_.handle = resume_hook<nested_owner>::handle();
    }
    /// What waited inside has been destroyed.
    ~nested_owner() {
        if (!has_turn_ && claimed()) {
            sync::spin_wait until_rung;
            while (!is_rung()) until_rung.once();
        }
        if (is_rung()) outer().retract(bell_);
    }

    /// Runs `f` as a part of the inner turn.
    template <class F>
    decltype(auto) inside(F&& f) {
        stay const here(*this);
        return f();
    }

    /// Starts a branch that waits as this owner. True: it has completed, and `continuation` will
    /// not be resumed.
    template <class Branch>
    [[nodiscard]] bool start(Branch& b, std::coroutine_handle<> continuation) {
        stay const here(*this);
        if (b.start(*this) || completed_) return true;
        continuation_ = continuation;
        give_turn_back();
        return false;
    }

    /// The branch has completed, inside.
    void set_completed() noexcept { completed_ = true; }

    /// Whether the inner turn is due in the outer one that is running; and lets it be the next.
    [[nodiscard]] bool is_due() noexcept {
        scoped_lock guard(lock_);
        return outer().is_due(bell_);
    }
    void resume_first() noexcept { outer().resume_first(bell_); }

private:
    friend class resume_hook<nested_owner>;

    class stay {
    public:
        explicit stay(nested_owner& o) noexcept : owner_(&o) { o.context_->enter(o, o.outer()); }
        stay(const stay&) = delete;
        stay& operator=(const stay&) = delete;
        ~stay() { owner_->context_->leave(*owner_, owner_->outer()); }

    private:
        nested_owner* owner_;
    };

    [[nodiscard]] owner& outer() const noexcept { return *bell_.who; }

    // -- scheduler, on the thread that has claimed this owner ------------------------------------

    void schedule(owner&) noexcept override {
        wake_list wakes;  // when it schedules the outer owner, this one may be gone
        scoped_lock guard(lock_);
        wakes.wake(bell_);
    }
    runtime_core* runtime() noexcept override { return outer().home().runtime(); }
    std::uint64_t random() noexcept override { return outer().home().random(); }
    void count_forced_yield() noexcept override { outer().home().count_forced_yield(); }

    [[nodiscard]] bool is_rung() noexcept {
        scoped_lock guard(lock_);
        return bell_.state != wait_node::phase::idle;
    }

    // -- on the outer owner's turn ---------------------------------------------------------------

    /// `bell_` has been resumed.
    void resumed() {
        bell_.handle = resume_hook<nested_owner>::handle();
        if constexpr (requires { context_->gives_way(); })
            if (context_->gives_way()) return;
        has_turn_ = true;
        {
            stay const here(*this);
            collect(false);
            resume_taken([this] { return completed_; });
            if (!completed_) give_turn_back();
        }
        if (completed_) outer().transfer(continuation_);
    }

    void give_turn_back() noexcept {
        if (!has_taken() && try_park()) {
            has_turn_ = false;
            return;
        }
        if (owner* const o = owner::post(bell_)) o->home().schedule(*o);  // on the next turn
    }

    wait_node bell_;
    Context* context_;
    std::coroutine_handle<> continuation_;
    small_lock lock_;
    bool has_turn_ = true;
    bool completed_ = false;
};

/// An operation around another one, which runs in a context: the value that is bound, the budget.
/// What is inside is destroyed in that context too, whether it has completed or not.
template <class Context, class A>
class nested_operation : public awaitable_base {
public:
    template <class... Args>
    explicit nested_operation(A&& a, Args&&... args)
        : context_(std::forward<Args>(args)...), operand_(std::forward<A>(a)) {}
    nested_operation(nested_operation&&) = default;
    nested_operation& operator=(nested_operation&&) = delete;
    ~nested_operation() { context_.destroy([this] { operand_.drop(); }); }

    Context& context() noexcept { return context_; }

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety_v<A>;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : private branch_parent {
    public:
        awaiter(nested_operation& op, owner& o) noexcept
            : owner_(o, op.context_), branch_({op.operand_, *this, 0}) {}
        awaiter(const awaiter&) = delete;
        awaiter& operator=(const awaiter&) = delete;
        ~awaiter() {
            owner_.inside([this] { branch_.drop(); });
        }

        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<> h) { return !owner_.start(branch_, h); }
        await_result_t<A> await_resume() {
            return owner_.inside([this]() -> await_result_t<A> { return branch_.take(); });
        }

    private:
        void completed(std::size_t) noexcept override { owner_.set_completed(); }
        void show(wait_visitor& to) const override {
            to.nested(owner_);
            branch_.show(to);
        }

        nested_owner<Context> owner_;
        branch<A> branch_;
    };

    Context context_;
    branch_operand<A> operand_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
