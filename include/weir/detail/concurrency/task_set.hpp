#pragma once
// What a join_set keeps: its tasks, and which of them have ended, in the order of their ending.
//
// The set is an owner like a task: each of its tasks is joined by a node of the set, and a task
// that ends posts its node into the set's mailbox. That is all the way from a task to its set.
//
// State     mailbox `parked`: it is empty, and nobody is on the way. Otherwise the thread that has
//           claimed it is about to call `schedule`, once; until then others post without calling.
// Turn      of the set as an owner: whoever holds `lock_`.
// Members   link in a list that the user of the set alone touches.
// Ended     `ended_` holds nodes that nobody has joined yet. `promised_` of them belong to waits
//           that have been woken and did not run yet; one that is cancelled then passes it on.
// Lifetime  a set that is destroyed while a thread is on its way leaves itself to that thread.

#include <cstddef>
#include <memory>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/frame_pool.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/task_header.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class task_set final : private scheduler, public owner {
public:
    /// One task of the set: the node that joins it, and a reference to it.
    class member : private wait_node {
    public:
        explicit member(task_set& s) noexcept : wait_node(s) {}
        ~member() {
            if (task_ != nullptr) task_->release();
        }
        static void* operator new(std::size_t size) { return frame_pool::allocate(size); }
        static void operator delete(void* p, std::size_t size) noexcept {
            frame_pool::deallocate(p, size);
        }
        [[nodiscard]] task_header& task() const noexcept { return *task_; }

    private:
        friend class task_set;
        task_header* task_ = nullptr;
        member* older_ = nullptr;
        member* newer_ = nullptr;
    };
    using member_ptr = std::unique_ptr<member>;

    task_set() noexcept : owner(static_cast<scheduler&>(*this), true) {}

    /// Aborts every task and lets go of the set.
    static void destroy(task_set* s) noexcept {
        s->abort_all();
        s->forget_all();
        bool expected_by_a_thread = false;
        {
            scoped_lock guard(s->lock_);
            s->abandoned_ = expected_by_a_thread = s->claimed();
        }
        if (!expected_by_a_thread) delete s;
    }

    // -- the user of the set ---------------------------------------------------------------------

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    /// Makes `t` a member; takes the caller's reference over.
    void add(member_ptr fresh, task_header& t) noexcept {
        member& m = *fresh.release();
        m.task_ = &t;
        m.older_ = newest_;
        (newest_ ? newest_->newer_ : oldest_) = &m;
        newest_ = &m;
        ++size_;
        if (t.add_joiner(m)) return;
        if (owner* const claimed_now = owner::post(m)) schedule(*claimed_now);  // it has ended
    }

    /// Takes out the member that ended first; null: none has.
    [[nodiscard]] member_ptr try_next() noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        gather(wakes);
        if (!has_unpromised()) return nullptr;
        return take_ended(wakes);
    }

    void abort_all() noexcept {
        for (member* m = oldest_; m != nullptr; m = m->newer_) m->task_->abort();
    }

    /// Lets every task go on without the set.
    void forget_all() noexcept {
        member* m = nullptr;
        {
            wake_list wakes;
            scoped_lock guard(lock_);
            gather(wakes);
            for (m = oldest_; m != nullptr; m = m->newer_) m->task_->remove_joiner(*m);
            while (pop_taken() != nullptr) {
            }
            while (!ended_.empty()) ended_.pop_front();
            m = std::exchange(oldest_, nullptr);
            newest_ = nullptr;
            size_ = ended_count_ = 0;
            serve(wakes);
        }
        while (m != nullptr) {
            member_ptr const last(std::exchange(m, m->newer_));
            std::exchange(last->task_, nullptr)->detach();
        }
    }

    class next_awaiter;

private:
    void schedule(owner&) noexcept override {
        bool last = false;
        {
            wake_list wakes;
            scoped_lock guard(lock_);
            collect(true);
            distribute(wakes);
            last = abandoned_;
        }
        if (last) delete this;  // else it may be gone already
    }

    // With the lock held.

    void gather(wake_list& wakes) noexcept {
        if (claimed()) collect(false);
        distribute(wakes);
    }
    void distribute(wake_list& wakes) noexcept {
        while (wait_node* const n = pop_taken()) {
            ended_.push_back(*n);
            ++ended_count_;
        }
        serve(wakes);
    }
    void serve(wake_list& wakes) noexcept;

    [[nodiscard]] bool has_unpromised() const noexcept { return ended_count_ > promised_; }
    member_ptr take_ended(wake_list& wakes) noexcept {
        member_ptr m(static_cast<member*>(&ended_.pop_front()));
        --ended_count_;
        unlink(*m);
        serve(wakes);  // those that wait in vain, where it was the last one
        return m;
    }
    void unlink(member& m) noexcept {
        (m.older_ ? m.older_->newer_ : oldest_) = m.newer_;
        (m.newer_ ? m.newer_->older_ : newest_) = m.older_;
        --size_;
    }

    member* oldest_ = nullptr;
    member* newest_ = nullptr;
    std::size_t size_ = 0;

    small_lock lock_;
    bool abandoned_ = false;
    wait_list ended_;
    std::size_t ended_count_ = 0;
    std::size_t promised_ = 0;
    wait_list waiting_;
};

/// Waits for the next member to end; yields it, or null where the set is empty.
class task_set::next_awaiter : public leaf_awaiter {
public:
    next_awaiter(task_set* s, owner& o) noexcept : leaf_awaiter(o, wait_kind::join_set_next), set_(s) {}
    ~next_awaiter() {
        if (!is_suspended() && !promised_) return;
        wake_list wakes;
        scoped_lock guard(set_->lock_);
        if (state == phase::waiting)
            set_->waiting_.erase(*this);
        else if (state != phase::idle)
            who->retract(*this);
        if (promised_) --set_->promised_;
        set_->serve(wakes);
    }

    bool await_ready() noexcept {
        if (!who->has_budget()) return false;
        if (set_ != nullptr && !reserve()) return false;
        who->spend_budget();
        return true;
    }
    WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
        handle = h;
        if (set_ != nullptr) {
            wake_list wakes;
            scoped_lock guard(set_->lock_);
            set_->gather(wakes);
            if (!reserve_locked()) {
                enqueue_in(set_->waiting_);
                return true;
            }
        }
        yield_granted();
        return true;
    }

    /// The set, or null.
    [[nodiscard]] const task_set* set() const noexcept { return set_; }

protected:
    [[nodiscard]] member_ptr take() noexcept {
        if (!promised_) return nullptr;
        wake_list wakes;
        scoped_lock guard(set_->lock_);
        promised_ = false;
        --set_->promised_;
        if (set_->ended_.empty()) return nullptr;  // detached in the meantime
        return set_->take_ended(wakes);
    }

private:
    friend class task_set;

    bool reserve() noexcept {
        wake_list wakes;
        scoped_lock guard(set_->lock_);
        set_->gather(wakes);
        return reserve_locked();
    }
    /// True: no need to wait.
    bool reserve_locked() noexcept {
        if (set_->has_unpromised()) {
            promised_ = true;
            ++set_->promised_;
        }
        return promised_ || set_->size_ == 0;
    }

    task_set* set_;
    bool promised_ = false;
};

inline void task_set::serve(wake_list& wakes) noexcept {
    while (!waiting_.empty() && (has_unpromised() || size_ == 0)) {
        auto& w = static_cast<next_awaiter&>(waiting_.pop_front());
        if (has_unpromised()) {
            w.promised_ = true;
            ++promised_;
        }
        wakes.wake(w);
    }
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
