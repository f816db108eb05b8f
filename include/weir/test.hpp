#pragma once
// Testing what is written with weir: deterministic runs, and many of them.
//
//     test::simulation                   a runtime with a seed, virtual time and a virtual network
//     test::explore                      one body under many seeds; WEIR_SEED=n runs one again
//     test::cancel_everywhere            cancels a task at each point where that is possible
//     test::fail_allocations_everywhere  lets each allocation fail
//     test::polled, test::poll_once      one operation, one look at a time
//
// Not part of weir/weir.hpp: nothing of it is needed outside of tests.

#include <weir/test/explore.hpp>
#include <weir/test/poll.hpp>
#include <weir/test/simulation.hpp>

#if defined(WEIR_TEST_DEFINE_OPERATOR_NEW)
#include <weir/detail/test/operator_new.hpp>
#endif
