#pragma once
// A file descriptor that operations wait on, one list of waiters per direction.
//
// State    edges    how many times the kernel has said "ready" since the beginning, plus one
//          drained  the value of `edges` at which a call last found nothing to do; the next call may
//                   be skipped while `edges` has not moved on
//          waiters  operations that found nothing to do
// Wait     An operation notes `edges`, makes its call, and gets EAGAIN; then, under the lock, it
//          queues if `edges` is still the same, and calls again if not. No readiness is lost
//          between the call and the queue, and nothing is registered that never has to wait.
// Wake     An edge wakes the first waiter. It carries the right to look, marked `granted` when
//          others are queued behind it; whoever gets something out of such a look, or abandons it,
//          passes it on. So each of several waiting accepts is resumed for a connection of its own.
// Close    The last owner closes the descriptor and fails what still waits; the memory stays until
//          those waiters have let go of it.
// Locks    the reactor's mutex before the source's lock, never the other way round.

#include <sys/epoll.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/sync.hpp>
#include <weir/detail/core/wait_node.hpp>
#include <weir/detail/runtime/simulated_socket.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class io_reactor;

enum class io_direction : std::uint8_t { read, write };

class io_source {
public:
    enum class wait_result : std::uint8_t { waiting, changed, unregistered };

    /// What `wait_node::amount` says when the source, or its runtime, has gone.
    static constexpr std::uint32_t abandoned = 1;

    /// Takes over `fd`, which must be non-blocking. Sources are made and owned through io_ref.
    explicit io_source(int fd) noexcept : fd_(fd) {}
    explicit io_source(std::unique_ptr<simulated_socket> s) noexcept
        : fd_(-1), simulated_(std::move(s)) {}
    io_source(const io_source&) = delete;
    io_source& operator=(const io_source&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }
    /// What takes the place of the descriptor; null outside of a simulation.
    [[nodiscard]] simulated_socket* simulated() const noexcept { return simulated_.get(); }

    // -- before and after a call -----------------------------------------------------------------

    [[nodiscard]] std::uint32_t edges(io_direction d) const noexcept {
        return side_of(d).edges.load(sync::memory_order_acquire);  // from signal
    }
    /// Whether a call made after `seen` was read would find nothing to do.
    [[nodiscard]] bool is_drained(io_direction d, std::uint32_t seen) const noexcept {
        return side_of(d).drained.load(sync::memory_order_relaxed) == seen &&
               !hung_up_.load(sync::memory_order_relaxed);  // an end may lie behind a short read
    }
    void set_drained(io_direction d, std::uint32_t seen) noexcept {
        side_of(d).drained.store(seen, sync::memory_order_relaxed);
    }

    // -- waiting ---------------------------------------------------------------------------------

    /// Queues `n` unless the source has become ready since `seen` was read.
    [[nodiscard]] wait_result wait(wait_node& n, io_direction d, std::uint32_t seen) noexcept {
        scoped_lock guard(lock_);
        if (reactor_ == nullptr && simulated_ == nullptr) return wait_result::unregistered;
        if (side_of(d).edges.load(sync::memory_order_relaxed) != seen) return wait_result::changed;
        n.state = wait_node::phase::waiting;
        n.granted = false;
        n.amount = 0;
        holds_.fetch_add(1, sync::memory_order_relaxed);
        side_of(d).waiters.push_back(n);
        return wait_result::waiting;
    }

    /// Lets go after a wait that has ended. Nothing of the source may be used behind it.
    void release() noexcept {
        if (holds_.fetch_sub(1, sync::memory_order_acq_rel) == 1) delete this;
    }

    /// Abandons a wait, on its owner's turn, and lets go.
    void leave(wait_node& n, io_direction d) noexcept {
        {
            wake_list wakes;
            scoped_lock guard(lock_);
            if (n.state == wait_node::phase::waiting) {
                side_of(d).waiters.erase(n);
                n.state = wait_node::phase::idle;
            } else if (n.state != wait_node::phase::idle) {
                n.who->retract(n);
                if (n.granted) wake_first(d, wakes);
            }
        }
        release();
    }

    /// Lets the next waiter look, after one that was granted has found something.
    void pass_on(io_direction d) noexcept {
        wake_list wakes;
        scoped_lock guard(lock_);
        wake_first(d, wakes);
    }

private:
    friend class io_reactor;
    friend class io_ref;
    friend class simulated_network;

