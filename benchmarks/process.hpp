#pragma once
// What this process has used so far.

#include <unistd.h>  // sysconf

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>

namespace bench {

/// Memory that is in use, in whole pages.
inline std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    if (!(statm >> total >> resident)) {
        std::fputs("wrong: /proc/self/statm cannot be read\n", stderr);
        std::abort();
    }
    return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// CPU time of all of its threads.
inline std::chrono::nanoseconds cpu_time() {
    timespec spent{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
    return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

}  // namespace bench
