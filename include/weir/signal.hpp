#pragma once
// Signals of the process, such as the one that Ctrl-C sends.
//
//     co_await weir::select(serve(std::move(listener)), weir::ctrl_c());
//
//     auto terminate = weir::signal(SIGTERM);      // listens from here on
//     co_await terminate;
//
// The handler counts, and writes to an eventfd that is never read: each runtime with a listener has
// a copy of it in its edge-triggered epoll set, so every listener sees every write. Signals that
// arrive before a listener looks count as one.

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/sync.hpp>
#include <weir/detail/net/io_operation.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// What the process knows of one signal.
struct signal_state {
    sync::atomic<std::uint32_t> count{0};
    sync::atomic<int> event{-1};  // once it is there, it stays
};
static_assert(decltype(signal_state::count)::is_always_lock_free &&
                  decltype(signal_state::event)::is_always_lock_free,
              "a signal handler takes no lock");

class signal_table {
public:
    static constexpr int size = NSIG;

    static signal_state& of(int number) noexcept { return states_[static_cast<std::size_t>(number)]; }

    /// Installs the handler, once per signal and for good.
    static std::error_code listen(int number) {
        scoped_lock guard(mutex_);
        signal_state& s = of(number);
        if (s.event.load(sync::memory_order_relaxed) >= 0) return {};
        const int event = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (event < 0) return std::error_code(errno, std::system_category());
        s.event.store(event, sync::memory_order_relaxed);  // the number is all there is to see
        struct sigaction action {};
        action.sa_handler = &handle;
        action.sa_flags = SA_RESTART;
        ::sigfillset(&action.sa_mask);
        if (::sigaction(number, &action, nullptr) == 0) return {};
        const std::error_code error(errno, std::system_category());
        s.event.store(-1, sync::memory_order_relaxed);
        ::close(event);
        return error;
    }

private:
    static void handle(int number) noexcept {
        const int saved = errno;
        signal_state& s = of(number);
        s.count.fetch_add(1, sync::memory_order_release);  // to signal_op
        const std::uint64_t one = 1;
        static_cast<void>(::write(s.event.load(sync::memory_order_relaxed), &one, sizeof one) < 0);
        errno = saved;
    }

    static inline std::array<signal_state, NSIG> states_{};
    static inline sync::mutex mutex_;
};

/// What one listener has seen.
struct signal_watch {
    signal_watch(signal_state& s, int fd) noexcept
        : state(s), seen(s.count.load(sync::memory_order_relaxed)), source(fd) {}

    signal_state& state;
    std::uint32_t seen;
    io_ref source;
};

class signal_op {
public:
    static constexpr cancel_safety safety = cancel_safety::safe;

    explicit signal_op(std::shared_ptr<signal_watch> watch) noexcept : watch_(std::move(watch)) {}

    [[nodiscard]] io_source& source() const noexcept { return *watch_->source; }
    [[nodiscard]] io_direction direction() const noexcept { return io_direction::read; }
    [[nodiscard]] std::uint32_t seen() const noexcept { return edges_; }
    void fail(std::error_code error) noexcept { error_ = error; }

    bool attempt() noexcept {
        edges_ = source().edges(io_direction::read);
        const std::uint32_t count =
            watch_->state.count.load(sync::memory_order_acquire);  // from the handler
        return std::exchange(watch_->seen, count) != count;
    }
    void take() const {
#if WEIR_EXCEPTIONS
        if (error_) throw std::system_error(error_, "weir: cannot wait for a signal");
#endif
    }

private:
    std::shared_ptr<signal_watch> watch_;
    std::error_code error_;
    std::uint32_t edges_ = 0;
};

}  // namespace detail

/// Hears one signal from its making on. Awaiting it waits for the next arrival that it has not
/// reported yet; several at once count as one. Any number of listeners hear the same signal.
///
/// Cancel safety  Safe: a listener that is awaited again by lvalue misses nothing.
/// Errors         Throws no_runtime_error where there is no runtime to wait in, and
///                std::system_error where the runtime ends meanwhile.
/// Lifetime       The process keeps the handler for good: the default action does not come back.
/// Thread safety  One awaiter at a time.
class [[nodiscard("co_await it, or keep it and do so later")]] signal_listener
    : public detail::awaitable_base {
public:
    signal_listener(signal_listener&&) noexcept = default;
    signal_listener& operator=(signal_listener&&) noexcept = default;

private:
    friend struct detail::awaiter_access;
    friend signal_listener signal(int);
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    using operation = detail::io_operation<detail::signal_op>;
    class awaiter : public detail::native_awaiter_t<operation> {
    public:
        awaiter(signal_listener& l, detail::owner& o) : awaiter(l.start(), o) {}

    private:
        awaiter(operation op, detail::owner& o) : detail::native_awaiter_t<operation>(op, o) {}
    };

    operation start() const {
        if (watch_ == nullptr)
            detail::fail<already_consumed_error>(
                "this signal_listener was moved from: await the one that it was moved to");
        return operation(detail::signal_op(watch_));
    }

    explicit signal_listener(std::shared_ptr<detail::signal_watch> watch) noexcept
        : watch_(std::move(watch)) {}

    std::shared_ptr<detail::signal_watch> watch_;
};

/// Listens for a signal, such as SIGTERM, whose default action is gone from then on.
/// Errors  Throws std::invalid_argument for a signal that cannot be caught or that a program cannot
///         go on from (SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT), and
///         std::system_error where the system refuses.
inline signal_listener signal(int number) {
    switch (number) {
        case SIGKILL:
        case SIGSTOP:
        case SIGSEGV:
        case SIGBUS:
        case SIGFPE:
        case SIGILL:
        case SIGABRT:
            detail::fail<std::invalid_argument>(
                "weir::signal: this signal cannot be waited for: listen for another one");
        default: break;
    }
    if (number <= 0 || number >= detail::signal_table::size)
        detail::fail<std::invalid_argument>("weir::signal: there is no signal of this number");
    std::error_code error = detail::signal_table::listen(number);
    if (!error) {
        detail::signal_state& state = detail::signal_table::of(number);
        const int event = state.event.load(detail::sync::memory_order_relaxed);
        const int copy = ::fcntl(event, F_DUPFD_CLOEXEC, 0);
        if (copy >= 0) {
            auto watch = std::make_shared<detail::signal_watch>(state, copy);
            if (watch->source) return signal_listener(std::move(watch));
            errno = ENOMEM;
        }
        error = std::error_code(errno, std::system_category());
    }
#if WEIR_EXCEPTIONS
    throw std::system_error(error, "weir::signal");
#else
    std::abort();
#endif
}

/// Waits for SIGINT, which Ctrl-C sends. Listens from the call on.
inline signal_listener ctrl_c() { return signal(SIGINT); }

WEIR_ABI_END }  // namespace weir
