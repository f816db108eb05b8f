#pragma once
// The runtimes that every asynchronous test runs on, and a watchdog against a test that hangs.

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <doctest/doctest.h>
#include <unistd.h>
#include <utility>

#include <weir/runtime.hpp>

namespace weir_test {

// Ends the process, with the name of the running test, when a test does not come to its end.
class watchdog {
public:
    watchdog() {
        std::signal(SIGALRM, [](int) { std::abort(); });  // doctest reports the test of a SIGABRT
        ::alarm(120);
    }
    watchdog(const watchdog&) = delete;
    watchdog& operator=(const watchdog&) = delete;
    ~watchdog() { ::alarm(0); }
};

// Says whether tasks of the runtime under test may run on several threads at once.
inline bool parallel = false;

class rt_current_thread : private watchdog, public weir::current_thread_runtime {
public:
    explicit rt_current_thread(weir::runtime_options options = {})
        : weir::current_thread_runtime(std::move(options)) {
        parallel = false;
    }
};

// How many workers a multi-thread runtime has whose test does not say it. main.cpp runs such tests
// once with each of several numbers: that costs less to compile than a type for each.
inline std::size_t workers = 1;

template <std::size_t Workers = 0>
class rt_multi_thread : private watchdog, public weir::multi_thread_runtime {
public:
    explicit rt_multi_thread(weir::runtime_options options = {})
        : weir::multi_thread_runtime(with_workers(std::move(options))) {
        parallel = true;
    }

private:
    static weir::runtime_options with_workers(weir::runtime_options options) {
        options.worker_threads = Workers != 0 ? Workers : workers;
        return options;
    }
};

}  // namespace weir_test

TYPE_TO_STRING_AS("current_thread", weir_test::rt_current_thread);
TYPE_TO_STRING_AS("multi_thread", weir_test::rt_multi_thread<>);
TYPE_TO_STRING_AS("multi_thread 1", weir_test::rt_multi_thread<1>);
TYPE_TO_STRING_AS("multi_thread 2", weir_test::rt_multi_thread<2>);
TYPE_TO_STRING_AS("multi_thread 4", weir_test::rt_multi_thread<4>);

// Every runtime there is: for tests whose outcome does not depend on who runs when.
#define WEIR_RUNTIMES weir_test::rt_current_thread, weir_test::rt_multi_thread<>

// Those that may run several tasks at once.
#define WEIR_PARALLEL_RUNTIMES weir_test::rt_multi_thread<>

// The runtimes that run one task at a time, in the order in which they became ready.
#define WEIR_ORDERED_RUNTIMES weir_test::rt_current_thread
