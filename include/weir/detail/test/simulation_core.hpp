#pragma once
// The runtime of a simulation: a current-thread runtime that draws who runs next.
//
// Step    of all tasks that can run, and the network's next event if that is due, one is drawn.
// Clock   moves only when nothing can run: to the next deadline or network event.
// Sweep   one task may be watched: it is destroyed at a chosen point, which is either before its
//         first turn, or at its n-th suspension, or after the wake that ends its n-th suspension
//         and before it resumes.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include <weir/detail/core/frame_pool.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/runtime/current_thread.hpp>
#include <weir/detail/test/network.hpp>
#include <weir/detail/test/options.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class simulation_core final : public current_thread_core {
public:
    explicit simulation_core(const test::simulation_options& options)
        : current_thread_core(runtime_options_for(options)),
          options_(options),
          network_(std::make_shared<network>(options.network, *this, time())) {
        time().simulate(*this);
        events().simulate(network_.get());
    }
    ~simulation_core() override { network_->end(); }

    task_header& make_task(std::coroutine_handle<> root, const task_type& type,
                           std::source_location site) override {
        if (is_driven_here()) ready.reserve(live_count_ + zombies_ + 1);
        return task_header::construct(root, type, *this, is_driven_here(), task_id{++tasks_made_},
                                      site);
    }

    void drive(task_header& root) override {
        turn_holder const mine(*this, root);
        driving here(*this);
        while (!root.is_done() && !is_stopping()) {
            if (step()) continue;
            if (options_.auto_advance && move_clock(forever)) continue;
            give_up<test::deadlock_error>(
                options_.auto_advance
                    ? "deadlock: every task waits, and nothing is left that could wake one"
                    : "deadlock: every task waits, and the clock stands (auto_advance is off)");
        }
        if (!root.is_done()) destroy_tasks();
    }
    bool shut_down(thread_group::deadline until, shutdown_report* report) noexcept override {
        const bool all_ended = current_thread_core::shut_down(until, report);
        network_->end();
        return all_ended;
    }

    /// Runs what can run without the clock.
    void run_until_idle() {
        check_outside();
        driving here(*this);
        while (!is_stopping() && step()) {
        }
        rethrow_fatal();
    }
    /// Runs, and moves the clock from one event to the next, up to `until`.
    void run_until(std::int64_t until) {
        check_outside();
        driving here(*this);
        while (!is_stopping() && (step() || move_clock(until))) {
        }
        time().advance_to(until);
        while (!is_stopping() && step()) {
        }
        rethrow_fatal();
    }

    [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
    [[nodiscard]] std::uint64_t trace() const noexcept { return trace_; }
    [[nodiscard]] std::size_t live_tasks() const noexcept { return live_count_; }
    [[nodiscard]] std::ptrdiff_t leaked_blocks() const noexcept {
        return frame_pool::live_blocks() - blocks_before_;
    }
    [[nodiscard]] network& net() noexcept { return *network_; }

    /// Every live task, one a line.
    [[nodiscard]] std::string dump() {
        allocation_gate::suspended const outside;
        std::string text;
        for (task_header* t = live_; t != nullptr; t = t->live_next) {
            const std::string name = name_of(*t);
            std::string line = "  task " + std::to_string(static_cast<std::uint64_t>(t->id()));
            if (!name.empty()) line += " \"" + name + '"';
            if (t->site().line() != 0)
                line += std::string(", spawned at ") + t->site().file_name() + ':' +
                        std::to_string(t->site().line());
            text = line + (t->is_queued() ? ", can run\n" : ", waits\n") + text;
        }
        return text;
    }
    void destroy_all() noexcept {
        driving here(*this);
        while (live_ != nullptr) end(*live_);
        release_ready();
    }

    // -- the sweep over cancellation points ------------------------------------------------------

    static constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

    /// The point at which the next watched task is destroyed: 0 before its first turn, 2n + 1 at its
    /// suspension n, 2n + 2 after the wake that would end it.
    void cancel_at(std::uint64_t point) noexcept { cancel_at_ = point; }
    void watch(task_header& t) noexcept {
        watched_ = &t;
        suspensions_ = 0;
        if (cancel_at_ != 0) return;
        cancelled_ = true;
        watched_ = nullptr;
        t.abort();
    }
    [[nodiscard]] bool has_cancelled() const noexcept { return cancelled_; }
    [[nodiscard]] std::uint64_t suspensions() const noexcept { return suspensions_; }

private:
    static constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();

    static runtime_options runtime_options_for(const test::simulation_options& o) {
        static const runtime_options defaults;  // to make one asks the system for a random number
        runtime_options options = defaults;
        options.rng_seed = o.seed;
        options.start_paused = true;
        options.on_unhandled = unhandled::shutdown;
        return options;
    }
    static void check_outside() {
        if (execution::here() != nullptr)
            fail<blocking_in_async_error>(
                "a simulation is run from outside of its tasks: in a task, use co_await");
    }
    void rethrow_fatal() {
        if (auto const e = fatal()) std::rethrow_exception(e);
    }
    template <class Error>
    [[noreturn]] void give_up(const std::string& why) {
        const std::string text = why + ".\n" + dump();
        destroy_all();  // they may refer to what the caller's stack holds
        fail<Error>(text.c_str());
    }

    /// Lets one task or network event happen. False: none can.
    bool step() {
        drain_injected();
        const bool is_event_due = network_->has_events() && network_->next_event() <= time().now();
        const std::size_t candidates = ready.size() + (is_event_due ? 1 : 0);
        if (candidates == 0) return false;
        if (steps_ == options_.max_steps)
            give_up<test::step_limit_error>("the tasks did not come to an end within " +
                                            std::to_string(steps_) + " turns");
        std::size_t drawn = is_event_due ? ready.size() : 0;
        if (options_.schedule == test::schedule::random && candidates != 1)
            drawn = random() % candidates;
        if (drawn == ready.size())
            network_->deliver();
        else
            take_turn(static_cast<task_header&>(*ready.pop_at(drawn)));
        return true;
    }

    void take_turn(task_header& t) {
        ++steps_;
        trace_ = (trace_ ^ static_cast<std::uint64_t>(t.id())) * 0x100000001b3u;  // FNV-1a
        const bool watched = watched_ == &t;
        if (watched && cancel_at_ == 2 * suspensions_) {
            static_cast<void>(t.post_abort());
            cancelled_ = true;
        }
        run(t, draw_budget());
        if (watched) after_watched_turn(t);
    }

    void after_watched_turn(task_header& t) noexcept {
        if (!is_live(t)) {
            watched_ = nullptr;
        } else if (cancel_at_ == 2 * suspensions_++ + 1) {
            cancelled_ = true;
            watched_ = nullptr;
            end(t);
        }
    }
    [[nodiscard]] bool is_live(const task_header& t) const noexcept {
        const task_header* at = live_;
        while (at != nullptr && at != &t) at = at->live_next;
        return at != nullptr;
    }

    /// How many ready operations go through before one suspends all the same.
    [[nodiscard]] std::uint32_t draw_budget() noexcept {
        std::uint32_t budget = 0;
        if (options_.yield_probability <= 0) return owner::budget_per_turn;
        while (budget < owner::budget_per_turn && !network_->happens(options_.yield_probability))
            ++budget;
        return budget;
    }

    /// With nothing to run: on to the next thing that is due. False: there is none up to `until`.
    bool move_clock(std::int64_t until) noexcept {
        std::int64_t next = forever;
        if (const auto timer = time().earliest()) next = *timer;
        if (network_->has_events()) next = std::min(next, network_->next_event());
        if (next == forever || next > until) return false;
        time().advance_to(next);
        return true;
    }

    test::simulation_options options_;
    std::shared_ptr<network> network_;
    std::ptrdiff_t blocks_before_ = frame_pool::live_blocks();
    std::uint64_t tasks_made_ = 0;
    std::uint64_t steps_ = 0;
    std::uint64_t trace_ = 0xcbf29ce484222325u;
    task_header* watched_ = nullptr;
    std::uint64_t cancel_at_ = never;
    std::uint64_t suspensions_ = 0;
    bool cancelled_ = false;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
