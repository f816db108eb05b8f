#pragma once
// test::simulation: a runtime whose every decision comes from a seed.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <source_location>
#include <string>
#include <utility>

#include <weir/detail/test/options.hpp>
#include <weir/detail/test/simulation_core.hpp>
#include <weir/runtime.hpp>
#include <weir/time.hpp>

namespace weir { WEIR_ABI_BEGIN namespace test {

/// Runs tasks on the calling thread: which of those that can run goes next, where a select starts,
/// in which order simultaneous timers fire, when bytes arrive and into how many pieces they are cut
/// is drawn from the seed. The same seed gives the same run, on every machine.
///
///     weir::test::simulation sim(42);
///     sim.block_on(app());                       // an hour of sleeps takes no time
///     CHECK(sim.now() >= weir::clock::time_point(1h));
///
/// weir::clock begins at zero and moves only when no task can run. Sockets of weir::net go through a
/// simulated network: every address is there, a name stands for a host of its own ("localhost" for
/// 127.0.0.1), nothing leaves the process. Descriptors and signals of the system are not waited for.
/// spawn_blocking runs its function as a turn of a task like the others.
/// An exception that leaves a detached task ends the simulation: what runs it throws it.
///
/// Errors         deadlock_error where everything waits, step_limit_error where nothing ends: every
///                task has been destroyed then. blocking_in_async_error inside of a task.
/// Lifetime       The destructor destroys every task where it waits. Sockets that outlive it fail.
/// Thread safety  One thread. A task that another thread wakes runs, but is not waited for.
class simulation {
public:
    explicit simulation(std::uint64_t seed) : simulation(simulation_options{.seed = seed}) {}
    explicit simulation(const simulation_options& options = {})
        : core_(std::make_shared<detail::simulation_core>(options)), seed_(options.seed) {}
    simulation(const simulation&) = delete;
    simulation& operator=(const simulation&) = delete;
    ~simulation() { core_->shut_down({}, nullptr); }

    /// Runs `a` to completion, and spawned tasks meanwhile; yields what `co_await a` would, and
    /// throws what it would.
    template <awaitable A>
    await_result_t<A> block_on(A&& a, std::source_location site = std::source_location::current()) {
        return detail::block_on(*core_, std::forward<A>(a), site);
    }
    /// As weir::spawn. The task runs when the simulation does.
    template <class T>
    join_handle<T> spawn(task<T> t, std::source_location site = std::source_location::current()) {
        return handle().spawn(std::move(t), site);
    }
    template <class... Args>
    auto spawn(Args... args) {
        return handle().spawn(std::move(args)...);
    }
    /// As spawn; marks the task as the one that cancel_everywhere cancels.
    template <class T>
    join_handle<T> spawn_under_test(task<T> t,
                                    std::source_location site = std::source_location::current()) {
        auto started = detail::spawn_access::spawn_on(*core_, std::move(t), {}, site);
        core_->watch(detail::spawn_access::header_of(started));
        return started;
    }

    /// Runs until no task can run; the clock stands.
    void run_until_idle() { core_->run_until_idle(); }
    /// Moves the clock on by `d`, and runs what becomes due, when it does.
    void advance(std::chrono::nanoseconds d) {
        core_->run_until(core_->time().now() + d.count());
    }

    [[nodiscard]] clock::time_point now() const noexcept {
        return clock::time_point(clock::duration(core_->time().now()));
    }
    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    /// A number from the sequence that all decisions come from, for a test's own.
    std::uint64_t random() noexcept { return core_->random(); }
    /// How many turns tasks have had.
    [[nodiscard]] std::uint64_t steps() const noexcept { return core_->steps(); }
    /// A hash of who had them: runs that differ in it differ in their order.
    [[nodiscard]] std::uint64_t trace() const noexcept { return core_->trace(); }

    [[nodiscard]] std::size_t live_tasks() const noexcept { return core_->live_tasks(); }
    /// As a runtime's; times are virtual.
    [[nodiscard]] runtime_dump dump() const { return core_->dump(); }
    /// Lets what is about to end do so, for up to ten seconds of virtual time, and throws leak_error
    /// where tasks are left, or frames and channels that the simulation has seen made. Frames are
    /// counted by their pool: not under AddressSanitizer, which does it better.
    void check_leaks();

    // -- the simulated network -------------------------------------------------------------------

    /// How many bytes have been written to connections.
    [[nodiscard]] std::uint64_t bytes_carried() const noexcept { return core_->net().carried(); }
    /// Resets the connection that carries the next byte after `bytes` have been carried in all.
    void reset_after(std::uint64_t bytes) noexcept { core_->net().reset_after(bytes); }
    /// Whether that has happened.
    [[nodiscard]] bool has_reset() const noexcept { return core_->net().has_reset(); }

    // -- for the sweep ---------------------------------------------------------------------------

    /// Destroys the task under test at one point: 0 is before its first turn, 2n + 1 where it
    /// suspends for the n-th time (from 0), 2n + 2 when it has been woken there and not resumed yet.
    void cancel_at(std::uint64_t point) noexcept { core_->cancel_at(point); }
    /// Whether that has happened.
    [[nodiscard]] bool has_cancelled() const noexcept { return core_->has_cancelled(); }

    [[nodiscard]] runtime_handle handle() const { return runtime_handle(core_); }
    [[nodiscard]] enter_guard enter() const noexcept { return enter_guard(*core_); }

private:
    std::shared_ptr<detail::simulation_core> core_;
    std::uint64_t seed_;
};

inline void simulation::check_leaks() {
    advance(std::chrono::seconds(10));
    if (live_tasks() != 0) {
        const std::string text =
            std::to_string(live_tasks()) + " tasks have not ended:\n" + core_->dump().to_string();
        core_->destroy_all();
        detail::fail<leak_error>(text.c_str());
    }
    if (core_->leaked_blocks() > 0) {
        const std::string text = std::to_string(core_->leaked_blocks()) +
                                 " coroutine frames or channels have not been freed";
        detail::fail<leak_error>(text.c_str());
    }
}

}  // namespace test
WEIR_ABI_END }  // namespace weir
