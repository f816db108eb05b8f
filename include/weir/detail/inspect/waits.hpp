#pragma once
// What an operation is called in a dump, and what can be said of it.

#include <cstdint>
#include <optional>
#include <string>

#include <weir/detail/channel/awaiters.hpp>
#include <weir/detail/concurrency/group_branches.hpp>
#include <weir/detail/concurrency/task_set.hpp>
#include <weir/detail/sync/raw_mutex.hpp>
#include <weir/detail/sync/raw_rwlock.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

struct wait_text {
    std::string text;
    const void* object = nullptr;    // the lock
    std::optional<task_id> joined{};  // the task whose end is waited for
};

inline std::string counted(std::size_t n, const char* what) {
    return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s");
}

struct inspect_access {
    static std::string semaphore_text(const wait_node& n) {
        const auto& r = static_cast<const semaphore::request&>(n);
        const semaphore& s = *r.semaphore_;
        scoped_lock guard(s.lock_);
        return "semaphore::acquire of " + counted(r.wanted_, "permit") + ", " +
               std::to_string(r.missing_) + " missing";
    }
};

inline std::string sleep_text(const timer_awaiter& t) {
    const std::int64_t left = t.deadline() - t.clock_now();
    return "sleep, " + std::to_string(left > 0 ? left / 1'000'000 : 0) + " ms left";
}

inline std::string channel_text(const wait_node& n) {
    const channel::handle_counts& c = static_cast<const channel::channel_wait&>(n).channel();
    switch (n.kind) {
        case wait_kind::channel_recv:
            return c.kind_name() + std::string("::recv, ") + counted(c.strong_count(), "sender") + " alive";
        case wait_kind::channel_closed:
            return c.kind_name() + std::string("::closed, ") + counted(c.receiver_count(), "receiver") + " alive";
        default: break;
    }
    const channel::channel_look found = c.look();
    return c.kind_name() + std::string("::send, ") + std::to_string(found.size) + " of " + std::to_string(found.capacity) +
           " slots full, " + std::to_string(found.reserved) + " reserved, " +
           counted(c.receiver_count(), "receiver") + " alive";
}

/// Of a task that waits, or could run and has not yet; on its turn.
inline wait_text describe_wait(const wait_node& n) {
    switch (n.kind) {
        case wait_kind::other: break;
        case wait_kind::yield: return {"yield_now"};
        case wait_kind::mutex_lock:
            return {"mutex::lock", &static_cast<const raw_mutex::waiter&>(n).lock()};
        case wait_kind::rwlock_lock: {
            const auto& w = static_cast<const raw_rwlock::waiter&>(n);
            return {w.mode() == rwlock_mode::read ? "rwlock::read" : "rwlock::write", &w.lock()};
        }
        case wait_kind::semaphore_acquire: return {inspect_access::semaphore_text(n)};
        case wait_kind::notified: return {"notify::notified"};
        case wait_kind::barrier_wait: return {"barrier::wait"};
        case wait_kind::cell_filled: return {"once_cell or set_once: to be filled"};
        case wait_kind::token_cancelled: return {"cancellation_token::cancelled"};
        case wait_kind::tracker_wait: return {"task_tracker::wait"};
        case wait_kind::channel_send:
        case wait_kind::channel_recv:
        case wait_kind::channel_closed: return {channel_text(n)};
        case wait_kind::oneshot_recv: return {"oneshot::receiver, the sender is alive"};
        case wait_kind::oneshot_closed: return {"oneshot::sender::closed"};
        case wait_kind::broadcast_recv: return {"broadcast::recv"};
        case wait_kind::watch_changed: return {"watch::changed"};
        case wait_kind::receivers_gone: return {"sender::closed, a receiver is alive"};
        case wait_kind::sleep: return {sleep_text(static_cast<const timer_awaiter&>(n))};
        case wait_kind::io: return {"a socket or signal"};
        case wait_kind::join_task: {
            const task_id id = static_cast<const join_wait&>(n).joined().id();
            return {"join_handle of task " + std::to_string(static_cast<std::uint64_t>(id)), nullptr, id};
        }
        case wait_kind::join_set_next: {
            const task_set* const s = static_cast<const task_set::next_awaiter&>(n).set();
            return {"join_set::join_next, " + counted(s ? s->size() : 0, "task")};
        }
        case wait_kind::group_slot:
            return {"task_group::spawn, " +
                    counted(static_cast<const group_branches::slot_awaiter&>(n).group().size(), "branch slot") +
                    " in use"};
        case wait_kind::group_end:
            return {"task_group::join, branches: " +
                    std::to_string(static_cast<const group_branches::end_awaiter&>(n).group().size())};
        case wait_kind::foreign: return {"an awaitable of another library"};
    }
    return {"an operation"};
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
