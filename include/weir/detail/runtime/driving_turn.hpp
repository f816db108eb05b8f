#pragma once
// Several threads in block_on of one current-thread runtime: one drives, the others wait for their
// roots or for their turn to drive.

#include <utility>

#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/detail/core/task_header.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class driving_turn {
public:
    /// True: the calling thread drives from now on. False: another one has finished the root.
    bool wait_for(task_header& root) {
        {
            scoped_lock guard(lock_);
            if (!std::exchange(driven_, true)) return true;
        }
        thread_owner self;
        wait_node done(self), turn(self);
        done.handle = turn.handle = self.handle();
        if (!root.add_joiner(done)) return false;
        bool drives = false;
        {
            scoped_lock guard(lock_);
            drives = !std::exchange(driven_, true);
            if (!drives) {
                turn.state = wait_node::phase::waiting;
                waiting_.push_back(turn);
            }
        }
        if (!drives) {
            self.wait();
            scoped_lock guard(lock_);
            if (turn.state == wait_node::phase::waiting) {
                waiting_.erase(turn);
            } else {
                if (turn.state != wait_node::phase::idle) self.retract(turn);
                drives = true;
            }
        }
        root.remove_joiner(done);
        return drives;
    }

    /// True: nobody drives, and nobody does before the calling thread passes the turn on.
    [[nodiscard]] bool try_take() noexcept {
        scoped_lock guard(lock_);
        return !std::exchange(driven_, true);
    }
    void pass_on() noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        if (last_ != nullptr)
            wakes.wake(*std::exchange(last_, nullptr));
        else if (waiting_.empty())
            driven_ = false;
        else
            wakes.wake(waiting_.pop_front());
    }

    /// After the stop: waits until nobody drives, and keeps it so.
    void take_last() noexcept {
        thread_owner self;
        wait_node turn(self);
        turn.handle = self.handle();
        {
            scoped_lock guard(lock_);
            if (!std::exchange(driven_, true)) return;
            turn.state = wait_node::phase::waiting;
            last_ = &turn;
        }
        self.wait();
    }

private:
    small_lock lock_;
    bool driven_ = false;
    wait_list waiting_;
    wait_node* last_ = nullptr;  // who ends the runtime
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
