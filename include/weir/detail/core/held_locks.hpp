#pragma once
// Which tracked locks the running turn of an owner holds, to be named to who suspends meanwhile.

#include <source_location>
#include <stdexcept>
#include <string>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A co_await would have suspended a task that holds a tracked_mutex.
class suspended_while_locked_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

namespace detail {

/// One lock that is held, in a list of the thread that holds it. The list is short, and only who
/// locks or fails looks at it; an await looks at the owner's flag.
class held_lock {
public:
    held_lock(const char* name, std::source_location made_at) noexcept
        : name_(name), made_at_(made_at) {}
    held_lock(const held_lock&) = delete;
    held_lock& operator=(const held_lock&) = delete;

    /// On the thread that has locked.
    void enter(std::source_location at) noexcept {
        execution* const here = execution::here();
        if (here == nullptr || here->current == nullptr) return;
        holder_ = here->current;
        locked_at_ = at;
        next_ = list::get();
        list::set(this);
        holder_->set_holds_thread_lock(true);
    }
    /// On the same thread, which holds the lock still.
    void leave() noexcept {
        if (holder_ == nullptr) return;
        bool holds_more = false;
        held_lock* before = nullptr;
        for (held_lock* l = list::get(); l != nullptr; l = l->next_) {
            if (l == this)
                continue;
            else if (l->next_ == this)
                before = l;
            holds_more |= l->holder_ == holder_;
        }
        if (before != nullptr)
            before->next_ = next_;
        else
            list::set(next_);
        holder_->set_holds_thread_lock(holds_more);
        holder_ = nullptr;
    }

    /// Says where `o` suspends and what it holds.
    [[noreturn]] WEIR_COLD static void fail_suspended(const owner& o, std::source_location at) {
        std::string what = "this co_await at " + place(at) + " suspends the task while it holds";
        for (held_lock* l = list::get(); l != nullptr; l = l->next_) {
            if (l->holder_ != &o) continue;
            what += " weir::tracked_mutex ";
            if (l->name_ != nullptr) what.append("'").append(l->name_).append("' ");
            what += "(locked at " + place(l->locked_at_) + ", made at " + place(l->made_at_) + ")";
        }
        what +=
            ": who wants the lock would block its thread until the task goes on. Unlock it before, "
            "or use weir::mutex, which may be held across co_await";
        fail<suspended_while_locked_error>(what.c_str());
    }

private:
    using list = sync::thread_slot<held_lock, struct held_locks_of_thread>;

    static std::string place(std::source_location at) {
        return std::string(at.file_name()) + ":" + std::to_string(at.line());
    }

    const char* name_;
    std::source_location made_at_;
    std::source_location locked_at_;
    owner* holder_ = nullptr;  // null: not held, or by a thread that runs no task
    held_lock* next_ = nullptr;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
