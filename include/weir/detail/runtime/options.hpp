#pragma once
// What can be chosen when a runtime is made.

#include <unistd.h>  // getentropy

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <source_location>
#include <string>
#include <utility>

#include <weir/detail/core/task_header.hpp>

namespace weir { WEIR_ABI_BEGIN

/// An exception that has left a detached task.
struct unhandled_exception_info {
    task_id task;
    std::string name;  // empty unless the task was given one
    std::source_location site;
    std::exception_ptr exception;
};

/// What becomes of an exception that leaves a detached task.
class unhandled {
public:
    enum policy : unsigned char {
        ignore,    ///< nothing
        log,       ///< one line on stderr with the task's name and spawn site; the runtime goes on
        shutdown,  ///< the runtime ends: block_on throws the exception
        terminate  ///< std::terminate
    };

    unhandled(policy p) : policy_(p) {}
    /// Calls `f` on the thread that ran the task; it must not throw.
    unhandled(std::function<void(const unhandled_exception_info&)> f)
        : policy_(ignore), function_(std::move(f)) {}

    [[nodiscard]] policy kind() const noexcept { return policy_; }
    [[nodiscard]] const auto& function() const noexcept { return function_; }

private:
    policy policy_;
    std::function<void(const unhandled_exception_info&)> function_;
};

struct runtime_dump;  // weir/inspect.hpp

/// A turn of a task, from one co_await that waits to the next, that keeps its thread for too long.
struct slow_turn {
    task_id task{};
    std::string name;  // empty unless the task was given one
    std::source_location site;  // of its spawn
    std::chrono::nanoseconds lasted{};  // so far
    bool is_over = false;
};
namespace detail {
// Not std::random_device: <random> is a twentieth of what all of weir costs to compile. Where the
// system has no random numbers, any number will do.
inline std::uint64_t random_seed() noexcept {
    std::uint64_t seed = 0;
    if (::getentropy(&seed, sizeof seed) != 0) seed = reinterpret_cast<std::uintptr_t>(&seed);
    return seed;
}

template <class F>
void report_deadlocks(runtime_core& core, F& handler);  // dump_maker.hpp
}  // namespace detail

/// Is given a dump in which tasks wait for each other in a circle. Made from any callable of that
/// kind, in a source file that includes weir/inspect.hpp: only such a program pays for making dumps.
class deadlock_handler {
public:
    deadlock_handler() = default;
    template <class F>
        requires(std::invocable<F&, const runtime_dump&> && std::copy_constructible<F>)
    deadlock_handler(F f)
        : look_([f](detail::runtime_core& core) mutable { detail::report_deadlocks(core, f); }) {}
    explicit operator bool() const noexcept { return look_ != nullptr; }

    /// The watchdog's: makes a dump and calls the handler if there are deadlocks in it.
    void look(detail::runtime_core& core) const { look_(core); }

private:
    std::function<void(detail::runtime_core&)> look_;
};

/// Every member has a default that needs no thought. Making a runtime throws std::invalid_argument
/// for one that makes no sense, such as an interval of 0.
struct runtime_options {
    // Multi-thread only; 0 = the environment variable WEIR_WORKER_THREADS, or else one for each
    // hardware thread.
    std::size_t worker_threads = 0;
    std::size_t max_blocking_threads = 512;  // for spawn_blocking
    std::chrono::nanoseconds thread_keep_alive = std::chrono::seconds(10);  // of one with no work
    std::string thread_name = "weir";  // of the threads that the runtime starts; 15 characters count
    // On each thread that the runtime starts; on each thread that runs tasks, when it goes to sleep
    // and when it has got up. They are in the runtime's context, may spawn, and must not throw.
    std::function<void()> on_thread_start, on_thread_stop, on_thread_park, on_thread_unpark;
    std::uint32_t global_queue_interval = 31;  // turns between looks at what other threads sent
    std::uint32_t event_interval = 61;         // turns between looks at sockets and timers
    bool lifo_slot = true;
    std::uint64_t rng_seed = detail::random_seed();  // of the order in which select starts
    bool start_paused = false;  // current-thread only: the clock stands still (weir::clock)
    unhandled on_unhandled = unhandled::log;
    // A turn of a task that lasts for longer is reported, while it goes on and again when it has
    // ended; 0 = none is. A thread of its own looks, four times in that time.
#if defined(NDEBUG) || defined(WEIR_MODEL)
    std::chrono::nanoseconds slow_turn{};
#else
    std::chrono::nanoseconds slow_turn = std::chrono::seconds(1);
#endif
    // On that thread, must not throw, and must not end the runtime; empty: a line on stderr.
    std::function<void(const weir::slow_turn&)> on_slow_turn;
    // Likewise, when no turn has begun for that time, and tasks turn out to wait for each other:
    // `[](const weir::runtime_dump& d) { std::cerr << d; }`, with weir/inspect.hpp; empty: nobody looks.
    deadlock_handler on_deadlock;
};

WEIR_ABI_END }  // namespace weir
