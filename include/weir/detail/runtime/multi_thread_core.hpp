#pragma once
// The runtime whose tasks run on several threads.
//
// A task is in at most one place: parked (its mailbox says so), in a queue, in a worker's hands, or
// claimed by a thread that is about to queue it. Who takes it out of the parked state queues it, and
// who runs it parks it again or queues it: so a turn is never shared.

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <weir/detail/core/standalone.hpp>
#include <weir/detail/runtime/blocking_pool.hpp>
#include <weir/detail/runtime/injection_queue.hpp>
#include <weir/detail/runtime/live_tasks.hpp>
#include <weir/detail/runtime/parking.hpp>
#include <weir/detail/runtime/runtime_core.hpp>
#include <weir/detail/runtime/watchdog.hpp>
#include <weir/detail/runtime/worker.hpp>
#include <weir/detail/runtime/worker_threads.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class multi_thread_core final : public runtime_core, public scheduler {
public:
    explicit multi_thread_core(runtime_options options)
        : runtime_core(std::move(options)),
          workers_wanted_(worker_count(this->options())),
          parking_(events(), time(), workers_wanted_),
          random_(mixed_seed(this->options().rng_seed)) {
        time().forbid_pause();
        for (std::size_t i = 0; i < workers_wanted_; ++i) workers_.emplace_back(*this, i);
    }
    ~multi_thread_core() override { shut_down({}, nullptr); }

    /// Starts the workers.
    /// Errors  Throws what std::thread does; the runtime has ended then.
    void begin() {
        WEIR_TRY {
            for (worker& w : workers_) threads_.bring_to(w);
            watchdog_.start();
        }
        WEIR_CATCH_ALL {
            shut_down({}, nullptr);
            WEIR_RETHROW;
        }
    }

    // -- scheduler -------------------------------------------------------------------------------

    void schedule(owner& o) noexcept override {
        execution* const here = execution::here();
        if (here != nullptr && here->pool == this) {
            static_cast<worker*>(here)->schedule(o);
            return;
        }
        injected_.push(o, [this] {
            remote_schedules_.add();
            parking_.wake_one();
        });
    }
    runtime_core* runtime() noexcept override { return this; }
    void count_forced_yield() noexcept override { add_forced_yield(); }
    std::uint64_t random() noexcept override {
        // A lost update only repeats a number.
        std::uint64_t r = random_.load(sync::memory_order_relaxed);
        r ^= r << 13;
        r ^= r >> 7;
        r ^= r << 17;
        random_.store(r, sync::memory_order_relaxed);
        return r;
    }

    // -- runtime ---------------------------------------------------------------------------------

    task_header& make_task(std::coroutine_handle<> root, const task_type& type,
                           std::source_location site) override {
        return task_header::construct(root, type, *this, false, next_shared_id(), site);
    }
    void start(task_header& t) noexcept override {
        if (!live_.add(t)) return drop(t);
        schedule(t);
    }
    void drive(task_header& root) override {
        thread_owner self;
        wait_node done(self);
        done.handle = self.handle();
        if (root.add_joiner(done)) {
            self.wait();
            root.remove_joiner(done);
        }
    }
    [[nodiscard]] bool drives_here() const noexcept override { return false; }
    void timers_changed() noexcept override { parking_.timers_changed(); }
    blocking_pool& blocking() noexcept override { return blocking_; }
    runtime_metrics measure() override {
        runtime_metrics m;
        for (const worker& w : workers_) w.report(m.workers.emplace_back());
        live_.report(m);
        m.global_queue_depth = injected_.size_hint();
        m.remote_schedules = remote_schedules_.value();
        m.budget_forced_yields = forced_yields();
        blocking_.report(m);
        return m;
    }

    bool inspect(task_inspector& to) override {
        for (std::size_t i = 0; i < live_tasks::shards; ++i) {
            borrowed_tasks const here(*this, live_.borrow(i));
            for (live_tasks::seen s : here.tasks()) {
                if (s.borrowed) {
                    to.suspended(*s.task, false);
                    continue;
                }
                for (const worker& w : workers_) s.otherwise.runs |= w.current == s.otherwise.who;
                to.busy(s.otherwise);
            }
        }
        blocking_.inspect(to);
        return true;
    }
    [[nodiscard]] std::size_t turn_sources() const noexcept override { return workers_wanted_; }
    [[nodiscard]] turn_glimpse glimpse(std::size_t source) const noexcept override {
        return workers_[source].glimpse();
    }
    [[nodiscard]] std::optional<busy_task> find_live(const owner* task) noexcept override {
        return live_.find(task);
    }
    bool has_not_run_since(task_id id, std::uint32_t turns) override {
        task_header* const t = live_.borrow(id);
        if (t == nullptr) return false;
        const bool same = t->turns() == turns;
        give_back(*t);
        return same;
    }

    void stop() noexcept override {
        blocking_.close();
        stopping_.store(true, sync::memory_order_release);  // to is_stopping
        parking_.wake_all();
        threads_.stop();
    }
    bool shut_down(thread_group::deadline until, shutdown_report* report) noexcept override {
        if (shut_down_.exchange(true, sync::memory_order_relaxed)) return true;  // tells no more
        watchdog_.stop();
        stop();
        const bool workers_ended = threads_.join(until);
        destroy_tasks(workers_ended);
        if (!workers_ended) {
            if (report != nullptr)
                live_.for_each([&](const task_header& t) {
                    report->still_running.push_back(describe(t, task_kind::task));
                });
            threads_.abandon();
        }
        const bool blocking_ended = blocking_.join(until);
        if (!blocking_ended) {
            if (report != nullptr) blocking_.report_running(*report);
            blocking_.abandon();
        }
        return workers_ended && blocking_ended;
    }

    // -- workers ---------------------------------------------------------------------------------

    [[nodiscard]] bool is_stopping() const noexcept {
        return stopping_.load(sync::memory_order_acquire);  // from shut_down
    }
    std::deque<worker>& workers() noexcept { return workers_; }
    injection_queue& injected() noexcept { return injected_; }
    parking_lot& parking() noexcept { return parking_; }
    worker_threads& threads() noexcept { return threads_; }

    void enter_work() noexcept { working_.fetch_add(1, sync::memory_order_relaxed); }
    /// Whoever leaves last after the stop destroys what is left, so that nobody has to wait for it.
    void leave_work() noexcept {
        if (working_.fetch_sub(1, sync::memory_order_acq_rel) == 1 && is_stopping())  // the others'
            destroy_tasks(true);
    }

    /// Destroys what is left of a task, on its turn.
    void end(task_header& t) noexcept {
        live_.remove(t);
        {
            wake_list wakes;
            static_cast<void>(t.finish(wakes));
        }
        forget_name(t);
        t.release();
    }

