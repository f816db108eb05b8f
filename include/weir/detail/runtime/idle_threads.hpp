#pragma once
// Threads that have nothing to do, and wait a while for somebody to call them.

#include <chrono>
#include <cstddef>

#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Used under a mutex of its user. The last to become idle is called first, so that those that are
/// not needed run out of time.
class idle_threads {
public:
    /// False: no thread is idle.
    bool call_one() noexcept {
        waiter* const w = first_;
        if (w == nullptr) return false;
        first_ = w->next;
        --size_;
        w->called = true;
        w->parker.unpark();
        return true;
    }

    /// Blocks, with the mutex given back, until called (true) or until `keep_alive` has passed.
    [[nodiscard]] bool wait(sync::mutex& mutex, std::chrono::nanoseconds keep_alive) noexcept {
        waiter self;
        self.next = first_;
        first_ = &self;
        ++size_;
        const auto since = sync::now();
        for (;;) {
            const auto left = keep_alive - (sync::now() - since);
            if (left <= left.zero()) break;
            mutex.unlock();
            self.parker.park_for(left);
            mutex.lock();
            if (self.called) return true;
        }
        waiter** at = &first_;
        while (*at != &self) at = &(*at)->next;
        *at = self.next;
        --size_;
        return false;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    struct waiter {
        sync::parker parker;
        waiter* next = nullptr;
        bool called = false;
    };

    waiter* first_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
