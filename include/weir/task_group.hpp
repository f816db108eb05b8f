#pragma once
// task_group: a growing set of branches of one task, which end with the scope they are made in.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/group_branches.hpp>

namespace weir { WEIR_ABI_BEGIN

/// How a task_group behaves.
struct task_group_options {
    /// How many branches run at once; `spawn` waits where there are as many.
    std::size_t max_concurrency = SIZE_MAX;
};

/// Branches that run concurrently, never in parallel, on the turn of the task whose local variable
/// the group is. So they may borrow what that task owns, and touch it without a lock:
///
///     std::vector<page> pages;
///     weir::task_group group({.max_concurrency = 8});
///     for (const url& u : urls) co_await group.spawn(fetch(u, pages));
///     co_await group.join();
///
/// A branch yields nothing: what it finds out it writes to where it was told. The branches make
/// progress whenever the owner waits, for whatever it is. Leaving the scope of the group destroys
/// the branches that are left, at once: nothing outlives what it borrowed. For parallel tasks that
/// own what they use, see join_set.
///
/// An exception that leaves a branch goes to the owner: the next spawn, join_next or join throws
/// it. One that no operation has thrown when the group is destroyed goes to the runtime's
/// on_unhandled.
/// A branch costs one small node beside its frame, a wait nothing.
/// Lifetime       A local variable of the task that uses it; branches may be given a reference to
///                it, to spawn into it as well.
/// Thread safety  The owner's turn only.
class task_group {
    template <bool All>
    class end_operation;
    class spawn_operation;

public:
    /// Errors  Throws std::invalid_argument for a max_concurrency of 0.
    explicit task_group(task_group_options options = {}) : branches_(options.max_concurrency) {}
    task_group(const task_group&) = delete;
    task_group& operator=(const task_group&) = delete;

    /// Starts `a`, a weir::task<> or anything else that yields nothing, as a branch: it runs until
    /// it first waits, then the caller goes on.
    /// Suspends       While max_concurrency branches run.
    /// Cancel safety  Destroys `a`, which has not been started.
    /// Errors         Throws what an earlier branch has thrown, and destroys `a`; the others go on.
    template <awaitable A>
    [[nodiscard("co_await it")]] auto spawn(A&& a);

    /// Waits until one more branch has ended; yields false when none is left.
    /// Cancel safety  Safe.
    /// Errors         Throws what a branch has thrown; the others go on.
    [[nodiscard("co_await it")]] auto join_next() noexcept;

    /// Waits until all branches have ended, also those that are spawned meanwhile.
    /// Cancel safety  Safe: the branches go on.
    /// Errors         Throws the first exception of a branch when the others have been destroyed.
    [[nodiscard("co_await it")]] auto join() noexcept;

    /// How many branches have not ended.
    [[nodiscard]] std::size_t size() const noexcept { return branches_.size(); }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }

private:
    detail::group_branches branches_;
};

class task_group::spawn_operation : public detail::awaitable_base {
public:
    spawn_operation(detail::group_branches& g, detail::group_branches::member_ptr m) noexcept
        : group_(&g), member_(std::move(m)) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_data;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : public detail::group_branches::slot_awaiter {
    public:
        awaiter(spawn_operation& op, detail::owner& o)
            : slot_awaiter(*op.group_, std::move(op.member_), o) {}
    };

    detail::group_branches* group_;
    detail::group_branches::member_ptr member_;
};

template <bool All>
class task_group::end_operation : public detail::awaitable_base {
public:
    explicit end_operation(detail::group_branches& g) noexcept : group_(&g) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public detail::group_branches::end_awaiter {
    public:
        awaiter(end_operation& op, detail::owner& o) : end_awaiter(*op.group_, o, All) {}
        std::conditional_t<All, void, bool> await_resume() {
            if constexpr (All)
                this->take_all();
            else
                return this->take_next();
        }
    };

    detail::group_branches* group_;
};

template <awaitable A>
auto task_group::spawn(A&& a) {
    static_assert(std::is_void_v<await_result_t<A>>,
                  "a branch of a task_group yields nothing: let it write its result into a "
                  "variable of the owner, or use weir::join_set");
    using member = detail::group_branches::member_of<A>;
    return spawn_operation(branches_, std::make_unique<member>(branches_, std::forward<A>(a)));
}

inline auto task_group::join_next() noexcept { return end_operation<false>(branches_); }

inline auto task_group::join() noexcept { return end_operation<true>(branches_); }

WEIR_ABI_END }  // namespace weir
