#pragma once
// semaphore: a number of permits, handed out first come first served.
//
// Permits that are given back go to the oldest request until it is filled, whatever its size: a
// large request blocks the smaller ones behind it and can never be starved by them.

#include <coroutine>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <weir/detail/core/await_mark.hpp>
#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/standalone.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN

/// Why try_acquire has no permit.
enum class try_acquire_error {
    no_permits,  ///< too few are free, or somebody waits already
    closed,
};

/// Limits how many tasks do something at once.
///
///     weir::semaphore limit(250);
///     auto permit = co_await limit.acquire();      // gives itself back when it is destroyed
///
/// What was done before a permit was given back happens before what its next holder does.
/// Lifetime       Must outlive its permits and its waiters; acquire_owned shares the ownership.
/// Thread safety  Any thread.
class semaphore {
public:
    static constexpr std::size_t max_permits = std::numeric_limits<std::size_t>::max() >> 3;

    class permit;
    class owned_permit;

    /// Errors  Throws std::invalid_argument above max_permits.
    explicit semaphore(std::size_t permits) : free_(permits) {
        if (permits > max_permits) too_many();
    }
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;

    /// Takes `n` permits; yields expected<permit, closed>. `n` of 0 succeeds at once.
    /// Suspends       Until they are free and everybody who asked earlier is served.
    /// Cancel safety  Loses the place in the queue; permits that were assigned meanwhile pass on.
    [[nodiscard("co_await it")]] auto acquire(std::size_t n = 1);
    /// As acquire; the permit keeps the semaphore alive, so that it can move into a task.
    [[nodiscard("co_await it")]] static auto acquire_owned(std::shared_ptr<semaphore> s,
                                                           std::size_t n = 1);
    /// As acquire, without waiting and without overtaking who waits.
    [[nodiscard]] expected<permit, try_acquire_error> try_acquire(std::size_t n = 1);
    [[nodiscard]] static expected<owned_permit, try_acquire_error> try_acquire_owned(
        std::shared_ptr<semaphore> s, std::size_t n = 1);
    /// As acquire, blocking the thread.
    /// Errors  Throws blocking_in_async_error on a thread that runs tasks.
    [[nodiscard]] expected<permit, closed> blocking_acquire(std::size_t n = 1);
    [[nodiscard]] static expected<owned_permit, closed> blocking_acquire_owned(
        std::shared_ptr<semaphore> s, std::size_t n = 1);

    /// Adds permits, also after close. Errors  Throws std::length_error above max_permits.
    void add_permits(std::size_t n) {
        detail::wake_list wakes;
        detail::scoped_lock guard(lock_);
        if (n > max_permits - free_)
            detail::fail<std::length_error>("weir::semaphore: more than max_permits");
        give(n, wakes);
    }
    /// Removes up to `n` of the free permits for good; returns how many.
    std::size_t forget_permits(std::size_t n) noexcept {
        detail::scoped_lock guard(lock_);
        const std::size_t taken = n < free_ ? n : free_;
        free_ -= taken;
        return taken;
    }
    /// 0 while somebody waits: what is free is assigned to the oldest request.
    [[nodiscard]] std::size_t available_permits() const noexcept {
        detail::scoped_lock guard(lock_);
        return free_;
    }
    /// Fails everybody who waits, and every acquire from now on. Permits may still be given back.
    void close() noexcept {
        detail::wake_list wakes;
        detail::scoped_lock guard(lock_);
        closed_ = true;
        while (!waiters_.empty()) {
            auto& r = static_cast<request&>(waiters_.pop_front());
            free_ += r.wanted_ - std::exchange(r.missing_, r.wanted_);
            wakes.wake(r);
        }
    }
    [[nodiscard]] bool is_closed() const noexcept {
        detail::scoped_lock guard(lock_);
        return closed_;
    }

private:
    enum class outcome { granted, refused, closed };

    // A request, which collects permits until it has as many as it wants.
    class request : public detail::leaf_awaiter {
    public:
        request(semaphore& s, std::size_t n, detail::owner& o) noexcept
            : leaf_awaiter(o, detail::wait_kind::semaphore_acquire), semaphore_(&s), wanted_(n), missing_(n) {}
        ~request() {
            if (is_suspended() || granted) semaphore_->cancel(*this);
        }
        bool await_ready() noexcept {
            if (!who->has_budget()) return false;
            if (semaphore_->try_take(wanted_) != outcome::granted) return false;
            who->spend_budget();
            granted = true;
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            switch (semaphore_->take_or_wait(*this)) {
                case outcome::refused: return true;
                case outcome::closed: handle = nullptr; return false;
                case outcome::granted: break;
            }
            if (who->has_budget()) {
                who->spend_budget();
                handle = nullptr;
                return false;
            }
            yield_granted();
            return true;
        }

