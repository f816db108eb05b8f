#pragma once
// Whether the process has one thread only, so that a lock has nobody to race with.

#if !defined(WEIR_MODEL) && __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define WEIR_KNOWS_SINGLE_THREADED 1
#else
#define WEIR_KNOWS_SINGLE_THREADED 0
#endif

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// True only while no second thread exists: the C library clears its flag before it starts one, and
/// that start orders everything before it. False where the library does not tell.
inline bool is_single_threaded() noexcept {
#if WEIR_KNOWS_SINGLE_THREADED
    return __libc_single_threaded != 0;
#else
    return false;
#endif
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
