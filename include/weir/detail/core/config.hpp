#pragma once
// What the compiler can and cannot do, as macros: the only header that asks which compiler it is.

#include <cstddef>

#include <weir/version.hpp>

#if __cplusplus < 202002L
#error "weir needs C++20: compile with -std=c++20 or newer"
#endif

// The inline namespace of everything, v0_1 in version 0.1: two versions of weir may meet in one
// program, and so may translation units that were built against different layouts. WEIR_MODEL
// replaces every atomic and lock by the model checker's own.
#define WEIR_ABI_PASTE(major, minor, variant) v##major##_##minor##variant
#define WEIR_ABI_NAME(major, minor, variant) WEIR_ABI_PASTE(major, minor, variant)
#if defined(WEIR_MODEL)
#define WEIR_ABI WEIR_ABI_NAME(WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR, _model)
#else
#define WEIR_ABI WEIR_ABI_NAME(WEIR_VERSION_MAJOR, WEIR_VERSION_MINOR, )
#endif
#define WEIR_ABI_BEGIN inline namespace WEIR_ABI {
#define WEIR_ABI_END }

#if defined(__clang__)
#define WEIR_CLANG __clang_major__
#define WEIR_GCC 0
#elif defined(__GNUC__)
#define WEIR_CLANG 0
#define WEIR_GCC __GNUC__
#else
#error "weir supports g++ 12 or newer and clang 16 or newer"
#endif

#define WEIR_NOINLINE [[gnu::noinline]]
#define WEIR_ALWAYS_INLINE [[gnu::always_inline]] inline
#define WEIR_COLD [[gnu::cold, gnu::noinline]]

// clang before 19 may keep the locals of an inlined await_suspend in the coroutine frame, which
// another thread may have destroyed by then.
#if WEIR_CLANG && WEIR_CLANG < 19
#define WEIR_AWAIT_SUSPEND WEIR_NOINLINE
#else
#define WEIR_AWAIT_SUSPEND
#endif

// With WEIR_CHECK_LIFETIMES, clang 18 and later warn where a coroutine's reference parameter, or a
// capture, is gone when the task runs. A function that returns a task and is no coroutine has to say
// so then: WEIR_COROUTINE_WRAPPER.
#if defined(WEIR_CHECK_LIFETIMES) && WEIR_CLANG >= 18
#define WEIR_COROUTINE_TYPE [[clang::coro_return_type, clang::coro_lifetimebound]]
#define WEIR_COROUTINE_WRAPPER [[clang::coro_wrapper]]
#define WEIR_LIFETIMEBOUND [[clang::lifetimebound]]
#else
#define WEIR_COROUTINE_TYPE
#define WEIR_COROUTINE_WRAPPER
#define WEIR_LIFETIMEBOUND
#endif

// g++ 12 bit-copies an aggregate temporary of a full-expression with co_await into the frame and
// destroys it twice. The compiler probe (tests/compiler_probe) checks this line on each compiler.
#if WEIR_GCC && WEIR_GCC < 13
#define WEIR_AGGREGATE_TEMPORARIES_BREAK 1
#else
#define WEIR_AGGREGATE_TEMPORARIES_BREAK 0
#endif

// GCC makes symmetric transfer a tail call at -O2 and above only, and never under a sanitizer; it
// does not say which level it is at. There the next coroutine goes through a slot (transfer.hpp).
#if WEIR_CLANG
#define WEIR_SYMMETRIC_TRANSFER 1
#else
#define WEIR_SYMMETRIC_TRANSFER 0
#endif

#if defined(__SANITIZE_ADDRESS__)
#define WEIR_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WEIR_ASAN 1
#endif
#endif
#ifndef WEIR_ASAN
#define WEIR_ASAN 0
#endif

// Code that catches still compiles under -fno-exceptions, where nothing can be thrown.
#if defined(__cpp_exceptions)
#define WEIR_EXCEPTIONS 1
#define WEIR_TRY try
#define WEIR_CATCH_ALL catch (...)
#define WEIR_RETHROW throw
#else
#define WEIR_EXCEPTIONS 0
#define WEIR_TRY if constexpr (true)
#define WEIR_CATCH_ALL else
#define WEIR_RETHROW static_cast<void>(0)
#endif

namespace weir { WEIR_ABI_BEGIN namespace detail {

// Distance that keeps two hot words out of each other's cache line. The standard constant warns on
// g++, since it is not stable between compiler flags.
inline constexpr std::size_t cache_line = 64;

}  // namespace detail
WEIR_ABI_END }  // namespace weir