    protected:
        /// Whether the permits are the caller's now.
        [[nodiscard]] bool take_grant() noexcept { return std::exchange(granted, false); }

        semaphore* semaphore_;
        std::size_t wanted_;

    private:
        friend class semaphore;
        friend struct detail::inspect_access;
        std::size_t missing_;
    };

    template <class Permit, class Keep>
    class operation;

    friend struct detail::inspect_access;
    [[nodiscard]] outcome try_take(std::size_t n) noexcept {
        detail::scoped_lock guard(lock_);
        if (closed_) return outcome::closed;
        if (n == 0) return outcome::granted;
        if (free_ < n || !waiters_.empty()) return outcome::refused;
        free_ -= n;
        return outcome::granted;
    }
    [[nodiscard]] outcome take_or_wait(request& r) noexcept {
        detail::scoped_lock guard(lock_);
        if (closed_) return outcome::closed;
        if (r.wanted_ == 0 || (free_ >= r.wanted_ && waiters_.empty())) {
            free_ -= r.wanted_;
            r.granted = true;
            return outcome::granted;
        }
        r.missing_ -= free_;  // nothing is free while somebody waits
        free_ = 0;
        r.enqueue_in(waiters_);
        return outcome::refused;
    }
    void cancel(request& r) noexcept {
        detail::wake_list wakes;
        detail::scoped_lock guard(lock_);
        if (r.state == detail::wait_node::phase::waiting)
            waiters_.erase(r);
        else if (r.state != detail::wait_node::phase::idle)
            r.who->retract(r);
        r.state = detail::wait_node::phase::idle;
        give(std::exchange(r.granted, false) ? r.wanted_ : r.wanted_ - r.missing_, wakes);
    }
    void release(std::size_t n) noexcept {
        detail::wake_list wakes;
        detail::scoped_lock guard(lock_);
        give(n, wakes);
    }
    /// Hands permits to the oldest requests, and keeps the rest. With the lock held.
    void give(std::size_t n, detail::wake_list& wakes) noexcept {
        while (!waiters_.empty()) [[unlikely]] {
            auto& r = static_cast<request&>(*waiters_.front());
            if (n < r.missing_) {
                r.missing_ -= n;
                return;
            }
            n -= std::exchange(r.missing_, 0);
            r.granted = true;
            wakes.wake(waiters_.pop_front());
        }
        free_ += n;
    }
    [[noreturn]] static void too_many() {
        detail::fail<std::invalid_argument>("weir::semaphore: more than max_permits");
    }

    mutable detail::small_lock lock_;
    bool closed_ = false;
    std::size_t free_;
    detail::wait_list waiters_;
};

