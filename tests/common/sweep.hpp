#pragma once
// The cancellation sweep: one task of a scenario is cancelled at every point where it can be.
//
// A scenario is made afresh for each run and has:
//     weir::task<> victim();      the task that is cancelled
//     weir::task<> beside();      runs at the same time, and ends whatever becomes of the victim
//     weir::task<> after();       when the victim has ended; lets what is left of `beside` end
//     void check();               what must hold when all has ended
// In a simulation the points are all suspensions, before and behind the wake; on the other runtimes
// the victim is aborted after the aborting task has yielded 0, 1, 2, … times.

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <type_traits>
#include <utility>

#include <weir/spawn.hpp>
#include <weir/task.hpp>
#include <weir/test.hpp>
#include <weir/yield.hpp>

#include "runtimes.hpp"

namespace weir_test {

// What most scenarios need no more of.
struct scenario {
    weir::task<> beside() { co_return; }
    weir::task<> after() { co_return; }
};

template <class S>
weir::task<> run_beside(S& s, weir::join_handle<void> victim) {
    auto beside = weir::spawn(s.beside());
    const auto ended = co_await victim.result();
    if (!ended) CHECK(ended.error().is_cancelled());
    co_await s.after();
    co_await beside;
}

template <class S>
void sweep_simulation(std::uint64_t least_points) {
    std::uint64_t most = 0;
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
        CAPTURE(seed);
        weir::test::simulation_options options;
        options.seed = seed;
        options.yield_probability = seed % 3 == 2 ? 0.3 : 0;
        const std::uint64_t points = weir::test::cancel_everywhere(
            [](weir::test::simulation& sim) {
                S s;
                auto victim = sim.spawn_under_test(s.victim());
                sim.block_on(run_beside(s, std::move(victim)));
                s.check();
            },
            options);
        most = std::max(most, points);
    }
    CHECK(most >= least_points);
}

inline weir::task<> abort_after(weir::abort_handle victim, int yields) {
    for (int i = 0; i < yields; ++i) co_await weir::yield_now();
    victim.abort();
}

template <class S>
weir::task<> abort_beside(S& s, int yields) {
    auto victim = weir::spawn(s.victim());
    auto aborting = weir::spawn(abort_after(victim.get_abort_handle(), yields));
    co_await run_beside(s, std::move(victim));
    co_await aborting;
}

template <class Rt, class S>
void sweep_runtime() {
    weir::runtime_options options;
    options.start_paused = std::is_same_v<Rt, rt_current_thread>;  // it alone moves the clock
    Rt rt(options);
    for (int round = 0; round < (parallel ? 4 : 1); ++round) {
        for (int yields = 0; yields < 24; ++yields) {
            CAPTURE(yields);
            S s;
            rt.block_on(abort_beside(s, yields));
            s.check();
        }
    }
}

// Under some seed, `least` points of cancellation at least must have been found.
template <class S>
void sweep(std::uint64_t least) {
    sweep_simulation<S>(least);
    sweep_runtime<rt_current_thread, S>();
    sweep_runtime<rt_multi_thread<1>, S>();
    sweep_runtime<rt_multi_thread<2>, S>();
    sweep_runtime<rt_multi_thread<4>, S>();
}

}  // namespace weir_test
