#pragma once
// A load generator: many connections that ask as fast as they are answered.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <weir/task.hpp>

#include "address.hpp"
#include "histogram.hpp"

namespace redis {

struct load_options {
    address server;
    std::size_t clients = 50;
    std::size_t pipeline = 1;  // requests that a client sends together
    std::uint64_t requests = 100'000;
    std::size_t value_size = 64;
    std::uint64_t keys = 100'000;
    std::size_t gets_per_set = 1;
};

struct load_report {
    std::uint64_t done = 0;
    std::uint64_t failed = 0;  // errors of the server and of connections
    std::string error;         // the first one
    std::chrono::duration<double> took{};
    histogram latencies;       // from the sending of a batch to its last reply
};

/// Runs the load, with a line on stderr that shows how far it is.
weir::task<load_report> run_load(load_options options);

/// Prints rate, percentiles and a histogram.
void print(const load_report& report);

}  // namespace redis
