#pragma once
// What every group of weir-bench shares: runtime kinds, the measuring loop, checksums.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>
#include <weir/yield.hpp>

namespace bench {

using u64 = std::uint64_t;

/// What one run of a workload did: the number of operations and the time they took.
struct sample {
    u64 ops;
    std::chrono::nanoseconds time;
};

/// One line of `weir-bench --list`. Memory can be measured once per process only, so such a
/// workload has a `child` that runs in a process of its own and prints its figures.
struct workload {
    std::string_view name;
    void (*run)(std::string_view name);
    void (*child)(u64 count) = nullptr;
};

std::vector<workload> oneshot_workloads();
std::vector<workload> mpsc_workloads();
std::vector<workload> mpmc_workloads();
std::vector<workload> reqresp_workloads();
std::vector<workload> lock_workloads();
std::vector<workload> broadcast_workloads();
std::vector<workload> watch_workloads();
std::vector<workload> event_workloads();
std::vector<workload> task_workloads();
std::vector<workload> memory_workloads();

/// Prints `series<TAB>x<TAB>ns<TAB>operation` for each series with `filter` in its name. False:
/// there is none.
bool print_growth(std::string_view filter, bool quick);

// Runtime kinds: a workload takes one as its parameter and makes a single runtime for all its runs.

/// "st": everything on the thread that waits.
struct current_thread {
    weir::current_thread_runtime operator()() const { return weir::current_thread_runtime(); }
};

/// "mt2": two workers; the thread that waits does nothing else.
struct two_workers {
    weir::multi_thread_runtime operator()() const {
        weir::runtime_options options;
        options.worker_threads = 2;
        return weir::multi_thread_runtime(std::move(options));
    }
};

/// Calibrates, warms up, runs five times and prints the result line. `tag` marks a variant of the
/// workload and is printed behind the name of the library.
void measure(std::string_view name, std::string_view tag, const std::function<sample(u64)>& run);

/// Runs the workload's child process five times with `full` as its count (`quick` in a quick run)
/// and returns the figures that each one printed.
std::vector<std::vector<double>> measure_in_children(std::string_view name, u64 full, u64 quick);

/// Prints one result line: name, library, min, median, max, unit.
void report(std::string_view name, std::string_view tag, std::vector<double> values,
            std::string_view unit);

/// Ends the program when a checksum is wrong: a figure of a wrong run must not be printed.
[[noreturn]] void fail(const char* what);

inline void check(bool right, const char* what) {
    if (!right) [[unlikely]]
        fail(what);
}

template <class T>
weir::task<T> spawn_and_join(weir::task<T> work) {
    auto handle = weir::spawn(std::move(work));
    co_return co_await handle;
}

/// Runs `work` as a spawned task and waits for it: measured code never runs in the root task.
template <class Runtime, class T>
T on(Runtime& runtime, weir::task<T> work) {
    return runtime.block_on(spawn_and_join(std::move(work)));
}

/// Measures `work(count)`, which makes a task<sample>, on one runtime of the given kind.
template <class Kind, class Work>
void measure_on(Kind kind, std::string_view name, std::string_view tag, Work work) {
    auto runtime = kind();
    measure(name, tag, [&](u64 count) { return on(runtime, work(count)); });
}

class stopwatch {
public:
    std::chrono::nanoseconds elapsed() const { return std::chrono::steady_clock::now() - start_; }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// Hides a value from the optimiser, by way of memory as Rust's black_box does.
inline u64 black_box(u64 value) {
    asm volatile("" : : "r"(&value) : "memory");
    return value;
}

/// 0 + 1 + … + (count - 1), modulo 2^64 as the sums of the workloads are.
constexpr u64 sum_to(u64 count) {
    return count % 2 == 0 ? count / 2 * (count - 1) : (count - 1) / 2 * count;
}

}  // namespace bench
