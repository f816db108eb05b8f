#pragma once
// What the code under test calls of the model checker. README.md says how the checker works.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <source_location>
#include <string_view>

namespace model {

inline constexpr int max_threads = 4;  // the one that runs the model's body included

/// What a model::atomic consists of. The values that it has had are the checker's; `initial` is the
/// one that each execution begins with, and the value outside of executions.
struct atomic_word {
    mutable std::uint64_t initial = 0;
    mutable std::uint32_t record = 0;     // which atomic of the execution it is
    mutable std::uint32_t execution = 0;  // the one that `record` belongs to
};

enum class operation : std::uint8_t { load, store, exchange, add, subtract, compare_exchange };

std::uint64_t load(const atomic_word&, std::memory_order, std::source_location) noexcept;
void store(atomic_word&, std::uint64_t value, std::memory_order, std::source_location) noexcept;

/// Replaces the newest value by `next(newest, operand)` and returns what it was.
std::uint64_t update(atomic_word&, operation, std::uint64_t (*next)(std::uint64_t, std::uint64_t),
                     std::uint64_t operand, std::memory_order, std::source_location) noexcept;

struct compare_exchange_orders {
    std::memory_order success, failure;
};
bool compare_exchange(atomic_word&, std::uint64_t& expected, std::uint64_t desired, bool weak,
                      compare_exchange_orders, std::source_location) noexcept;

/// Runs `entry(argument)` on a new thread.
int start_thread(void (*entry)(void*), void* argument);
void join_thread(int thread) noexcept;

/// As the system calls: sleeps while the word's newest value is `expected`, wakes one who does.
void futex_wait(const atomic_word&, std::uint64_t expected,
                std::optional<std::int64_t> timeout_ns) noexcept;
void futex_wake(const atomic_word&) noexcept;

/// The thread cannot go on usefully until another one has written something.
void spin() noexcept;

/// The clock of the execution, in nanoseconds. It moves while threads spin and in timed waits.
std::int64_t now() noexcept;

/// The calling thread's pointer for `key`, null in the beginning.
void*& thread_local_pointer(const void* key) noexcept;

/// What is done wrong where a waiter is woken; mutant_wakes.hpp.
enum class mistake : std::uint8_t { none, late, lost };
mistake mistake_at(const std::source_location&) noexcept;

/// Ends the execution as failed. Outside of one, aborts the program.
[[noreturn]] void fail(std::string_view what) noexcept;

}  // namespace model
