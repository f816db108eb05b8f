#pragma once
// What a suspended coroutine tells about itself: where it waits, and for what.
//
// Nothing is written while a coroutine runs. A co_await that suspends leaves two marks in its own
// promise, in room that is free until the coroutine ends: its source location where the result will
// be, and where its awaiter is. From there a dump finds what that waits for, and the coroutines in
// it. The marks are read on the owner's turn only, which who
// makes a dump takes for a moment: no task is resumed for it.

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <new>
#include <source_location>
#include <type_traits>

#include <weir/detail/core/wait_node.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class composite_wait;
struct inspect_access;  // reads what primitives keep to themselves, for dumps

/// Is shown what waits below a coroutine.
class wait_visitor {
public:
    virtual void operation(const wait_node& n) = 0;
    /// A weir::task that is awaited, or runs as a branch.
    virtual void coroutine(std::coroutine_handle<> h) = 0;
    /// Several, until leave(): the wait ends with all of them, or with one.
    virtual void enter(const char* what, bool ends_with_all) = 0;
    virtual void leave() = 0;
    /// What waits below does so as another owner, which stands for the same task.
    virtual void nested(const owner& inner) = 0;

protected:
    ~wait_visitor() = default;
};

/// Base of an awaiter that is made of others.
class composite_wait {
public:
    virtual void show(wait_visitor&) const {}

protected:
    ~composite_wait() = default;
};

/// The coroutine behind an awaiter of weir::task.
class awaited_coroutine {
public:
    [[nodiscard]] std::coroutine_handle<> address() const noexcept { return coroutine_; }

protected:
    explicit awaited_coroutine(std::coroutine_handle<> h) noexcept : coroutine_(h) {}
    ~awaited_coroutine() = default;

    std::coroutine_handle<> coroutine_;
};

/// Which of these an awaiter is.
enum class awaiter_form : std::uint8_t { unknown, operation, composite, coroutine };

template <class Awaiter>
constexpr awaiter_form form_of() noexcept {
    if (std::is_base_of_v<wait_node, Awaiter>) return awaiter_form::operation;
    if (std::is_base_of_v<composite_wait, Awaiter>) return awaiter_form::composite;
    if (std::is_base_of_v<awaited_coroutine, Awaiter>) return awaiter_form::coroutine;
    return awaiter_form::unknown;
}
template <awaiter_form Form>
using form_base =
    std::conditional_t<Form == awaiter_form::operation, wait_node,
                       std::conditional_t<Form == awaiter_form::composite, composite_wait,
                                          awaited_coroutine>>;

inline void show(wait_visitor& to, const wait_node& n) { to.operation(n); }
inline void show(wait_visitor& to, const composite_wait& c) { c.show(to); }
inline void show(wait_visitor& to, const awaited_coroutine& c) { to.coroutine(c.address()); }

/// Of an awaiter whose type is known. The cast reaches a private base too.
template <class Awaiter>
void show_awaiter(wait_visitor& to, const Awaiter& a) {
    constexpr awaiter_form form = form_of<Awaiter>();
    if constexpr (form != awaiter_form::unknown) show(to, (const form_base<form>&)a);
}

/// First part of a coroutine's result slot; the place of the result follows.
class await_mark {
public:
    /// Where it is in the frame of a weir::task: two pointers of the compiler's, two of the promise.
    static constexpr std::size_t in_frame = 4 * sizeof(void*);
    [[nodiscard]] static const await_mark& of(std::coroutine_handle<> h) noexcept {
        return *std::launder(reinterpret_cast<const await_mark*>(
            static_cast<const std::byte*>(h.address()) + in_frame));
    }

    template <class Awaiter>
    WEIR_ALWAYS_INLINE void set_suspended(const Awaiter& a) noexcept {
        constexpr awaiter_form form = form_of<Awaiter>();
        if constexpr (form == awaiter_form::unknown) {
            awaiter_ = somewhere;
        } else {
            const auto* const base = &(const form_base<form>&)a;
            static_assert(alignof(form_base<form>) >= forms);
            awaiter_ = low(base) + static_cast<std::uint32_t>(form);
        }
    }

    // -- who makes a dump, on the owner's turn ----------------------------------------------------

    /// Whether the coroutine has suspended in a co_await and not come to its end.
    [[nodiscard]] bool is_marked() const noexcept { return awaiter_ != 0 && state_ == state::empty; }
    [[nodiscard]] std::source_location site() const noexcept {
        return *std::launder(reinterpret_cast<const std::source_location*>(
            reinterpret_cast<const std::byte*>(this) + sizeof(await_mark)));
    }
    void show_awaiter(wait_visitor& to) const {
        const void* const at =
            reinterpret_cast<const std::byte*>(this) + (awaiter_ / forms * forms - low(this));
        switch (static_cast<awaiter_form>(awaiter_ % forms)) {
            case awaiter_form::operation: return show(to, *static_cast<const wait_node*>(at));
            case awaiter_form::composite: return show(to, *static_cast<const composite_wait*>(at));
            case awaiter_form::coroutine: return show(to, *static_cast<const awaited_coroutine*>(at));
            case awaiter_form::unknown: return;
        }
    }

protected:
    enum class state : std::uint8_t { empty, value, exception };

    state state_ = state::empty;

private:
    static constexpr std::uint32_t forms = 4;
    static constexpr std::uint32_t somewhere = forms;

    static std::uint32_t low(const void* p) noexcept {
        return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(p));
    }

    // The lower half of the awaiter's address, which is in the same frame as this, behind it, and its
    // form. 0: the coroutine never waited.
    std::uint32_t awaiter_ = 0;
};
static_assert(sizeof(await_mark) == 8 && sizeof(std::source_location) <= sizeof(void*));

}  // namespace detail
WEIR_ABI_END }  // namespace weir
