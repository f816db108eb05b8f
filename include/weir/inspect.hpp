#pragma once
// Looking inside a running program: what every task waits for, where, and for whom.
//
//     std::cerr << rt.dump();                              // or .to_json()
//     weir::dump_on_signal const on_usr1(rt.handle());     // kill -USR1 prints one to stderr
//
// A dump is made by whoever asks for it, on any thread, while the runtime runs. Nothing is resumed
// for it: who makes it takes the turn of one waiting task after the other for a moment. A task that
// runs, or is about to, is listed without what it waits for. The figures of different tasks are not
// of one instant; a cycle of waits is reported where all of its tasks have waited at one time.
//
// Until somebody asks, a co_await that suspends costs two stores into the coroutine's frame, a turn
// one addition. WEIR_NO_INSPECT, defined for the whole program, leaves these out as well: tasks are
// listed then without what they wait for.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

#include <weir/runtime.hpp>

namespace weir { WEIR_ABI_BEGIN

/// One step from a task to what it waits for in the end.
struct wait_info {
    std::source_location site;  // of the co_await; line 0: within the step before
    std::string what;           // "mpsc::recv, 1 sender alive"
    unsigned depth = 0;         // how many steps lead here
};

/// What a task is doing.
enum class task_state : unsigned char {
    waiting,
    ready,   ///< what it waited for has come, or it has not begun
    running  ///< on some thread, at this moment
};

/// A live task.
struct task_info {
    task_id id{};
    std::string name;  // empty unless it was given one
    task_kind kind = task_kind::task;
    task_state state = task_state::ready;
    std::source_location spawned_at;
    std::optional<task_id> spawned_by;  // none: not by a task
    std::optional<task_id> joined_by;   // who awaits its end, where that is a task of this runtime
    // from the co_await of its first coroutine on; not of one that runs
    std::vector<wait_info> waits;
    // How long it has been waiting: exact to some milliseconds, or to the 61 turns between two
    // looks
    // at the clock. Virtual time in a simulation.
    std::chrono::milliseconds idle_for{};
    std::uint64_t resumes = 0;  // how many turns it has had; 0: not known, where it runs
};

/// A lock that a task waits for.
struct lock_info {
    const void* address = nullptr;
    std::string kind;               // "mutex", "rwlock"
    bool writing = false;           // held by one alone
    std::size_t readers = 0;        // how many others hold it
    // which task has locked it; none: not one of this runtime, or several
    std::optional<task_id> holder;
    // in the order of their coming; none: not a task of this runtime
    std::vector<std::optional<task_id>> waiters;
};

/// A channel that a task waits for.
struct channel_info {
    const void* address = nullptr;
    std::string kind;  // "mpsc", "mpmc"
    std::size_t size = 0;
    std::optional<std::size_t> capacity;  // none: without bounds
    // the most that a dump has seen; capacity, if ever a sender had to wait
    std::size_t high_water = 0;
    std::size_t senders = 0;
    std::size_t receivers = 0;
    std::size_t waiting_senders = 0;
    std::size_t waiting_receivers = 0;
    bool closed = false;
};

/// Why a task cannot go on before another one does.
struct wait_edge {
    task_id task{};
    std::source_location site;
    std::string what;
    task_id waits_for{};
};

/// What a runtime was doing. A value: it refers to nothing.
struct runtime_dump {
    // false: the thread that runs the tasks was in one turn for too long to answer
    bool complete = true;
    std::vector<task_info> tasks;  // by id
    std::vector<lock_info> locks;
    std::vector<channel_info> channels;
    // each a cycle: the last edge ends where the first begins
    std::vector<std::vector<wait_edge>> deadlocks;
    runtime_metrics metrics;

    /// The task with that id, or null.
    [[nodiscard]] const task_info* find(task_id id) const noexcept;
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] std::string to_json() const;
    friend std::ostream& operator<<(std::ostream& out, const runtime_dump& d);
};

/// While it lives, each signal of this process makes a dump of one runtime, also while every thread
/// of that is stuck: a thread of its own waits for it.
/// Lifetime  May outlive the runtime, whose memory it keeps. The signal's default action does not
///           come back.
/// Errors    The constructor throws as weir::signal and std::thread do.
class dump_on_signal {
public:
    /// `to` is called on that thread with each dump; by default it is printed to stderr.
    explicit dump_on_signal(runtime_handle of, int signal_number = default_signal,
                            std::function<void(const runtime_dump&)> to = {});
    dump_on_signal(const dump_on_signal&) = delete;
    dump_on_signal& operator=(const dump_on_signal&) = delete;
    ~dump_on_signal();

    static const int default_signal;  // SIGUSR1

private:
    struct state;
    std::shared_ptr<state> state_;
};

WEIR_ABI_END }  // namespace weir

#include <weir/detail/inspect/dump_maker.hpp>
#include <weir/detail/inspect/dump_on_signal.hpp>
#include <weir/detail/inspect/json.hpp>
#include <weir/detail/inspect/text.hpp>
