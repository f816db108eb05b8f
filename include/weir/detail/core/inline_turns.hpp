#pragma once
// The turns of coroutines that are not weir's when one call wakes several owners.
//
// Such a coroutine goes on inside `scheduler::schedule`, and what it does there may destroy another
// one that the same call has woken. So nobody goes on before all of them have been scheduled; who
// is destroyed by then leaves the list. All of it happens on the waking thread.

#include <utility>

#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class inline_turns {
public:
    /// Base of an owner that has its turn inside `schedule`.
    class member {
    public:
        member() = default;
        member(const member&) = delete;
        member& operator=(const member&) = delete;

        /// Runs now, or at the end of the `run_after` that the thread is in.
        void run_or_wait() {
            if (inline_turns* const turns = slot::get())
                turns->push_back(*this);
            else
                run();
        }

    protected:
        ~member() {
            if (turns_ != nullptr) turns_->erase(*this);
        }

    private:
        friend class inline_turns;
        virtual void run() = 0;  // which may destroy the object

        inline_turns* turns_ = nullptr;
        member* next_ = nullptr;
        member* prev_ = nullptr;
    };

    /// Calls `schedule_all`, then gives everybody who came by in it a turn, in the same order.
    template <class F>
    static void run_after(F schedule_all) {
        if (slot::get() != nullptr) {  // it is a part of another one
            schedule_all();
            return;
        }
        inline_turns turns;
        slot::set(&turns);
        schedule_all();
        slot::set(nullptr);
        while (turns.first_ != nullptr) {
            member& next = *turns.first_;
            turns.erase(next);
            next.run();
        }
    }

private:
    using slot = sync::thread_slot<inline_turns, struct current_inline_turns>;

    inline_turns() = default;

    void push_back(member& m) noexcept {
        m.turns_ = this;
        m.next_ = nullptr;
        m.prev_ = last_;
        (last_ ? last_->next_ : first_) = &m;
        last_ = &m;
    }
    void erase(member& m) noexcept {
        m.turns_ = nullptr;
        (m.prev_ ? m.prev_->next_ : first_) = m.next_;
        (m.next_ ? m.next_->prev_ : last_) = m.prev_;
    }

    member* first_ = nullptr;
    member* last_ = nullptr;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