    ~io_source() = default;
    void close() noexcept;  // defined where the reactor is, in epoll_driver.hpp

    struct side {
        sync::atomic<std::uint32_t> edges{1};
        sync::atomic<std::uint32_t> drained{0};
        wait_list waiters;
    };

    [[nodiscard]] side& side_of(io_direction d) noexcept {
        return d == io_direction::read ? in_ : out_;
    }
    [[nodiscard]] const side& side_of(io_direction d) const noexcept {
        return d == io_direction::read ? in_ : out_;
    }

    // For the reactor, with its mutex held, and for a simulated network.
    void on_events(std::uint32_t events, wake_list& wakes) noexcept {
        constexpr std::uint32_t end = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
        scoped_lock guard(lock_);
        if (events & end) hung_up_.store(true, sync::memory_order_relaxed);
        if (events & (end | EPOLLIN | EPOLLPRI)) signal(io_direction::read, wakes);
        if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) signal(io_direction::write, wakes);
    }
    void attach(std::shared_ptr<io_reactor> reactor) noexcept {
        scoped_lock guard(lock_);
        reactor_ = std::move(reactor);
    }
    [[nodiscard]] bool is_attached() noexcept {
        scoped_lock guard(lock_);
        return reactor_ != nullptr;
    }
    [[nodiscard]] std::shared_ptr<io_reactor> detach(wake_list& wakes) noexcept {
        scoped_lock guard(lock_);
        for (side* s : {&in_, &out_}) {
            while (!s->waiters.empty()) {
                wait_node& n = s->waiters.pop_front();
                n.granted = false;
                n.amount = abandoned;
                wakes.wake(n);
            }
        }
        return std::move(reactor_);
    }

    void signal(io_direction d, wake_list& wakes) noexcept {
        side_of(d).edges.fetch_add(1, sync::memory_order_release);  // to edges
        wake_first(d, wakes);
    }
    void wake_first(io_direction d, wake_list& wakes) noexcept {
        wait_list& waiters = side_of(d).waiters;
        if (waiters.empty()) return;
        wait_node& n = waiters.pop_front();
        n.granted = !waiters.empty();
        wakes.wake(n);
    }

    small_lock lock_;
    sync::atomic<bool> hung_up_{false};
    int fd_;
    std::unique_ptr<simulated_socket> simulated_;
    sync::atomic<std::uint32_t> owners_{1};
    sync::atomic<std::uint32_t> holds_{1};  // one for all owners, one for each waiter
    std::shared_ptr<io_reactor> reactor_;  // whose epoll set the descriptor is in
    side in_;
    side out_;
};

/// An owner of a source: a stream, a listener, half a stream.
class io_ref {
public:
    io_ref() noexcept = default;
    /// Takes over a non-blocking descriptor. Closes it and is empty where there is no memory.
    explicit io_ref(int fd) noexcept : source_(new (std::nothrow) io_source(fd)) {
        if (source_ == nullptr) ::close(fd);
    }
    explicit io_ref(std::unique_ptr<simulated_socket> s) noexcept
        : source_(new (std::nothrow) io_source(std::move(s))) {}
    io_ref(const io_ref& other) noexcept : source_(other.source_) {
        if (source_) source_->owners_.fetch_add(1, sync::memory_order_relaxed);
    }
    io_ref(io_ref&& other) noexcept : source_(std::exchange(other.source_, nullptr)) {}
    io_ref& operator=(io_ref other) noexcept {
        std::swap(source_, other.source_);
        return *this;
    }
    ~io_ref() {
        if (source_ == nullptr) return;
        if (source_->owners_.fetch_sub(1, sync::memory_order_acq_rel) != 1) return;
        source_->close();
        source_->release();
    }

    [[nodiscard]] explicit operator bool() const noexcept { return source_ != nullptr; }
    [[nodiscard]] io_source& operator*() const noexcept { return *source_; }
    [[nodiscard]] io_source* operator->() const noexcept { return source_; }
    friend bool operator==(const io_ref&, const io_ref&) = default;

private:
    io_source* source_ = nullptr;
};

inline void simulated_network::signal(io_source& source, std::uint32_t events) noexcept {
    wake_list wakes;
    source.on_events(events, wakes);
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
