#include "log.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <ctime>

namespace redis {

void logger::operator()(log_level level, const char* format, ...) const {
    if (!wants(level)) return;
    constexpr const char* names[] = {"", "error", "warning", "info", "debug"};
    char line[512];
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(now).count() % 1000;
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::size_t size = std::strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &utc);
    const auto append = [&](int written) {
        // snprintf says what it would have written; what did not fit is cut off.
        size = std::min(sizeof line - 1, size + static_cast<std::size_t>(std::max(written, 0)));
    };
    append(std::snprintf(line + size, sizeof line - size, ".%03dZ %-7s ", static_cast<int>(part),
                         names[static_cast<std::size_t>(level)]));
    std::va_list values;
    va_start(values, format);
    append(std::vsnprintf(line + size, sizeof line - size, format, values));
    va_end(values);
    line[size++] = '\n';
    static_cast<void>(!::write(STDERR_FILENO, line, size));
}

}  // namespace redis
