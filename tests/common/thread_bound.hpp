#pragma once
// What must stay on the thread that has made it.

#include <atomic>
#include <coroutine>
#include <thread>

#include <weir/task.hpp>

#include "probes.hpp"

namespace weir_test {

// Notes each use on a thread that is not its own.
class thread_bound {
public:
    explicit thread_bound(std::atomic<int>& elsewhere) : elsewhere_(&elsewhere) {}
    thread_bound(thread_bound&& o) noexcept : elsewhere_(o.elsewhere_), made_on_(o.made_on_) {}
    ~thread_bound() { use(); }
    void use() const {
        if (std::this_thread::get_id() != made_on_) ++*elsewhere_;
    }

private:
    std::atomic<int>* elsewhere_;
    std::thread::id made_on_ = std::this_thread::get_id();
};

inline weir::task<> waits_for_ever(counted) { co_await std::suspend_always(); }

}  // namespace weir_test
