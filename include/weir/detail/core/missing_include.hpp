#pragma once
// What a call gets whose header is missing: the compiler shows the line that is deleted, and with it
// the header's name. Where the header is included, these take part in no overload resolution.
//
// Here are functions only; a class or a namespace that is missing is named like its header.

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN

namespace detail {

struct join_header;
struct runtime_header;
struct select_header;
struct spawn_header;
struct time_header;
struct timeout_header;
struct yield_header;

/// Each header says of itself that it is there.
template <class Header, class... Args>
inline constexpr bool is_included = false;

template <class Header, class... Args>
concept lacks = !is_included<Header, Args...>;

}  // namespace detail

template <class... A>
    requires detail::lacks<detail::runtime_header, A...>
void block_on(A&&...) = delete;  // add: #include <weir/runtime.hpp>
template <class... A>
    requires detail::lacks<detail::runtime_header, A...>
void run(A&&...) = delete;  // add: #include <weir/runtime.hpp>
template <class... A>
    requires detail::lacks<detail::spawn_header, A...>
void spawn(A&&...) = delete;  // add: #include <weir/spawn.hpp>
template <class... A>
    requires detail::lacks<detail::spawn_header, A...>
void spawn_blocking(A&&...) = delete;  // add: #include <weir/spawn.hpp>
template <class... A>
    requires detail::lacks<detail::time_header, A...>
void sleep_for(A&&...) = delete;  // add: #include <weir/time.hpp>
template <class... A>
    requires detail::lacks<detail::time_header, A...>
void sleep_until(A&&...) = delete;  // add: #include <weir/time.hpp>
template <class... A>
    requires detail::lacks<detail::timeout_header, A...>
void timeout(A&&...) = delete;  // add: #include <weir/timeout.hpp>
template <class... A>
    requires detail::lacks<detail::join_header, A...>
void join(A&&...) = delete;  // add: #include <weir/join.hpp>
template <class... A>
    requires detail::lacks<detail::select_header, A...>
void select(A&&...) = delete;  // add: #include <weir/select.hpp>
template <class... A>
    requires detail::lacks<detail::yield_header, A...>
void yield_now(A&&...) = delete;  // add: #include <weir/yield.hpp>

WEIR_ABI_END }  // namespace weir
