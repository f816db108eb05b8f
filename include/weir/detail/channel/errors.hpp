#pragma once
// Why a channel's operation failed, and how its value comes back.

#include <cstdint>
#include <utility>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// What became of a request for slots.
enum class claim : std::uint8_t { granted, full, closed };

/// The channel is closed; the value that was not sent comes back.
template <class T>
struct send_error {
    explicit send_error(T&& v) : value(std::move(v)) {}

    T value;
};

/// Why there is no permit.
class try_reserve_error {
public:
    explicit try_reserve_error(claim why) noexcept : why_(why) {}
    [[nodiscard]] bool is_full() const noexcept { return why_ == claim::full; }
    [[nodiscard]] bool is_closed() const noexcept { return why_ == claim::closed; }

private:
    claim why_;
};

/// A send that would have had to wait, or whose channel is closed; the value comes back.
template <class T>
class try_send_error : public try_reserve_error {
public:
    try_send_error(claim why, T&& v) : try_reserve_error(why), value(std::move(v)) {}

    T value;
};

/// A send that was given up when its time had passed, or whose channel is closed; the value comes
/// back.
template <class T>
class send_timeout_error {
public:
    send_timeout_error(claim why, T&& v) : value(std::move(v)), why_(why) {}
    [[nodiscard]] bool is_timeout() const noexcept { return why_ == claim::full; }
    [[nodiscard]] bool is_closed() const noexcept { return why_ == claim::closed; }

    T value;

private:
    claim why_;
};

/// Why try_recv has no value.
enum class try_recv_error {
    empty,         ///< nothing is there now
    disconnected,  ///< nothing will be
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
