#pragma once
// What models are written with. They include this before anything of weir, or compile with
// WEIR_MODEL defined.

#include <cstdint>
#include <functional>
#include <source_location>
#include <string>

#include <weir/detail/core/sync.hpp>

#include "engine.hpp"

namespace model {

template <class T>
using atomic = weir::detail::sync::atomic<T>;
using mutex = weir::detail::sync::mutex;
using thread = weir::detail::sync::thread;
using parker = weir::detail::sync::parker;

struct options {
    int preemptions = 2;  // how often a thread may be stopped although it could go on
    std::uint64_t random_executions = 0;  // instead of all of them; 0: all
    std::uint64_t seed = 0;
    std::string replay = {};  // one execution, by the choices that a failure was reported with
    bool log = false;    // whether each operation is printed
};

struct result {
    bool passed = true;
    std::uint64_t executions = 0;
    std::string failure;
    std::string choices;
};

/// Runs `body`, on a thread of its own, in every execution that the options leave.
result explore(const std::function<void()>& body, const options& o = {});

/// The same as a test: prints what was found, and fails the doctest case. The environment can say
/// otherwise than `preemptions`; README.md has the variables.
void check(const char* name, const std::function<void()>& body, int preemptions = 2);

/// Fails the execution unless `holds`. doctest's CHECK is for outside of models.
inline void expect(bool holds, const char* what,
                   std::source_location at = std::source_location::current()) {
    if (holds) [[likely]]
        return;
    const std::string where = std::string(at.file_name()) + ":" + std::to_string(at.line());
    fail(std::string(what) + " (" + where + ")");
}

}  // namespace model
