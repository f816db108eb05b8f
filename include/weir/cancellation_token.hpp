#pragma once
// cancellation_token: tells tasks that they should come to their end.
//
// Cancelling by token is cooperative: a task sees it where it looks or waits, and ends by itself.
// What cannot look is wrapped: run_until_cancelled destroys it where it waits. (join_handle::abort
// does the same to a whole task.)

#include <coroutine>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/sync/cancellation_node.hpp>
#include <weir/select.hpp>

namespace weir { WEIR_ABI_BEGIN

class cancellation_guard;

/// One request to stop, shared by its copies. It cancels its children, and they do not cancel it.
///
///     weir::cancellation_token stop;
///     weir::spawn(serve(stop.child_token())).detach();
///     stop.cancel();
///
///     weir::task<> serve(weir::cancellation_token stop) {
///         while (auto request = co_await stop.run_until_cancelled(next_request())) use(*request);
///     }
///
/// It costs one allocation; copies are counted. Copies are equal, everything else is not.
/// Thread safety  Any thread; one token object, one thread at a time.
class cancellation_token {
    class borrowed_wait;
    class owned_wait;
    template <class A>
    class run_operation;

public:
    cancellation_token() : node_(&detail::cancellation_node::make_root()) {}
    cancellation_token(const cancellation_token& other) noexcept : node_(other.node_) {
        if (node_) node_->add_reference();
    }
    cancellation_token(cancellation_token&& other) noexcept
        : node_(std::exchange(other.node_, nullptr)) {}
    cancellation_token& operator=(cancellation_token other) noexcept {
        swap(other);
        return *this;
    }
    ~cancellation_token() {
        if (node_) node_->release();
    }
    void swap(cancellation_token& other) noexcept { std::swap(node_, other.node_); }

    /// A token that is cancelled with this one, at once where that has happened already. If this
    /// one is dropped, its children become those of its parent.
    [[nodiscard]] cancellation_token child_token() const {
        return cancellation_token(valid().make_child());
    }

    /// Cancels the token and every one below it, for good, and wakes who waits. Does nothing the
    /// second time. It is complete when it returns; meanwhile a parent may be seen cancelled before
    /// its child.
    void cancel() const { valid().cancel(); }
    [[nodiscard]] bool is_cancelled() const { return valid().is_cancelled(); }

    /// Waits until the token is cancelled.
    /// Cancel safety  Safe.
    /// Lifetime       The token must outlive the wait; not so with cancelled_owned.
    [[nodiscard("co_await it")]] auto cancelled() const;
    [[nodiscard("co_await it")]] auto cancelled_owned() const;

    /// Awaits `a` unless or until the token is cancelled, which destroys `a`; yields its result in
    /// a std::optional (void as std::monostate). Where both happen at once, the result wins.
    /// Cancel safety  As `a`; does not compile where a cancellation would lose data.
    template <awaitable A>
    [[nodiscard("co_await it")]] auto run_until_cancelled(A&& a) const;

    /// Cancels the token at the end of the guard's scope.
    [[nodiscard]] cancellation_guard drop_guard() const;

    friend bool operator==(const cancellation_token& a, const cancellation_token& b) noexcept {
        return a.node_ == b.node_;
    }

private:
    friend struct std::hash<cancellation_token>;
    explicit cancellation_token(detail::cancellation_node& n) noexcept : node_(&n) {}

    detail::cancellation_node& valid() const {
        if (node_ == nullptr)
            detail::fail<already_consumed_error>(
                "this weir::cancellation_token was moved from: copy it instead");
        return *node_;
    }

    detail::cancellation_node* node_;
};

/// Cancels a token on destruction.
class [[nodiscard("it cancels the token at the end of its scope")]] cancellation_guard {
public:
    explicit cancellation_guard(cancellation_token t) noexcept : token_(std::move(t)) {}
    cancellation_guard(cancellation_guard&& other) noexcept
        : token_(std::exchange(other.token_, std::nullopt)) {}
    cancellation_guard& operator=(cancellation_guard&& other) noexcept {
        std::swap(token_, other.token_);
        return *this;
    }
    ~cancellation_guard() {
        if (token_) token_->cancel();
    }
    /// Gives the token back: nothing is cancelled at the end of the scope.
    cancellation_token disarm() {
        if (!token_)
            detail::fail<already_consumed_error>(
                "this weir::cancellation_guard was disarmed already");
        return *std::exchange(token_, std::nullopt);
    }

private:
    std::optional<cancellation_token> token_;
};

inline cancellation_guard cancellation_token::drop_guard() const {
    valid();
    return cancellation_guard(*this);
}

class cancellation_token::borrowed_wait : public detail::awaitable_base {
public:
    explicit borrowed_wait(detail::cancellation_node& n) noexcept : node_(&n) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public detail::cancellation_node::waiter {
    public:
        awaiter(borrowed_wait& w, detail::owner& o) noexcept : waiter(*w.node_, o) {}
    };

    detail::cancellation_node* node_;
};

class cancellation_token::owned_wait : public detail::awaitable_base {
public:
    explicit owned_wait(cancellation_token t) noexcept : token_(std::move(t)) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public detail::cancellation_node::waiter {
    public:
        awaiter(owned_wait& w, detail::owner& o) : waiter(w.token_.valid(), o) {}
    };

    cancellation_token token_;
};

template <class A>
class cancellation_token::run_operation : public detail::awaitable_base {
    using either = detail::select_operation<true, false, A, owned_wait>;

public:
    run_operation(cancellation_token t, A&& a)
        : token_(t),
          either_(detail::branch_operand<A>(std::forward<A>(a)),
                  detail::branch_operand<owned_wait>(owned_wait(std::move(t)))) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety_v<A>;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : public either::race {
    public:
        awaiter(run_operation& op, detail::owner& o)
            : either::race(op.either_, o), refused_(op.token_.is_cancelled()) {}

        bool await_ready() const noexcept { return refused_; }
        auto await_resume() {
            std::optional<detail::branch_value_t<A>> result;
            if (refused_) return result;
            auto r = either::race::await_resume();
            if (r.index() == 0) result.emplace(std::get<0>(std::move(r)));
            return result;
        }

    private:
        bool refused_;
    };

    cancellation_token token_;
    either either_;
};

inline auto cancellation_token::cancelled() const { return borrowed_wait(valid()); }

inline auto cancellation_token::cancelled_owned() const { return owned_wait(*this); }

template <awaitable A>
auto cancellation_token::run_until_cancelled(A&& a) const {
    static_assert(detail::may_lose<A>,
                  "this operation loses data when the token is cancelled meanwhile, such as mpsc "
                  "send, whose value would be gone: use the lossless form (reserve, then "
                  "permit.send(value)), or say weir::lossy(operation) if the loss is meant");
    valid();
    return run_operation<A>(*this, std::forward<A>(a));
}

WEIR_ABI_END }  // namespace weir

/// Equal tokens have equal hashes, so that a token may be the key of a map.
template <>
struct std::hash<weir::cancellation_token> {
    std::size_t operator()(const weir::cancellation_token& t) const noexcept {
        return std::hash<const void*>()(t.node_);
    }
};
