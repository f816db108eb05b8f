#pragma once
// Who is shown the tasks of a runtime, for a dump.

#include <cstdint>
#include <source_location>

#include <weir/detail/core/task_header.hpp>
#include <weir/detail/runtime/shutdown_report.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// A task whose turn is not to be had: it runs, or is about to.
struct busy_task {
    const owner* who;  // for comparison only: it may have ended
    task_id id;
    std::source_location site;
    task_kind kind;
    bool runs;
};

/// How many turns a thread has begun, and whose is the last, if it has not ended.
struct turn_glimpse {
    std::uint64_t turns;
    const owner* running;
};

class task_inspector {
public:
    /// On the task's own turn, which is given back afterwards. `can_run`: what it waits for has come.
    virtual void suspended(task_header& t, bool can_run) = 0;
    virtual void busy(const busy_task& t) = 0;

protected:
    ~task_inspector() = default;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
