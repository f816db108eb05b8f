#pragma once
// The checker's own state: one execution, and the choices that lead from one to the next.
//
// None of the checker's files is instrumented. While `inside` is set, memory comes from malloc and
// nothing is recorded.

#include <ucontext.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "engine.hpp"

namespace model {

/// How much of each thread's past is known: a vector clock.
struct vector_clock {
    std::array<std::uint16_t, max_threads> at{};

    void join(const vector_clock& other) noexcept {
        for (std::size_t i = 0; i < max_threads; ++i)
            if (other.at[i] > at[i]) at[i] = other.at[i];
    }
    [[nodiscard]] bool covers(unsigned id, std::uint16_t time) const noexcept {
        return time <= at[id];
    }
};

/// A write to an atomic, in modification order.
struct store_record {
    std::uint64_t value;
    vector_clock released;  // what an acquiring reader gets to know
    std::uint16_t time;
    std::uint8_t thread;
};
/// From when on a thread has known of a store by reading it.
struct read_mark {
    std::uint32_t index;
    std::uint16_t time;
    std::uint8_t thread;
};
struct atomic_record {
    const atomic_word* word = nullptr;
    std::vector<store_record> stores;
    std::vector<read_mark> reads;
    std::size_t sc_floor = 0;  // the newest store that a seq_cst operation has written or read
    std::uint64_t place = 0;   // the same one in other executions
    unsigned first_user = 0;
    bool shared = false;
};

struct thread_state {
    enum class status : std::uint8_t { unused, runnable, spinning, blocked, finished };
    static constexpr std::int64_t never = INT64_MAX;

    ucontext_t context;
    status is = status::unused;
    vector_clock known;
    void (*entry)(void*) = nullptr;
    void* argument = nullptr;
    const void* waits_for = nullptr;
    std::int64_t deadline = never;
    std::uint32_t last_used = UINT32_MAX;  // the atomic, and which of its stores
    std::size_t last_seen = 0;
    std::array<const void*, 8> local_keys{};
    std::array<void*, 8> locals{};
    std::array<std::byte, 16> exceptions{};  // __cxa_eh_globals
};

/// The decisions of one execution: which thread goes on, which store a load sees.
class choice_path {
public:
    enum class mode : std::uint8_t { exhaustive, random, replay };
    enum class kind : std::uint8_t { preemption, other };

    void start(mode m, std::uint64_t seed) noexcept {
        mode_ = m;
        random_ = seed * 2 + 1;
    }
    void begin_execution() noexcept {
        position_ = 0;
        if (mode_ != mode::exhaustive) path_.clear();
    }
    void restart() noexcept { path_.clear(); }
    [[nodiscard]] bool explores() const noexcept { return mode_ == mode::exhaustive; }
    /// One of 0 ... options - 1.
    unsigned pick(unsigned options, kind) noexcept;
    /// To the next path in depth-first order. False: there is none.
    bool advance() noexcept;

    /// `key:choice` for each choice that is not the first option, separated by commas. The key says
    /// in which step the choice was made.
    [[nodiscard]] std::string text() const;
    void parse(const char* text);

private:
    struct choice {
        std::uint16_t taken, options;
        std::uint32_t key;
    };
    std::uint64_t next_random() noexcept;

    std::vector<choice> path_;
    std::vector<choice> wanted_;  // of a replay
    std::size_t position_ = 0;
    std::uint64_t random_ = 1;
    mode mode_ = mode::exhaustive;
};

struct engine {
    choice_path choices;
    int preemption_bound = 2;
    std::uint32_t step_limit = 5'000;
    bool log = false;
    const void* watched = nullptr;  // an address whose plain accesses are logged
    std::unordered_set<std::uint64_t> shared_places;  // of atomics that several threads have used
    bool found_shared = false;                        // in this execution

    // One execution.
    std::uint32_t execution = 0;  // its number: what belongs to another one is stale
    bool active = false;
    bool inside = false;
    bool failed = false;
    std::string failure;
    const void* failed_at = nullptr;
    ucontext_t main_context;
    std::array<thread_state, max_threads> threads;
    unsigned thread_count = 0;
    unsigned current = 0;
    int preemptions = 0;
    int oddities_left = 0;  // loads of old values, failures and wake-ups for nothing
    std::uint32_t steps = 0;
    std::int64_t clock = 0;
    std::vector<atomic_record> atomics;
    std::size_t atomic_count = 0;

    thread_state& me() noexcept { return threads[current]; }

    // threads.cpp
    void run(void (*body)(void*), void* argument);
    void point() noexcept;  // another thread may go on here
    void step() noexcept;
    void block(const void* on, std::int64_t until) noexcept;
    void wake(const void* on, unsigned limit) noexcept;
    void leave() noexcept;
    void switch_to(unsigned thread) noexcept;
    void wake_spinning() noexcept;  // something has changed
    void finish_thread() noexcept;
    [[noreturn]] void fail(std::string what, const void* where = nullptr) noexcept;

    // atomics.cpp
    atomic_record& record_of(const atomic_word&) noexcept;
    [[nodiscard]] std::size_t floor_of(const atomic_record&, bool seq_cst) noexcept;
    void read(atomic_record&, std::size_t index, std::memory_order) noexcept;
    void append(atomic_record&, std::uint64_t value, std::memory_order, bool update) noexcept;
    void log_operation(const atomic_record&, const char* what, std::memory_order, std::uint64_t value,
                       std::source_location) noexcept;

    // memory.cpp
    void begin_memory() noexcept;
    void end_memory() noexcept;  // complains about what was not freed
    void access(const void* at, std::size_t size, bool write, const void* code) noexcept;
    [[nodiscard]] std::string describe(const void* at) const;
    [[nodiscard]] std::uint64_t place_of(const void* at) const noexcept;
    [[nodiscard]] std::byte* stack_of(unsigned thread) noexcept;
    static constexpr std::size_t stack_size = 256 * 1024;
};

inline engine the;

/// Marks the time in which the checker runs, on whichever thread of the model.
struct inside_guard {
    inside_guard() noexcept { the.inside = true; }
    inside_guard(const inside_guard&) = delete;
    inside_guard& operator=(const inside_guard&) = delete;
    ~inside_guard() { the.inside = false; }
};

/// Where `code` is, as addr2line says it; for reports.
std::string source_of(const void* code);

/// The memory order that an operation really gets: what the program says, unless WEIR_MODEL_MUTATE
/// names this place. `part`: s of success, f of failure.
std::memory_order order_at(std::memory_order, char part, operation, const std::source_location&) noexcept;

}  // namespace model
