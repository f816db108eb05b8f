#pragma once
// What can be awaited, by whom, and what losing a race costs.
//
// An awaitable of weir (an operation, a receiver, a join handle, a task) may be moved until it is
// awaited; its nested, private `awaiter` may not, and is made as a prvalue from the awaitable and
// the owner that waits. Who is not a weir task gets an owner that stands in for one: standalone.hpp.

#include <concepts>
#include <coroutine>
#include <type_traits>
#include <utility>

#include <weir/detail/core/missing_include.hpp>
#include <weir/detail/core/owner.hpp>

namespace weir { WEIR_ABI_BEGIN

/// What it costs to abandon a wait that has not completed, as a losing branch of `select` does.
enum class cancel_safety {
    safe,         ///< nothing: as if the operation had never been started
    loses_place,  ///< the place in a first-in first-out queue
    loses_data,   ///< a value: `select` and `timeout` refuse it
};

namespace detail {

/// Reads the private names of awaitables: befriended by each of them.
struct awaiter_access {
    // A function, since clang 16 checks the access of an alias template where it is used.
    template <class A>
    static auto awaiter() -> std::type_identity<typename A::awaiter>;
    template <class A>
    static constexpr cancel_safety safety = A::safety;
    template <class A>
    static constexpr bool by_lvalue = A::awaitable_as_lvalue;
};

/// Base of every awaitable of weir; through it coroutines that are not weir's find `operator
/// co_await` (standalone.hpp).
struct awaitable_base {
    explicit operator bool() const = delete;  // co_await it: only what it yields can be tested
};

/// Whether an awaitable is refused as an rvalue, for the sake of g++ 12: named_handle in spawn.hpp.
template <class A>
inline constexpr bool awaited_by_name = false;
template <class A>
constexpr void check_awaited_form() {
    static_assert(!awaited_by_name<A>,
                  "g++ 12 destroys the captures of a lambda, and an aggregate, that is a temporary "
                  "of a co_await expression twice: name the handle first, auto h = "
                  "weir::spawn(...), then co_await h");
}

template <class A>
concept native_awaitable = std::derived_from<std::remove_cvref_t<A>, awaitable_base>;

template <class A>
concept awaiter_like = requires(A& a) {
    { a.await_ready() } -> std::convertible_to<bool>;
    a.await_suspend(std::coroutine_handle<>{});
    a.await_resume();
};
template <class A>
concept has_member_co_await = requires(A&& a) { static_cast<A&&>(a).operator co_await(); };
template <class A>
concept has_free_co_await = requires(A&& a) { operator co_await(static_cast<A&&>(a)); };

template <class A>
concept foreign_awaitable =
    !native_awaitable<A> &&
    (has_member_co_await<A> || has_free_co_await<A> || awaiter_like<std::remove_reference_t<A>>);

template <native_awaitable A>
using native_awaiter_t =
    typename decltype(awaiter_access::awaiter<std::remove_cvref_t<A>>())::type;

template <class A>
decltype(auto) foreign_awaiter_of(A&& a) {
    if constexpr (has_member_co_await<A>)
        return static_cast<A&&>(a).operator co_await();
    else if constexpr (has_free_co_await<A>)
        return operator co_await(static_cast<A&&>(a));
    else
        return static_cast<A&&>(a);
}

/// A leaf awaiter: a wait node that cannot move.
class leaf_awaiter : public wait_node {
public:
    leaf_awaiter(const leaf_awaiter&) = delete;
    leaf_awaiter& operator=(const leaf_awaiter&) = delete;

protected:
    explicit leaf_awaiter(owner& o) noexcept : wait_node(o) {}
    ~leaf_awaiter() = default;

    /// Completes on the owner's next turn: for what is ready when the budget of this one is used up.
    WEIR_NOINLINE void yield_granted() noexcept {
        granted = true;
        if (!who->has_budget()) [[unlikely]]
            who->home().count_forced_yield();
        who->resume_next_turn(*this);
    }
    void enqueue_in(wait_list& list) noexcept {
        state = phase::waiting;
        list.push_back(*this);
    }
};

template <class A>
struct await_result {
    using type = decltype(foreign_awaiter_of(std::declval<A>()).await_resume());
};
template <native_awaitable A>
struct await_result<A> {
    using type = decltype(std::declval<native_awaiter_t<A>&>().await_resume());
};

}  // namespace detail

/// Anything that a `weir::task` can await.
template <class A>
concept awaitable = detail::native_awaitable<A> || detail::foreign_awaitable<A>;

/// What `co_await` of an `A` yields.
template <awaitable A>
using await_result_t = typename detail::await_result<A>::type;

/// What losing a race with an `A` costs. Tasks and foreign awaitables count as safe: what they
/// contain is their author's to say.
template <class A>
inline constexpr cancel_safety cancel_safety_v = cancel_safety::safe;
template <detail::native_awaitable A>
inline constexpr cancel_safety cancel_safety_v<A> =
    detail::awaiter_access::safety<std::remove_cvref_t<A>>;

WEIR_ABI_END }  // namespace weir
