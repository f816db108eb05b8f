#pragma once
// Threads that come and go, and can be waited for together.

#include <chrono>
#include <list>
#include <optional>
#include <utility>

#include <weir/detail/core/config.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// A thread that has ended is joined by the next launch, so that the group does not grow with the
/// number of threads that there ever were. What the threads run keeps the group alive.
class thread_group {
public:
    using deadline = std::optional<std::chrono::steady_clock::time_point>;  // none: for ever

    thread_group() = default;
    thread_group(const thread_group&) = delete;
    thread_group& operator=(const thread_group&) = delete;

    /// Starts a thread that calls `body`, which must not throw. Any thread.
    /// Errors  Throws what std::thread does.
    template <class Body>
    void launch(Body body) {
        std::list<member> fresh(1);
        std::list<member> ended;
        {
            scoped_lock guard(mutex_);
            for (auto m = members_.begin(); m != members_.end();) {
                const auto next = std::next(m);
                if (m->ended) ended.splice(ended.end(), members_, m);
                m = next;
            }
            member& m = fresh.front();
            m.thread = sync::thread([this, &m, run = std::move(body)]() mutable {
                run();
                leave(m);
            });
            members_.splice(members_.end(), fresh);
            ++running_;
        }
        for (member& m : ended) m.thread.join();
    }

    /// Blocks until every body has returned, and joins the threads. False: at the deadline some had
    /// not. One caller at a time, while nobody launches.
    [[nodiscard]] bool join(deadline until) noexcept {
        sync::parker self;
        std::list<member> ended;
        {
            scoped_lock guard(mutex_);
            waiter_ = &self;
            while (running_ != 0) {
                std::chrono::nanoseconds left{};
                if (until) {
                    left = *until - sync::now();
                    if (left <= left.zero()) break;
                }
                mutex_.unlock();
                until ? self.park_for(left) : self.park();
                mutex_.lock();
            }
            waiter_ = nullptr;
            if (running_ != 0) return false;
            ended.swap(members_);
        }
        for (member& m : ended) m.thread.join();
        return true;
    }

    /// Lets the threads that have not ended go on by themselves. No launch may follow.
    void abandon() noexcept {
        scoped_lock guard(mutex_);
        for (member& m : members_) m.thread.detach();
    }

private:
    struct member {
        sync::thread thread;
        bool ended = false;
    };

    void leave(member& m) noexcept {
        scoped_lock guard(mutex_);
        m.ended = true;
        if (--running_ == 0 && waiter_ != nullptr) waiter_->unpark();
    }

    sync::mutex mutex_;
    std::list<member> members_;
    std::size_t running_ = 0;
    sync::parker* waiter_ = nullptr;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
