#pragma once
// What the copies of a cancellation token share: one node in a tree of tokens.
//
// Topology   parent, children and siblings are guarded by one lock for the whole tree, which is the
//            root's. Making, dropping and cancelling a token take it; asking and waiting do not.
// Waiters    each node has its own list and lock; the order is tree lock, then node lock.
// Lifetime   a node goes with its last token and leaves its children to its parent. The root's
//            memory stays, for the lock's sake, until the last node of the tree is gone.
// Cancel     marks the node and everything below it under the tree lock, and takes the tree apart:
//            cancelled nodes have no links. The flag is stored under the node's lock, with a
//            release that `is_cancelled` acquires.

#include <coroutine>
#include <cstddef>
#include <utility>

#include <weir/detail/core/awaitable.hpp>
#include <weir/detail/core/small_lock.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class cancellation_node {
public:
    /// Each comes with one reference.
    [[nodiscard]] static cancellation_node& make_root() { return *new cancellation_node(nullptr); }
    [[nodiscard]] cancellation_node& make_child() {
        auto& child = *new cancellation_node(root_);
        scoped_lock guard(root_->tree_lock_);
        if (is_cancelled())
            child.cancelled_.store(true, sync::memory_order_relaxed);  // nobody else knows it yet
        else
            child.link_under(this);
        return child;
    }
    cancellation_node(const cancellation_node&) = delete;
    cancellation_node& operator=(const cancellation_node&) = delete;

    void add_reference() noexcept { references_.fetch_add(1, sync::memory_order_relaxed); }
    void release() noexcept {
        if (references_.fetch_sub(1, sync::memory_order_acq_rel) != 1) return;
        cancellation_node* const root = root_;
        {
            scoped_lock guard(root->tree_lock_);
            leave_tree();
        }
        if (this != root) delete this;
        if (root->nodes_.fetch_sub(1, sync::memory_order_acq_rel) == 1) delete root;
    }

    [[nodiscard]] bool is_cancelled() const noexcept {
        return cancelled_.load(sync::memory_order_acquire);  // from mark
    }
    /// Complete on return, also where another thread had begun it.
    void cancel() noexcept {
        wake_list wakes;
        scoped_lock guard(root_->tree_lock_);
        if (is_cancelled()) return;
        unlink();
        next_ = nullptr;
        for (cancellation_node* todo = this; todo != nullptr;) {
            cancellation_node& n = *todo;
            todo = std::exchange(n.next_, nullptr);
            n.mark(wakes);
            while (cancellation_node* const child = n.first_child_) {
                child->unlink();
                child->next_ = std::exchange(todo, child);
            }
        }
    }

    /// Waits until the node is cancelled.
    class waiter : public leaf_awaiter {
    public:
        waiter(cancellation_node& n, owner& o) noexcept : leaf_awaiter(o, wait_kind::token_cancelled), node_(&n) {}
        ~waiter() {
            if (is_suspended()) node_->remove(*this);
        }
        bool await_ready() noexcept {
            if (!who->has_budget() || !node_->is_cancelled()) return false;
            who->spend_budget();
            return true;
        }
        WEIR_AWAIT_SUSPEND bool await_suspend(std::coroutine_handle<> h) noexcept {
            handle = h;
            if (node_->add(*this)) return true;
            if (who->has_budget()) {
                who->spend_budget();
                handle = nullptr;
                return false;
            }
            yield_granted();
            return true;
        }
        void await_resume() const noexcept {}

    private:
        friend class cancellation_node;
        cancellation_node* node_;
    };

private:
    explicit cancellation_node(cancellation_node* root) noexcept : root_(root ? root : this) {
        root_->nodes_.fetch_add(1, sync::memory_order_relaxed);
    }
    ~cancellation_node() = default;

    // -- under the tree's lock -------------------------------------------------------------------

    void link_under(cancellation_node* parent) noexcept {
        parent_ = parent;
        prev_ = nullptr;
        next_ = parent->first_child_;
        if (next_ != nullptr) next_->prev_ = this;
        parent->first_child_ = this;
    }
    void unlink() noexcept {
        if (parent_ == nullptr) return;
        (prev_ ? prev_->next_ : parent_->first_child_) = next_;
        if (next_ != nullptr) next_->prev_ = prev_;
        parent_ = prev_ = next_ = nullptr;
    }
    void leave_tree() noexcept {
        cancellation_node* const parent = parent_;
        unlink();
        while (cancellation_node* const child = first_child_) {
            child->unlink();
            if (parent != nullptr) child->link_under(parent);
        }
    }
    void mark(wake_list& wakes) noexcept {
        scoped_lock guard(lock_);
        cancelled_.store(true, sync::memory_order_release);  // to is_cancelled
        while (!waiters_.empty()) wakes.wake(waiters_.pop_front());
    }

    // -- takes the node's lock -------------------------------------------------------------------

    [[nodiscard]] bool add(waiter& w) noexcept {
        scoped_lock guard(lock_);
        if (is_cancelled()) return false;
        w.enqueue_in(waiters_);
        return true;
    }
    void remove(waiter& w) noexcept {
        scoped_lock guard(lock_);
        if (w.state == wait_node::phase::waiting)
            waiters_.erase(w);
        else if (w.state != wait_node::phase::idle)
            w.who->retract(w);
        w.state = wait_node::phase::idle;
    }

    sync::atomic<bool> cancelled_{false};
    small_lock lock_;
    small_lock tree_lock_;  // the root's is in use
    sync::atomic<std::size_t> references_{1};
    sync::atomic<std::size_t> nodes_{0};  // the root's is in use: how many are left in the tree
    wait_list waiters_;
    cancellation_node* root_;
    cancellation_node* parent_ = nullptr;
    cancellation_node* first_child_ = nullptr;
    cancellation_node* prev_ = nullptr;
    cancellation_node* next_ = nullptr;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
