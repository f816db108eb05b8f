#pragma once
// Misuse of the library: always an exception whose text says what to write instead.

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN

/// An operation needs a runtime and none is current on this thread.
class no_runtime_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// A call that blocks the thread was made on a thread that runs tasks.
class blocking_in_async_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

/// Something that can be awaited or consumed once was used again.
class already_consumed_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

namespace detail {

template <class Error>
[[noreturn]] WEIR_COLD void fail(const char* what) {
#if WEIR_EXCEPTIONS
    throw Error(what);
#else
    std::fprintf(stderr, "weir: %s\n", what);
    std::abort();
#endif
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
