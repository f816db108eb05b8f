#pragma once
// What waits, and the list it waits in.

#include <coroutine>
#include <cstdint>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class owner;

/// One waiting operation. It lives in the awaiter, in the coroutine's frame, so that waiting
/// allocates nothing. It carries a right, never a value: what was granted is taken on resumption.
///
///   state     who may touch the links                      leaves by
///   idle      nobody                                       the awaiter: lock, link, `waiting`
///   waiting   who holds the primitive's lock               a waker: lock, unlink, post
///   posted    the mailbox; drained on the owner's turn     the owner's turn
///   taken     the owner's turn                             resumption, or retract
///
/// What is taken while others of its owner are resumed gets the other name for it, by which the
/// owner knows that it belongs to the next turn.
struct wait_node {
    enum class phase : std::uint8_t { idle, waiting, posted, taken, taken_too };
    static phase other(phase p) noexcept {
        return p == phase::taken ? phase::taken_too : phase::taken;
    }

    explicit wait_node(owner& o) noexcept : who(&o) {}
    wait_node(const wait_node&) = delete;
    wait_node& operator=(const wait_node&) = delete;

    /// Whether a wait has begun and was not resumed. Unlike `state`, which a waker may be changing,
    /// the owner's turn may ask this without the primitive's lock.
    [[nodiscard]] bool is_suspended() const noexcept { return handle != nullptr; }

    wait_node* next;  // meaningful while in a list
    wait_node* prev;
    owner* who;
    std::coroutine_handle<> handle;  // resumed on the owner's turn; null before and after the wait
    phase state = phase::idle;  // under the primitive's lock while it waits
    bool granted = false;      // the primitive's own: whether the wake brought a right to pass on
    std::uint16_t unused = 0;  // so that one store clears all of these
    std::uint32_t amount = 0;  // the primitive's own: permits still wanted, for one
};

/// First in, first out. A list is used under its primitive's lock, or on one owner's turn.
class wait_list {
public:
    wait_list() = default;
    wait_list(const wait_list&) = delete;
    wait_list& operator=(const wait_list&) = delete;

    [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
    [[nodiscard]] wait_node* front() const noexcept { return head_; }
    [[nodiscard]] wait_node* back() const noexcept { return tail_; }

    void push_back(wait_node& n) noexcept {
        n.next = nullptr;
        n.prev = tail_;
        (tail_ ? tail_->next : head_) = &n;
        tail_ = &n;
    }
    void erase(wait_node& n) noexcept {
        (n.prev ? n.prev->next : head_) = n.next;
        (n.next ? n.next->prev : tail_) = n.prev;
    }
    wait_node& pop_front() noexcept {
        wait_node& n = *head_;
        erase(n);
        return n;
    }
    void splice_back(wait_list& other) noexcept {
        if (other.empty()) return;
        other.head_->prev = tail_;
        (tail_ ? tail_->next : head_) = other.head_;
        tail_ = other.tail_;
        other.head_ = other.tail_ = nullptr;
    }

private:
    wait_node* head_ = nullptr;
    wait_node* tail_ = nullptr;
};

/// The same in one word, as a ring that knows its last node: for lists that are short and of which
/// there is one in every task.
class wait_ring {
public:
    wait_ring() = default;
    wait_ring(const wait_ring&) = delete;
    wait_ring& operator=(const wait_ring&) = delete;

    [[nodiscard]] bool empty() const noexcept { return last_ == nullptr; }
    [[nodiscard]] wait_node* front() const noexcept { return last_->next; }

    void push_back(wait_node& n) noexcept {
        if (last_ == nullptr) [[likely]] {
            n.next = n.prev = &n;
        } else {
            n.next = last_->next;
            n.prev = last_;
            n.next->prev = n.prev->next = &n;
        }
        last_ = &n;
    }
    void erase(wait_node& n) noexcept {
        if (n.next == &n) [[likely]] {
            last_ = nullptr;
            return;
        }
        n.prev->next = n.next;
        n.next->prev = n.prev;
        if (last_ == &n) last_ = n.prev;
    }
    wait_node& pop_front() noexcept {
        wait_node& n = *front();
        erase(n);
        return n;
    }
    /// The only node of a list of one; null: there is none, or there are more.
    [[nodiscard]] wait_node* pop_only() noexcept {
        wait_node* const n = last_;
        if (n == nullptr || n->next != n) return nullptr;
        last_ = nullptr;
        return n;
    }
    void push_front(wait_node& n) noexcept {
        push_back(n);
        last_ = n.prev;
    }
    /// The first becomes the last.
    void rotate() noexcept {
        if (last_ != nullptr) last_ = last_->next;
    }

private:
    wait_node* last_ = nullptr;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
