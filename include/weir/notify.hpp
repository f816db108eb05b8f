#pragma once
// notify: wakes tasks, without a value.
//
// A `notified` is registered with its notify when it is made, not when it is awaited. So the
// pattern "make it, check the condition, then await it" cannot miss a notification in between. A
// notified that was chosen by notify_one and is destroyed unawaited passes the notification on.

#include <coroutine>
#include <cstdint>
#include <memory>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/small_lock.hpp>
#include <weir/detail/core/standalone.hpp>

namespace weir { WEIR_ABI_BEGIN

class notified;
class owned_notified;

/// Tells other tasks that something has happened.
///
///     weir::notify changed;
///     changed.notify_one();                 // wakes the oldest notified, or is remembered, once
///     co_await changed.notified();
///
/// Lifetime       Must outlive every `notified` made from it.
/// Thread safety  Any thread.
class notify {
public:
    notify() = default;
    notify(const notify&) = delete;
    notify& operator=(const notify&) = delete;

    /// Wakes the oldest notified. Without any, one notification is kept for the next one.
    void notify_one() noexcept { notify_single(order::oldest); }
    /// As notify_one, for the newest.
    void notify_last() noexcept { notify_single(order::newest); }
    /// Wakes every notified that exists now, all at once, and keeps nothing for later ones.
    void notify_waiters() noexcept;

    /// Registers for a notification; `co_await` it. See class notified.
    [[nodiscard("co_await it")]] weir::notified notified() noexcept;
    /// As notified; it keeps the notify alive.
    [[nodiscard("co_await it")]] static owned_notified notified_owned(
        std::shared_ptr<notify> n) noexcept;

private:
    friend class weir::notified;
    enum class order : std::uint8_t { oldest, newest };

    void notify_single(order) noexcept;
    void notify_locked(order, detail::wake_list&) noexcept;
    static void fire(weir::notified&, detail::wake_list&) noexcept;

