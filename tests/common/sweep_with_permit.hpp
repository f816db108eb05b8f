#pragma once
// What the sweeps of tasks have in common: a permit that every branch holds for a while.

#include <doctest/doctest.h>

#include <weir/semaphore.hpp>
#include <weir/task.hpp>
#include <weir/task_tracker.hpp>
#include <weir/yield.hpp>

#include "awaiting.hpp"
#include "probes.hpp"
#include "sweep.hpp"

namespace weir_test {

// A permit is held across two suspensions; whoever is destroyed there gives it back.
struct with_permit : scenario {
    weir::task<> hold() {
        const auto permit = co_await places.acquire();
        co_await weir::yield_now();
        co_await weir::yield_now();
    }
    weir::task<counted> make(int value) {
        co_await hold();
        co_return counted(values, value);
    }
    // The same for a task that may still be ending on another thread when its owner has ended.
    weir::task<counted> make_tracked(int value, weir::task_tracker_token) {
        co_await hold();
        co_return counted(values, value);
    }
    weir::task<counted> tracked(int value) { return make_tracked(value, spawned.token()); }
    weir::task<> after() {
        spawned.close();
        co_await spawned.wait();
        const bool gone = co_await until([this] { return values.objects == 0; });
        CHECK(gone);
    }
    weir::task<> beside() {
        co_await hold();
        co_await hold();
    }
    void check() {
        CHECK(places.available_permits() == 1);
        CHECK(values.live() == 0);
        CHECK(values.objects == 0);
    }

    ledger values;
    weir::semaphore places{1};
    weir::task_tracker spawned;
};

}  // namespace weir_test
