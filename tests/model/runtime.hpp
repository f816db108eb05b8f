#pragma once
// Real runtimes in models: everything that they would take from the machine is fixed.

#include "tasks.hpp"

#include <weir/runtime.hpp>

namespace model {

// Not from the default options, whose seed the machine draws.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
inline weir::runtime_options runtime_options(std::size_t workers = 1) {
    return {.worker_threads = workers, .rng_seed = 1};
}
inline weir::runtime_options stopped_clock_options() { return {.rng_seed = 1, .start_paused = true}; }
#pragma GCC diagnostic pop

}  // namespace model