    detail::small_lock lock_;
    bool stored_ = false;
    weir::notified* oldest_ = nullptr;
    weir::notified* newest_ = nullptr;
};

/// One registration with a notify. It completes once and stays complete.
/// Cancel safety  Awaited as an lvalue it keeps its place and its notification in a lost `select`;
///                destroyed, it loses its place and passes on what notify_one gave it.
/// Thread safety  One thread at a time; independent of its notify.
class [[nodiscard("it is registered until it is destroyed: co_await it")]] notified
    : public detail::awaitable_base {
public:
    notified(notified&& other) noexcept : notify_(other.notify_) {
        if (notify_ == nullptr) return;
        detail::scoped_lock guard(notify_->lock_);
        other.notify_ = nullptr;  // whoever notified it has read that under the lock
        fired_ = std::exchange(other.fired_, by::consumed);
        if (fired_ != by::nobody) return;
        older_ = other.older_;
        newer_ = other.newer_;
        (older_ ? older_->newer_ : notify_->oldest_) = this;
        (newer_ ? newer_->older_ : notify_->newest_) = this;
    }
    notified& operator=(notified&&) = delete;
    ~notified() {
        if (notify_ == nullptr) return;
        detail::wake_list wakes;
        detail::scoped_lock guard(notify_->lock_);
        if (fired_ == by::nobody)
            unlink();
        else if (fired_ == by::one_oldest)
            notify_->notify_locked(notify::order::oldest, wakes);
        else if (fired_ == by::one_newest)
            notify_->notify_locked(notify::order::newest, wakes);
    }

    /// Whether a notification has arrived.
    [[nodiscard]] bool is_notified() const noexcept {
        detail::scoped_lock guard(notify_->lock_);
        return fired_ != by::nobody;
    }

private:
    friend class notify;
    friend class owned_notified;
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_place;
    static constexpr bool awaitable_as_lvalue = true;

    enum class by : std::uint8_t { nobody, one_oldest, one_newest, all, consumed };

    explicit notified(notify& n) noexcept : notify_(&n) {
        detail::scoped_lock guard(n.lock_);
        if (std::exchange(n.stored_, false)) {
            fired_ = by::one_oldest;
            return;
        }
        older_ = n.newest_;
        (older_ ? older_->newer_ : n.oldest_) = this;
        n.newest_ = this;
    }

    void unlink() noexcept {  // with the lock held
        (older_ ? older_->newer_ : notify_->oldest_) = newer_;
        (newer_ ? newer_->older_ : notify_->newest_) = older_;
    }

    class awaiter : public detail::leaf_awaiter {
    public:
        awaiter(notified& n, detail::owner& o) : leaf_awaiter(o, detail::wait_kind::notified), notified_(&n) {
            if (n.notify_ == nullptr)
                detail::fail<already_consumed_error>(
                    "this weir::notified was moved from: await where it was moved to");
        }
        ~awaiter() {
            if (!is_suspended()) return;
            detail::scoped_lock guard(notified_->notify_->lock_);
            if (state == phase::waiting)
                notified_->waiter_ = nullptr;
            else if (state != phase::idle)
                who->retract(*this);
        }
        bool await_ready() noexcept {
            if (!who->has_budget() || !notified_->is_notified()) return false;
            who->spend_budget();
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            {
                detail::scoped_lock guard(notified_->notify_->lock_);
                if (notified_->fired_ == by::nobody) {
                    state = phase::waiting;
                    notified_->waiter_ = this;
                    return true;
                }
            }
            if (who->has_budget()) {
                who->spend_budget();
                handle = nullptr;
                return false;
            }
            yield_granted();
            return true;
        }
        void await_resume() noexcept {
            detail::scoped_lock guard(notified_->notify_->lock_);
            notified_->fired_ = by::consumed;
        }

    private:
        notified* notified_;
    };

    notify* notify_;             // its own thread changes it, under the lock
    notified* older_ = nullptr;  // links in the notify, while nobody has fired it
    notified* newer_ = nullptr;
    detail::wait_node* waiter_ = nullptr;
    by fired_ = by::nobody;
};

/// A registration that keeps its notify alive, so that it can move into a task.
/// Cancel safety, Thread safety  As notified.
class [[nodiscard("it is registered until it is destroyed: co_await it")]] owned_notified
    : public detail::awaitable_base {
public:
    owned_notified(owned_notified&&) noexcept = default;
    owned_notified& operator=(owned_notified&&) = delete;

    [[nodiscard]] bool is_notified() const noexcept { return registration_.is_notified(); }

private:
    friend class notify;
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_place;
    static constexpr bool awaitable_as_lvalue = true;

    explicit owned_notified(std::shared_ptr<notify> n) noexcept
        : keep_(std::move(n)), registration_(keep_->notified()) {}

    class awaiter : public notified::awaiter {
    public:
        awaiter(owned_notified& n, detail::owner& o) : notified::awaiter(n.registration_, o) {}
    };

    std::shared_ptr<notify> keep_;
    notified registration_;
};

inline notified notify::notified() noexcept { return weir::notified(*this); }

inline owned_notified notify::notified_owned(std::shared_ptr<notify> n) noexcept {
    return owned_notified(std::move(n));
}

inline void notify::notify_single(order o) noexcept {
    detail::wake_list wakes;
    detail::scoped_lock guard(lock_);
    notify_locked(o, wakes);
}

inline void notify::notify_locked(order o, detail::wake_list& wakes) noexcept {
    weir::notified* const n = o == order::oldest ? oldest_ : newest_;
    if (n == nullptr) {
        stored_ = true;
        return;
    }
    n->unlink();
    using by = weir::notified::by;
    n->fired_ = o == order::oldest ? by::one_oldest : by::one_newest;
    fire(*n, wakes);
}

inline void notify::notify_waiters() noexcept {
    detail::wake_list wakes;
    detail::scoped_lock guard(lock_);
    weir::notified* n = std::exchange(oldest_, nullptr);
    newest_ = nullptr;
    while (n != nullptr) {
        weir::notified* const next = n->newer_;
        n->fired_ = weir::notified::by::all;
        fire(*n, wakes);
        n = next;
    }
}

inline void notify::fire(weir::notified& n, detail::wake_list& wakes) noexcept {
    if (n.waiter_ != nullptr) wakes.wake(*std::exchange(n.waiter_, nullptr));
}

WEIR_ABI_END }  // namespace weir
