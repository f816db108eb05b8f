#pragma once
// abort_on_drop: a join handle whose task ends with its scope.

#include <utility>

#include <weir/spawn.hpp>

namespace weir { WEIR_ABI_BEGIN

/// Owns a spawned task: a join_handle that aborts where that one lets go.
///
///     weir::abort_on_drop heartbeat(weir::spawn(beat(stream)));
///     co_await serve(stream);             // leaving the scope, by an exception too, aborts the beat
///
/// It is awaited as the join_handle is: `co_await h` or `co_await h.result()`.
/// Cancel safety  Both awaits are safe, of an lvalue: a lost `select(h, …)` leaves it as it was.
/// Lifetime       Destruction asks for the abort and does not wait for it: for branches that may
///                borrow from the scope, see task_group.
/// Thread safety  One thread at a time; `abort`, `is_finished` and `id` from any.
template <class T>
class [[nodiscard("destroying it aborts the task")]] abort_on_drop : public detail::awaitable_base {
public:
    explicit abort_on_drop(join_handle<T>&& h) noexcept : handle_(std::move(h)) {}
    abort_on_drop(abort_on_drop&&) noexcept = default;
    abort_on_drop& operator=(abort_on_drop&& other) noexcept {
        abort_on_drop(std::move(other)).swap(*this);
        return *this;
    }
    ~abort_on_drop() { handle_.abort(); }
    void swap(abort_on_drop& other) noexcept { handle_.swap(other.handle_); }

    /// As of the join_handle.
    [[nodiscard]] auto result() noexcept { return handle_.result(); }
    void abort() noexcept { handle_.abort(); }
    [[nodiscard]] abort_handle get_abort_handle() const { return handle_.get_abort_handle(); }
    [[nodiscard]] bool is_finished() const { return handle_.is_finished(); }
    [[nodiscard]] task_id id() const { return handle_.id(); }

    /// The handle, which lets the task go on when it is destroyed.
    [[nodiscard]] join_handle<T> release() && noexcept { return std::move(handle_); }
    /// Lets the task go on by itself.
    void detach() && noexcept { std::move(handle_).detach(); }

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public detail::native_awaiter_t<join_handle<T>> {
    public:
        awaiter(abort_on_drop& h, detail::owner& o)
            : detail::native_awaiter_t<join_handle<T>>(h.handle_, o) {}
    };

    join_handle<T> handle_;
};

WEIR_ABI_END }  // namespace weir
