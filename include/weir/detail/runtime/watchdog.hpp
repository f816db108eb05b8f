#pragma once
// Looks now and then whether a turn of a task lasts for too long, from a thread of its own.
//
// A worker counts its turns and says whose turn it is, as it does for metrics: so what is watched
// pays nothing. A turn that is seen in two looks is as long as the time between them at least; one
// that lasts for runtime_options::slow_turn and a quarter more is certain to be seen.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include <weir/detail/core/sync.hpp>
#include <weir/detail/runtime/runtime_core.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class watchdog {
public:
    explicit watchdog(runtime_core& core) noexcept : core_(&core) {}
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;

    [[nodiscard]] static bool is_wanted(const runtime_options& o) noexcept {
        return o.slow_turn > o.slow_turn.zero();
    }
    /// Where no thread can be made, nobody watches.
    void start() noexcept {
        if (!is_wanted(core_->options())) return;
        WEIR_TRY {
            watches_ = std::vector<watch>(core_->turn_sources());  // here: its thread allocates nothing
            thread_ = sync::thread([this] { run(); });
        }
        WEIR_CATCH_ALL {}
    }
    /// Waits for a report that is under way. Once, or again to no effect.
    void stop() noexcept {
        if (!thread_.joinable()) return;
        stopped_.store(true, sync::memory_order_relaxed);
        sleep_.unpark();
        thread_.join();
    }

private:
    struct watch {
        std::uint64_t turns = 0;
        const owner* running = nullptr;
        std::chrono::steady_clock::time_point since;
        slow_turn report;  // of a turn that was reported while it ran
        bool reported = false;
    };

    void run() noexcept {
        const auto limit = core_->options().slow_turn;
        const auto period = std::clamp<std::chrono::nanoseconds>(
            limit / 4, std::chrono::milliseconds(1), std::chrono::seconds(1));
        WEIR_TRY {
            while (!stopped_.load(sync::memory_order_relaxed)) {
                for (std::size_t i = 0; i < watches_.size(); ++i) look(i, watches_[i], limit);
                look_for_deadlocks(limit);
                sleep_.park_for(period);
            }
        }
        WEIR_CATCH_ALL {}  // no memory for a report: no more reports
    }

    void look(std::size_t i, watch& w, std::chrono::nanoseconds limit) {
        const turn_glimpse seen = core_->glimpse(i);
        const auto now = sync::now();
        if (seen.turns != w.turns || seen.running != w.running) {
            if (std::exchange(w.reported, false)) {
                w.report.is_over = true;
                w.report.lasted = now - w.since;
                tell(w.report);
            }
            w.turns = seen.turns;
            w.running = seen.running;
            w.since = now;
            return;
        }
        if (w.running == nullptr || w.reported || now - w.since < limit) return;
        const auto task = core_->find_live(w.running);
        if (!task || core_->glimpse(i).turns != w.turns) return;  // it has just ended
        w.report = {task->id, core_->name_of(task->id), task->site, now - w.since, false};
        w.reported = true;
        tell(w.report);
    }
    /// Once each time that all has come to a stop.
    void look_for_deadlocks(std::chrono::nanoseconds limit) {
        std::uint64_t turns = 0;
        auto last = std::chrono::steady_clock::time_point::min();
        for (const watch& w : watches_) {
            if (w.running != nullptr) return;
            turns += w.turns;
            last = std::max(last, w.since);
        }
        if (turns == checked_at_ || sync::now() - last < limit) return;
        checked_at_ = turns;
        if (core_->options().on_deadlock) core_->options().on_deadlock.look(*core_);
    }
    void tell(const slow_turn& t) const {
        if (core_->options().on_slow_turn) return core_->options().on_slow_turn(t);
        std::fprintf(stderr, "weir: task %llu%s%s%s (spawned at %s:%u) %s one turn for %lld ms\n",
                     static_cast<unsigned long long>(t.task), t.name.empty() ? "" : " \"",
                     t.name.c_str(), t.name.empty() ? "" : "\"", t.site.file_name(),
                     static_cast<unsigned>(t.site.line()), t.is_over ? "was in" : "has been in",
                     static_cast<long long>(t.lasted / std::chrono::milliseconds(1)));
    }

    runtime_core* core_;
    std::vector<watch> watches_;    // its thread's, once that runs
    std::uint64_t checked_at_ = 0;  // how many turns there had been then
    sync::parker sleep_;
    sync::atomic<bool> stopped_{false};
    sync::thread thread_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
