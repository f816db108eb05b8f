#pragma once
// What shutdown_timeout tells about a runtime that did not come to its end in time.

#include <source_location>
#include <string>
#include <vector>

#include <weir/detail/core/task_header.hpp>

namespace weir { WEIR_ABI_BEGIN

enum class task_kind : unsigned char {
    task,     ///< made by spawn or block_on
    blocking  ///< made by spawn_blocking
};

/// A task that was still running.
struct running_task {
    std::string name;  // empty unless it was given one
    task_id id;
    std::source_location site;  // of its spawn
    task_kind kind;
};

/// What still ran when shutdown_timeout stopped waiting: tasks in the middle of a turn, and blocking
/// functions that had begun. Their threads go on by themselves.
struct shutdown_report {
    std::vector<running_task> still_running;

    /// Whether everything had ended.
    [[nodiscard]] bool complete() const noexcept { return still_running.empty(); }
};

WEIR_ABI_END }  // namespace weir