/// Some permits of a semaphore, given back on destruction.
/// Thread safety  One thread at a time; it may be destroyed on another one than acquired it.
class [[nodiscard("destroying a permit gives it back at once")]] semaphore::permit {
public:
    permit(permit&& other) noexcept
        : semaphore_(other.semaphore_), count_(std::exchange(other.count_, 0)) {}
    permit& operator=(permit&& other) noexcept {
        permit(std::move(other)).swap(*this);
        return *this;
    }
    ~permit() {
        if (count_ != 0) semaphore_->release(count_);
    }
    void swap(permit& other) noexcept {
        std::swap(semaphore_, other.semaphore_);
        std::swap(count_, other.count_);
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// Keeps the permits from ever coming back: the semaphore shrinks.
    void forget() noexcept { count_ = 0; }
    /// Takes over another permit's share. Errors  Throws std::invalid_argument if it is another
    /// semaphore's.
    void merge(permit&& other) {
        if (semaphore_ != other.semaphore_)
            detail::fail<std::invalid_argument>(
                "weir::semaphore: merge of permits of two semaphores");
        count_ += std::exchange(other.count_, 0);
    }
    /// Splits `n` permits off; nullopt if there are fewer.
    [[nodiscard]] std::optional<permit> split(std::size_t n) noexcept {
        if (n > count_) return std::nullopt;
        count_ -= n;
        return permit(*semaphore_, n);
    }

private:
    friend class semaphore;
    permit(semaphore& s, std::size_t n) noexcept : semaphore_(&s), count_(n) {}

    semaphore* semaphore_;
    std::size_t count_;
};

/// A permit that keeps its semaphore alive. 24 bytes: it has a count to carry besides.
class [[nodiscard("destroying a permit gives it back at once")]] semaphore::owned_permit {
public:
    owned_permit(owned_permit&& other) noexcept
        : semaphore_(std::move(other.semaphore_)), count_(std::exchange(other.count_, 0)) {}
    owned_permit& operator=(owned_permit&& other) noexcept {
        owned_permit(std::move(other)).swap(*this);
        return *this;
    }
    ~owned_permit() {
        if (count_ != 0) semaphore_->release(count_);
    }
    void swap(owned_permit& other) noexcept {
        std::swap(semaphore_, other.semaphore_);
        std::swap(count_, other.count_);
    }

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    void forget() noexcept { count_ = 0; }
    void merge(owned_permit&& other) {
        if (semaphore_ != other.semaphore_)
            detail::fail<std::invalid_argument>(
                "weir::semaphore: merge of permits of two semaphores");
        count_ += std::exchange(other.count_, 0);
    }
    [[nodiscard]] std::optional<owned_permit> split(std::size_t n) {
        if (n > count_) return std::nullopt;
        count_ -= n;
        return owned_permit(semaphore_, n);
    }

private:
    friend class semaphore;
    owned_permit(std::shared_ptr<semaphore> s, std::size_t n) noexcept
        : semaphore_(std::move(s)), count_(n) {}

    std::shared_ptr<semaphore> semaphore_;
    std::size_t count_;
};

template <class Permit, class Keep>
class semaphore::operation : public detail::awaitable_base {
public:
    operation(Keep s, std::size_t n) : keep_(std::move(s)), count_(n) {
        if (n > max_permits) too_many();
    }

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_place;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public request {
    public:
        awaiter(operation& op, detail::owner& o) noexcept
            : request(*op.keep_, op.count_, o), operation_(&op) {}
        expected<Permit, closed> await_resume() {
            if (!take_grant()) return unexpected<closed>(closed{});
            if constexpr (std::is_pointer_v<Keep>)
                return Permit(*operation_->keep_, wanted_);
            else
                return Permit(operation_->keep_, wanted_);
        }

    private:
        operation* operation_;
    };

    Keep keep_;
    std::size_t count_;
};

inline auto semaphore::acquire(std::size_t n) { return operation<permit, semaphore*>(this, n); }

inline auto semaphore::acquire_owned(std::shared_ptr<semaphore> s, std::size_t n) {
    return operation<owned_permit, std::shared_ptr<semaphore>>(std::move(s), n);
}

inline expected<semaphore::permit, try_acquire_error> semaphore::try_acquire(std::size_t n) {
    switch (try_take(n)) {
        case outcome::granted: return permit(*this, n);
        case outcome::closed: return unexpected<try_acquire_error>(try_acquire_error::closed);
        case outcome::refused: break;
    }
    return unexpected<try_acquire_error>(try_acquire_error::no_permits);
}

inline expected<semaphore::owned_permit, try_acquire_error> semaphore::try_acquire_owned(
    std::shared_ptr<semaphore> s, std::size_t n) {
    switch (s->try_take(n)) {
        case outcome::granted: return owned_permit(std::move(s), n);
        case outcome::closed: return unexpected<try_acquire_error>(try_acquire_error::closed);
        case outcome::refused: break;
    }
    return unexpected<try_acquire_error>(try_acquire_error::no_permits);
}

inline expected<semaphore::permit, closed> semaphore::blocking_acquire(std::size_t n) {
    return detail::block_thread_on(
        acquire(n), "semaphore::blocking_acquire on a thread that runs tasks: co_await acquire()");
}

inline expected<semaphore::owned_permit, closed> semaphore::blocking_acquire_owned(
    std::shared_ptr<semaphore> s, std::size_t n) {
    return detail::block_thread_on(
        acquire_owned(std::move(s), n),
        "semaphore::blocking_acquire_owned on a thread that runs tasks: co_await acquire_owned()");
}

WEIR_ABI_END }  // namespace weir