private:
    /// Ends a look at a parked task: it goes on where it was woken meanwhile.
    void give_back(task_header& t) noexcept {
        if (!t.try_park()) schedule(t);
    }
    /// The tasks of a shard, those whose turn was taken until the end of the scope.
    class borrowed_tasks {
    public:
        borrowed_tasks(multi_thread_core& core, std::vector<live_tasks::seen> tasks) noexcept
            : core_(&core), tasks_(std::move(tasks)) {}
        borrowed_tasks(const borrowed_tasks&) = delete;
        borrowed_tasks& operator=(const borrowed_tasks&) = delete;
        ~borrowed_tasks() {
            for (const live_tasks::seen& s : tasks_)
                if (s.borrowed) core_->give_back(*s.task);
        }
        [[nodiscard]] const std::vector<live_tasks::seen>& tasks() const noexcept { return tasks_; }

    private:
        multi_thread_core* core_;
        std::vector<live_tasks::seen> tasks_;
    };

    static std::size_t worker_count(const runtime_options& o) {
        if (o.start_paused)
            fail<std::invalid_argument>(
                "runtime_options::start_paused needs a current_thread_runtime: with several threads "
                "nobody could say when nothing runs");
        if (o.worker_threads != 0) return o.worker_threads;
        if (const char* const text = std::getenv("WEIR_WORKER_THREADS")) {
            std::size_t n = 0;
            const auto [end, error] = std::from_chars(text, text + std::strlen(text), n);
            if (error != std::errc() || *end != '\0' || n == 0)
                fail<std::invalid_argument>("WEIR_WORKER_THREADS must be a number from 1 on");
            return n;
        }
        return std::max<std::size_t>(sync::thread::hardware_concurrency(), 1);
    }

    /// Ends a task that will never run: the runtime has ended.
    void drop(task_header& t) noexcept {
        wake_list wakes;
        static_cast<void>(t.finish(wakes));
        wakes.flush();
        t.release();
    }

    /// After the stop: each task is taken from its queue, or out of its parked state, and destroyed.
    /// `all`: no turn is running; a task that another thread has claimed is waited for.
    void destroy_tasks(bool all) noexcept {
        execution ending;
        execution* const before = execution::here();
        runtime_core* const entered = exchange_current(this);
        execution::set(&ending);
        live_.close();
        events().shut_down();
        sync::spin_wait until_arrived;
        work_queue taken;
        for (;;) {
            while (task_header* const t = live_.take_parked()) end_in(ending, *t);
            bool any = false;
            for (worker& w : workers_) {
                if (owner* const o = w.take_lifo()) any = true, end_in(ending, static_cast<task_header&>(*o));
                static_cast<void>(w.queue().steal_into(taken));
                while (owner* const o = taken.pop()) any = true, end_in(ending, static_cast<task_header&>(*o));
            }
            for (;;) {
                work_queue::chain c = injected_.pop(1);
                if (c.first == nullptr) break;
                any = true;
                end_in(ending, static_cast<task_header&>(*c.first));
            }
            if (live_.empty() || (!any && !all)) break;
            if (!any) until_arrived.once();
        }
        execution::set(before);
        exchange_current(entered);
    }
    void end_in(execution& here, task_header& t) noexcept {
        here.current = &t;
        end(t);
        here.current = nullptr;
    }

    std::size_t workers_wanted_;
    parking_lot parking_;
    injection_queue injected_;
    counter remote_schedules_;  // under the lock of injected_
    live_tasks live_;
    std::deque<worker> workers_;
    sync::atomic<std::uint64_t> random_;
    sync::atomic<bool> stopping_{false};
    sync::atomic<std::size_t> working_{0};  // threads that run a worker, or are in a turn without one
    worker_threads threads_{*this};
    blocking_pool blocking_{*this};
    watchdog watchdog_{*this};
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
