#pragma once
// The multi-thread runtime: what its workers do.

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <weir/detail/runtime/multi_thread_core.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

inline worker::worker(multi_thread_core& core, std::size_t index) noexcept
    : core_(&core), index_(index), random_((core.options().rng_seed + index * 0x9E3779B97F4A7C15u) | 1) {
    pool = &core;
    log_.begin();
}

inline void worker::run() {
    tenure mine;
    tenure_ = &mine;
    execution::set(this);
    core_->enter_work();
    while (!mine.lost) {
        owner* o = next();
        if (o == nullptr) o = search();
        // Asked with the task in hand: one that was queued after the stop does not run.
        if (core_->is_stopping()) [[unlikely]] {
            if (o != nullptr) enqueue(*o);
            break;
        }
        if (o != nullptr) run_turn(*o, mine);
    }
    execution::set(nullptr);
    core_->leave_work();
}

inline worker::tenure& worker::lend() noexcept {
    tenure& mine = *tenure_;
    current = nullptr;
    on_offer_.store(true, sync::memory_order_release);  // to take
    WEIR_TRY {
        core_->threads().bring_to(*this);
    }
    WEIR_CATCH_ALL {  // no thread can be made: the worker waits for this one
    }
    return mine;
}

inline bool worker::take_back(tenure& mine, owner& running) noexcept {
    if (!take()) return false;
    tenure_ = &mine;
    current = &running;
    return true;
}

inline void worker::report(worker_metrics& to) const noexcept {
    log_.report(to);
    to.polls = turns_.value();
    to.steals = steals_.value();
    to.steal_operations = steal_operations_.value();
    to.local_schedules = local_schedules_.value();
    to.overflows = overflows_.value();
    to.local_queue_depth = queue_.size() + (lifo_.load(sync::memory_order_relaxed) != nullptr ? 1 : 0);
}

/// Into the ring; where it is full, half of it goes to the injection queue.
inline void worker::enqueue(owner& o) noexcept {
    work_queue::chain overflow;
    queue_.push(o, overflow);
    if (overflow.first == nullptr) [[likely]]
        return;
    overflows_.add();
    core_->injected().push(overflow);
}

inline void worker::schedule(owner& o) noexcept {
    local_schedules_.add();
    owner* to_ring = &o;
    if (core_->options().lifo_slot) {
        if (lifo_.load(sync::memory_order_relaxed) == nullptr) {  // only this thread fills it
            lifo_.store(&o, sync::memory_order_release);          // to take_lifo
            // A turn that goes on for long must not keep it.
            if (current != nullptr && core_->parking().is_unwatched()) [[unlikely]]
                core_->parking().call_watch();
            return;
        }
        // To take_lifo. What comes out has been put in by this worker.
        to_ring = lifo_.exchange(&o, sync::memory_order_release);
        if (to_ring == nullptr) return;
    }
    enqueue(*to_ring);
    if (core_->parking().sleeping() != 0) core_->parking().wake_one();
}

inline owner* worker::next() noexcept {
    if (--until_events_ == 0) [[unlikely]] {
        until_events_ = core_->options().event_interval;
        look_at_events();
    }
    if (--until_injected_ == 0) [[unlikely]] {
        until_injected_ = core_->options().global_queue_interval;
        if (owner* const o = take_injected()) return o;
    }
    if (lifo_.load(sync::memory_order_relaxed) != nullptr) {
        if (lifo_runs_ < lifo_limit) {
            ++lifo_runs_;
            if (owner* const o = take_lifo()) return o;
        } else if (!queue_.empty()) {
            lifo_runs_ = 0;
            if (owner* const o = queue_.pop()) return o;
        }
        lifo_runs_ = 1;
        if (owner* const o = take_lifo()) return o;
    }
    lifo_runs_ = 0;
    if (owner* const o = queue_.pop()) return o;
    return take_injected();
}

/// A share of what is in the injection queue: one to run, the others into the ring.
inline owner* worker::take_injected() noexcept {
    injection_queue& injected = core_->injected();
    const std::size_t there = injected.size_hint();
    if (there == 0) return nullptr;
    const std::size_t share = there / core_->workers().size() + 1;
    const std::size_t room = work_queue::capacity / 2 - std::min<std::size_t>(queue_.size(), work_queue::capacity / 2);
    work_queue::chain c = injected.pop(std::min(share, room + 1));
    if (c.first == nullptr) return nullptr;
    owner* const first = std::exchange(c.first, c.first->next_owner);
    work_queue::chain overflow;
    while (c.first != nullptr) {
        owner* const o = std::exchange(c.first, c.first->next_owner);
        queue_.push(*o, overflow);
    }
    core_->injected().push(overflow);
    return first;
}

