#pragma once
// The threads that the workers of a multi-thread runtime run on.
//
// A worker is a queue and its statistics; any thread may run it, one at a time. A thread that is
// about to block in block_in_place puts its worker on offer, and another thread takes it up. The
// first one, when it can go on, takes the offer back if that is still possible; otherwise it ends
// its turn without a worker and waits to be given another.

#include <cstddef>
#include <deque>
#include <utility>

#include <weir/detail/runtime/idle_threads.hpp>
#include <weir/detail/runtime/runtime_core.hpp>
#include <weir/detail/runtime/thread_group.hpp>
#include <weir/detail/runtime/worker.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class worker_threads {
public:
    explicit worker_threads(runtime_core& core) noexcept : core_(&core) {}

    /// Brings a thread to a worker that is on offer. Any thread.
    /// Errors  Throws what std::thread does, where a thread has to be made.
    void bring_to(worker& w) {
        {
            scoped_lock guard(mutex_);
            offers_.push_back(&w);
            if (idle_.call_one()) return;
        }
        core_->launch(group_, [this] {
            while (worker* const taken = next()) taken->run();
        });
    }

    /// Lets threads without a worker end.
    void stop() noexcept {
        scoped_lock guard(mutex_);
        stopped_ = true;
        while (idle_.call_one()) {
        }
    }
    /// After stop: as thread_group.
    [[nodiscard]] bool join(thread_group::deadline until) noexcept { return group_.join(until); }
    void abandon() noexcept { group_.abandon(); }

private:
    worker* next() noexcept {
        scoped_lock guard(mutex_);
        for (;;) {
            if (stopped_) return nullptr;
            while (!offers_.empty()) {
                worker* const w = offers_.front();
                offers_.pop_front();
                if (w->take()) return w;
            }
            if (!idle_.wait(mutex_, core_->options().thread_keep_alive)) return nullptr;
        }
    }

    runtime_core* core_;
    sync::mutex mutex_;
    std::deque<worker*> offers_;
    idle_threads idle_;
    bool stopped_ = false;
    thread_group group_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
