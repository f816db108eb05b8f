#pragma once
// What makes a coroutine frame a spawned task.
//
// Every frame of a weir::task is allocated with room for a header in front of it, so that a spawn
// allocates nothing more; `spawn` constructs the header in that room. When the task ends, its frame
// is destroyed first, then the result is kept where the frame was: whoever sees a task finished
// also sees its arguments destroyed. The block is freed with the last reference.

#include <cstddef>
#include <cstdint>
#include <new>
#include <source_location>
#include <utility>

#include <weir/detail/core/frame_pool.hpp>
#include <weir/detail/core/owner.hpp>
#include <weir/detail/core/small_lock.hpp>

namespace weir { WEIR_ABI_BEGIN

/// Identifies a task among all that have been spawned by this process.
enum class task_id : std::uint64_t {};

namespace detail {

class task_header;

/// What depends on the result type. Each function runs on the task's turn, or after its end.
struct task_type {
    void (*finish)(task_header&, bool keep_result) noexcept;  // the root has ended or is to be dropped
    void (*destroy_result)(task_header&) noexcept;
};

class task_header final : public owner {
public:
    enum class outcome : std::uint8_t { none, value, exception, cancelled };

    // -- where it lives --------------------------------------------------------------------------

    // A block is: the header's room, a word that says whether it is in use, the frame.
    static void* allocate_frame(std::size_t size) {
        auto* const block = static_cast<std::byte*>(frame_pool::allocate(prefix() + size));
        ::new (block + prefix() - sizeof(mark)) mark{0};
        return block + prefix();
    }
    static void free_frame(void* frame, std::size_t size) noexcept {
        auto* const block = static_cast<std::byte*>(frame) - prefix();
        if (*std::launder(reinterpret_cast<mark*>(block + prefix() - sizeof(mark))) == 0)
            frame_pool::deallocate(block, prefix() + size);
        else  // the block stays for the result; release() frees it
            std::launder(reinterpret_cast<task_header*>(block))->frame_size_ =
                static_cast<std::uint32_t>(size);
    }

    /// Makes the frame at `root` a task of `home`, referenced by the runtime and by one handle.
    static task_header& construct(std::coroutine_handle<> root, const task_type& type,
                                  scheduler& home, bool parked, task_id id,
                                  std::source_location site) noexcept {
        auto* const block = static_cast<std::byte*>(root.address()) - prefix();
        ::new (block + prefix() - sizeof(mark)) mark{1};
        auto* const t = ::new (block) task_header(home, parked, type, id, site);
        t->transfer(root);
        return *t;
    }
    [[nodiscard]] void* frame() noexcept { return reinterpret_cast<std::byte*>(this) + prefix(); }

    void add_reference() noexcept { references_.fetch_add(1, sync::memory_order_relaxed); }
    void release() noexcept {
        if (references_.load(sync::memory_order_acquire) == 1 ||  // from the others' release
            references_.fetch_sub(1, sync::memory_order_acq_rel) == 1) {
            type_->destroy_result(*this);
            frame_pool::deallocate(this, prefix() + frame_size_);
        }
    }
    /// Whether a join or abort handle exists besides the runtime.
    [[nodiscard]] bool is_referenced() const noexcept {
        return references_.load(sync::memory_order_acquire) > 1;  // from the handle's release
    }

    // -- the owner's turn ------------------------------------------------------------------------

    void set_root_finished() noexcept { root_finished_ = true; }
    [[nodiscard]] bool root_finished() const noexcept { return root_finished_; }

    /// Whether the frame is gone already, so that its place may hold a result.
    [[nodiscard]] bool root_destroyed() const noexcept { return frame_size_ != 0; }

    /// One turn: starts the root or resumes what was woken. True: the task has ended.
    bool run_turn(std::uint32_t budget = budget_per_turn) {
        begin_turn(budget);
        if (!abort_requested()) [[likely]] {
            if (auto const root = take_transfer())
                drive(root);  // what it wakes meanwhile belongs to the next turn
            else
                resume_taken([this] { return root_finished_; });
        }
        return root_finished_ || abort_requested();
    }

    /// Destroys the frame, keeps the result and wakes who joins. True: somebody has claimed the
    /// task in order to schedule it, so that it must be kept until it arrives.
    [[nodiscard]] bool finish(wake_list& wakes) noexcept {
        type_->finish(*this, is_referenced());
        scoped_lock guard(lock_);
        done_.store(true, sync::memory_order_release);  // to is_done
        if (joiner_ != nullptr) wakes.wake(*std::exchange(joiner_, nullptr));
        return claimed();
    }
    void set_outcome(outcome o) noexcept { outcome_ = o; }

    // -- who joins or aborts, on any thread ------------------------------------------------------

    [[nodiscard]] bool is_done() const noexcept {
        return done_.load(sync::memory_order_acquire);  // from finish
    }
    [[nodiscard]] outcome result() const noexcept { return outcome_; }
    [[nodiscard]] task_id id() const noexcept { return id_; }
    [[nodiscard]] const std::source_location& site() const noexcept { return site_; }

    void abort() noexcept {
        scoped_lock guard(lock_);
        if (is_done()) return;
        const bool claimed_now = post_abort();
        guard.unlock();
        if (claimed_now) home().schedule(*this);
    }

    /// Registers who waits for the end. False: the task has already ended.
    [[nodiscard]] WEIR_NOINLINE bool add_joiner(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (is_done()) return false;
        n.state = wait_node::phase::waiting;
        joiner_ = &n;
        return true;
    }
    void remove_joiner(wait_node& n) noexcept {
        scoped_lock guard(lock_);
        if (n.state == wait_node::phase::waiting)
            joiner_ = nullptr;
        else if (n.state != wait_node::phase::idle)
            n.who->retract(n);
    }

    // Links of the runtime's list of live tasks; its thread or lock only.
    task_header* live_prev = nullptr;
    task_header* live_next = nullptr;

private:
    using mark = std::uintptr_t;

    static constexpr std::size_t prefix() noexcept {
        constexpr std::size_t unit = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
        return (sizeof(task_header) + sizeof(mark) + unit - 1) / unit * unit;
    }

    task_header(scheduler& home, bool parked, const task_type& type, task_id id,
                std::source_location site) noexcept
        : owner(home, parked), type_(&type), id_(id), site_(site) {}

    const task_type* type_;
    wait_node* joiner_ = nullptr;
    task_id id_;
    std::source_location site_;
    sync::atomic<std::uint32_t> references_{2};
    std::uint32_t frame_size_ = 0;
    sync::atomic<bool> done_{false};
    small_lock lock_;
    outcome outcome_ = outcome::none;
    bool root_finished_ = false;

public:
    bool adopted = false;  // the runtime's: whether it is, or was, in the list of live tasks
    bool named = false;    // the runtime's: whether it keeps a name for the task
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