/// Whether what is in the ring of worker `i` has waited there for longer than a move to this
/// worker costs. The first look at an entry only notes it.
inline bool worker::keeps_waiting(std::size_t i, time_point now) noexcept {
    if (i >= glances_.size()) return true;
    glance& seen = glances_[i];
    const work_queue& ring = core_->workers()[i].queue_;
    if (!ring.has_passed(seen.end)) return now - seen.when >= patience;
    seen = {ring.end(), now};
    return false;
}

/// One round over the other workers, from a random one.
inline owner* worker::steal(time_point now) noexcept {
    auto& workers = core_->workers();
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    const std::size_t n = workers.size();
    const std::size_t start = static_cast<std::size_t>(random_ % n);
    for (std::size_t k = 0; k < n; ++k) {
        const std::size_t i = (start + k) % n;
        worker& victim = workers[i];
        if (i == index_ || victim.queue_.empty() || !keeps_waiting(i, now)) continue;
        const std::uint32_t stolen = victim.queue_.steal_into(queue_);
        if (stolen == 0) continue;
        steals_.add(stolen);
        steal_operations_.add();
        if (owner* const o = queue_.pop()) return o;
    }
    return take_injected();
}

inline void worker::found_work() noexcept {
    if (sleeper_.state == sleeper::state::looking) [[unlikely]]
        core_->parking().stop_looking(sleeper_);
    if (!std::exchange(searching_, false)) return;
    // The last searcher leaves another one behind if there may be more to find.
    if (core_->parking().stop_search() && (!queue_.empty() || core_->injected().size_hint() != 0))
        core_->parking().wake_one();
}

inline void worker::note_turns() noexcept {
    auto& workers = core_->workers();
    for (std::size_t i = 0; i < std::min(seen_turns_.size(), workers.size()); ++i)
        seen_turns_[i] = workers[i].turns();
}

/// What sits in the slot of a worker that has been in one turn since note_turns.
inline owner* worker::steal_stale() noexcept {
    auto& workers = core_->workers();
    for (std::size_t i = 0; i < std::min(seen_turns_.size(), workers.size()); ++i)
        if (i != index_ && workers[i].turns() == seen_turns_[i])
            if (owner* const o = workers[i].take_lifo()) {
                steals_.add();
                steal_operations_.add();
                return o;
            }
    return nullptr;
}

/// Looks for work elsewhere, for a short while; then sleeps. Null: look again from the start.
inline owner* worker::search() {
    parking_lot& parking = core_->parking();
    if (!searching_ && !std::exchange(on_watch_, false))
        searching_ = parking.try_search(core_->workers().size());
    time_point now = sync::now();
    owner* found = steal(now);
    if (found == nullptr && searching_) {
        note_turns();
        // A sleeping thread costs a hundred times what a spinning one does to start again.
        const time_point spin_until = now + std::chrono::microseconds(50);
        do {
            sync::spin_burst();
            now = sync::now();
            found = steal(now);
        } while (found == nullptr && now < spin_until);
    }
    if (found == nullptr) found = steal_stale();
    if (found != nullptr) {
        found_work();
        return found;
    }
    if (core_->options().on_thread_park) core_->options().on_thread_park();  // it may spawn
    if (lifo_.load(sync::memory_order_relaxed) == nullptr && queue_.empty()) sleep();
    if (core_->options().on_thread_unpark) core_->options().on_thread_unpark();
    return nullptr;
}

inline void worker::sleep() {
    parking_lot& parking = core_->parking();
    note_turns();
    parking.register_asleep(sleeper_, std::exchange(searching_, false));
    if (!core_->injected().empty_locked() || core_->is_stopping()) {
        searching_ = parking.stay_awake(sleeper_);
        return;
    }
    log_.park();
    searching_ = parking.sleep(sleeper_);
    log_.unpark();
    note_time();
    on_watch_ = !searching_;
    core_->time().fire();
    if (!sleeper_.took_events) core_->events().poll();
}

inline void worker::run_turn(owner& o, const tenure& mine) {
    found_work();
    turns_.add();
    auto& t = static_cast<task_header&>(o);
    current = &t;
    if (t.has_mail()) t.collect(false);
    const bool ended = t.run_turn();
    if (ended) [[unlikely]]
        core_->end(t);
#if WEIR_INSPECT
    if (!ended && !t.has_taken()) t.set_idle_since(coarse_now_);
#endif
    const bool goes_on = !ended && (t.has_taken() || !t.try_park());
    if (mine.lost) [[unlikely]] {
        if (goes_on) core_->schedule(t);
        return;
    }
    if (goes_on) {
        local_schedules_.add();
        enqueue(t);
    }
    current = nullptr;
}

inline void worker::note_time() noexcept {
#if WEIR_INSPECT
    coarse_now_ = sync::coarse_now_ms();
#endif
}
inline void worker::look_at_events() noexcept {
    note_time();
    core_->time().fire();
    core_->events().poll();
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
