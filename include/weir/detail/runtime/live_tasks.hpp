#pragma once
// All tasks of a multi-thread runtime that have not ended.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/task_header.hpp>
#include <weir/detail/runtime/metrics.hpp>
#include <weir/detail/runtime/task_inspector.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Lists by task id, each behind a lock of its own, so that workers seldom meet.
class live_tasks {
public:
    /// False: the runtime has ended, and takes no more tasks.
    [[nodiscard]] bool add(task_header& t) noexcept {
        shard& s = shard_of(t);
        scoped_lock guard(s.lock);
        if (s.closed) return false;
        t.live_prev = nullptr;
        t.live_next = s.first;
        if (s.first != nullptr) s.first->live_prev = &t;
        s.first = &t;
        ++s.added;
        return true;
    }
    void remove(task_header& t) noexcept {
        shard& s = shard_of(t);
        scoped_lock guard(s.lock);
        (t.live_prev ? t.live_prev->live_next : s.first) = t.live_next;
        if (t.live_next != nullptr) t.live_next->live_prev = t.live_prev;
        ++s.removed;
    }
    void report(runtime_metrics& to) const noexcept {
        for (const shard& s : shards_) {
            scoped_lock guard(s.lock);
            to.spawned_tasks += s.added;
            to.alive_tasks += static_cast<std::size_t>(s.added - s.removed);
        }
    }
    void close() noexcept {
        for (shard& s : shards_) {
            scoped_lock guard(s.lock);
            s.closed = true;
        }
    }
    [[nodiscard]] bool empty() const noexcept {
        for (const shard& s : shards_) {
            scoped_lock guard(s.lock);
            if (s.first != nullptr) return false;
        }
        return true;
    }
    /// Calls `f` for each task, with a lock held.
    template <class F>
    void for_each(F f) {
        for (shard& s : shards_) {
            scoped_lock guard(s.lock);
            for (task_header* t = s.first; t != nullptr; t = t->live_next) f(*t);
        }
    }
    /// One task, and whether its turn was taken.
    struct seen {
        task_header* task;
        busy_task otherwise;
        bool borrowed;
    };
    static constexpr std::size_t shards = 16;
    /// The tasks of one shard, with the turns of all that are parked; each turn is to be given back.
    [[nodiscard]] std::vector<seen> borrow(std::size_t index) {
        shard& s = shards_[index];
        std::vector<seen> tasks;
        for (std::size_t room = 0;; tasks.reserve(room)) {
            scoped_lock guard(s.lock);
            room = static_cast<std::size_t>(s.added - s.removed);
            if (room > tasks.capacity()) continue;  // not with the lock held
            for (task_header* t = s.first; t != nullptr; t = t->live_next)
                tasks.push_back({t, {t, t->id(), t->site(), task_kind::task, false},
                                 t->borrow_turn()});
            return tasks;
        }
    }
    /// The task with that id, if it is there and parked, with its turn; or null.
    [[nodiscard]] task_header* borrow(task_id id) noexcept {
        shard& s = shards_[static_cast<std::uint64_t>(id) % shards_.size()];
        scoped_lock guard(s.lock);
        for (task_header* t = s.first; t != nullptr; t = t->live_next)
            if (t->id() == id) return t->borrow_turn() ? t : nullptr;
        return nullptr;
    }
    /// What is known of a task, which may be gone.
    [[nodiscard]] std::optional<busy_task> find(const owner* task) noexcept {
        for (shard& s : shards_) {
            scoped_lock guard(s.lock);
            for (const task_header* t = s.first; t != nullptr; t = t->live_next)
                if (t == task) return busy_task{t, t->id(), t->site(), task_kind::task, true};
        }
        return std::nullopt;
    }
    /// Claims a task that is parked: it is the caller's to end. Null: none is.
    [[nodiscard]] task_header* take_parked() noexcept {
        for (shard& s : shards_) {
            scoped_lock guard(s.lock);
            for (task_header* t = s.first; t != nullptr; t = t->live_next)
                if (!t->claimed() && t->post_abort()) return t;
        }
        return nullptr;
    }

private:
    struct alignas(cache_line) shard {
        mutable small_lock lock;
        bool closed = false;
        task_header* first = nullptr;
        std::uint64_t added = 0;
        std::uint64_t removed = 0;
    };

    shard& shard_of(const task_header& t) noexcept {
        return shards_[static_cast<std::uint64_t>(t.id()) % shards_.size()];
    }

    std::array<shard, shards> shards_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
