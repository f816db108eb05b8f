#pragma once
// The epoll set of one runtime.
//
// A descriptor is registered once, edge-triggered, for both directions, when an operation first has
// to wait for it, and is taken out when its source ends. Events name descriptors, not sources: the
// table says, under the mutex, which source a descriptor belongs to now, so that an event which
// arrives late finds nothing, or at worst makes the successor of the same number look once in vain.
// The wake-up eventfd is edge-triggered too and never read: every write is a new edge.

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/sync.hpp>
#include <weir/detail/runtime/io_source.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class io_reactor : public std::enable_shared_from_this<io_reactor> {
public:
    /// What became of the system calls is in `error`.
    io_reactor() noexcept
        : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        epoll_event event{};
        event.events = EPOLLIN | EPOLLET;
        event.data.fd = wake_;
        if (epoll_ < 0 || wake_ < 0 || ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0)
            error_ = std::error_code(errno, std::system_category());
    }
    io_reactor(const io_reactor&) = delete;
    io_reactor& operator=(const io_reactor&) = delete;
    ~io_reactor() {
        if (wake_ >= 0) ::close(wake_);
        if (epoll_ >= 0) ::close(epoll_);
    }

    [[nodiscard]] std::error_code error() const noexcept { return error_; }

    /// Registers a source, unless another waiter of it has done so meanwhile. Any thread.
    [[nodiscard]] std::error_code add(io_source& source) noexcept {
        scoped_lock guard(mutex_);
        if (closed_) return std::make_error_code(std::errc::operation_canceled);
        if (source.is_attached()) return {};
        const auto index = static_cast<std::size_t>(source.fd());
        if (index >= table_.size() && !grow(index))
            return std::make_error_code(std::errc::not_enough_memory);
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.fd = source.fd();
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, source.fd(), &event) != 0)
            return std::error_code(errno, std::system_category());
        table_[index] = &source;
        source.attach(shared_from_this());
        return {};
    }

    /// Any thread.
    void remove(io_source& source) noexcept {
        scoped_lock guard(mutex_);
        const auto index = static_cast<std::size_t>(source.fd());
        if (index < table_.size()) table_[index] = nullptr;
        // Closing would do it too, unless a copy of the descriptor lives on in a forked process.
        epoll_event unused{};
        ::epoll_ctl(epoll_, EPOLL_CTL_DEL, source.fd(), &unused);
    }

    /// Sleeps until something happens, at most `timeout`, and wakes who waits for it. One thread at
    /// a time. A signal, or a wake-up, ends it early.
    void wait(std::optional<std::chrono::nanoseconds> timeout) noexcept {
        std::array<epoll_event, 128> events;
        const int count = system_wait(events.data(), static_cast<int>(events.size()), timeout);
        if (count <= 0) return;
        wake_list wakes;
        scoped_lock guard(mutex_);
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events[static_cast<std::size_t>(i)];
            const auto index = static_cast<std::size_t>(event.data.fd);
            if (index < table_.size() && table_[index] != nullptr)
                table_[index]->on_events(event.events, wakes);
        }
    }

    /// Ends a wait, or the next one. Any thread.
    void wake() noexcept {
        const std::uint64_t one = 1;
        while (::write(wake_, &one, sizeof one) < 0 && errno == EINTR) {
        }
    }

    /// Fails what waits here; the sources can be registered elsewhere afterwards.
    void shut_down() noexcept {
        wake_list wakes;
        scoped_lock guard(mutex_);
        closed_ = true;
        for (io_source* source : table_)
            if (source != nullptr) static_cast<void>(source->detach(wakes));
        table_.clear();
    }

private:
    [[nodiscard]] bool grow(std::size_t index) noexcept {
        WEIR_TRY {
            table_.resize(index < 64 ? 64 : index * 2);
        }
        WEIR_CATCH_ALL { return false; }
        return true;
    }

    // Kernels before 5.11 and some sandboxes lack epoll_pwait2; there, timeouts round up to 1 ms.
    int system_wait(epoll_event* events, int capacity,
                    std::optional<std::chrono::nanoseconds> timeout) noexcept {
        using std::chrono::nanoseconds;
        const std::int64_t ns = timeout ? std::max<std::int64_t>(timeout->count(), 0) : -1;
#if defined(SYS_epoll_pwait2) && defined(__LP64__)
        if (ns > 0 && fine_timeouts_.load(sync::memory_order_relaxed)) {
            timespec limit{};
            limit.tv_sec = static_cast<std::time_t>(ns / 1'000'000'000);
            limit.tv_nsec = static_cast<long>(ns % 1'000'000'000);
            const long count =
                ::syscall(SYS_epoll_pwait2, epoll_, events, capacity, &limit, nullptr, 0);
            if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(count);
            fine_timeouts_.store(false, sync::memory_order_relaxed);
        }
#endif
        constexpr std::int64_t longest = std::numeric_limits<int>::max() - 1;
        const std::int64_t ms = ns < 0 ? -1 : std::min(ns / 1'000'000 + (ns % 1'000'000 != 0), longest);
        return ::epoll_wait(epoll_, events, capacity, static_cast<int>(ms));
    }

    static inline sync::atomic<bool> fine_timeouts_{true};

    int epoll_;
    int wake_;
    std::error_code error_;
    sync::mutex mutex_;
    std::vector<io_source*> table_;  // by descriptor
    bool closed_ = false;
};

inline void io_source::close() noexcept {
    wake_list wakes;
    if (const std::shared_ptr<io_reactor> reactor = detach(wakes)) reactor->remove(*this);
    if (simulated_ != nullptr)
        simulated_->close();
    else
        ::close(fd_);
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
