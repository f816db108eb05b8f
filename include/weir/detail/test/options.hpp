#pragma once
// What can be chosen when a simulation is made, and how one fails.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <stdexcept>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace test {

/// Who runs next, of the tasks that can.
enum class schedule : unsigned char {
    random,  ///< any, by the seed
    fifo     ///< the first that could, as in a current_thread_runtime
};

/// How the simulated network behaves. Chances are of 1, and drawn from the simulation's seed.
struct network_options {
    std::chrono::nanoseconds min_latency = std::chrono::microseconds(50);
    std::chrono::nanoseconds max_latency = std::chrono::milliseconds(2);
    double split = 0.2;                ///< that a read, a write or a segment is cut in two
    double reset = 0;                  ///< that a write finds the connection reset by its peer
    std::size_t window = 64 * 1024;    ///< bytes that one side may have sent and the other not read
};

/// Every member has a default that needs no thought.
struct simulation_options {
    std::uint64_t seed = 0;
    test::schedule schedule = schedule::random;
    double yield_probability = 0;          ///< that an operation which is ready suspends all the same
    bool auto_advance = true;              ///< whether block_on moves the clock on when all tasks wait
    std::uint64_t max_steps = 10'000'000;  ///< turns of tasks before step_limit_error
    bool check_leaks = true;               ///< whether explore and the sweeps look for leaks
    network_options network{};
};

/// Nothing can run, no timer and no byte is on its way, and what is waited for has not happened.
/// The text names every task that is left; all of them have been destroyed.
class deadlock_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The tasks have run for simulation_options::max_steps turns without coming to an end.
class step_limit_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Tasks are left, or coroutine frames were not freed. The text names the tasks.
class leak_error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

}  // namespace test
WEIR_ABI_END }  // namespace weir
