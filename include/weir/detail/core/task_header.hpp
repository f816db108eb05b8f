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
#include <weir/detail/core/single_threaded.hpp>
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

/// What is needed at the beginning and at the end of a task, in front of what each turn touches: the
/// owner, which the frame follows.
struct task_record {
    using mark = std::uint32_t;

    task_record(const task_type& kind, task_id number, std::source_location where) noexcept
        : type(&kind), id(number), site(where) {}

    mark in_use = 1;  // first, and also there in a block whose frame is no task's
    std::uint32_t frame_size = 0;
    const task_type* type;
    wait_node* joiner = nullptr;
    task_id id;
    std::source_location site;
    sync::atomic<std::uint32_t> references{2};
    small_lock lock;
    sync::atomic<bool> done{false};
    enum class outcome : std::uint8_t { none, value, exception, cancelled } ended_with = outcome::none;
    std::uint8_t notes = 0;  // the runtime's: in one byte that is set together with the others

    // Links of the runtime's list of live tasks; its thread or lock only.
    task_header* live_prev = nullptr;
    task_header* live_next = nullptr;
};

class task_header final : private task_record, public owner {
public:
    using task_record::outcome;

    // -- where it lives --------------------------------------------------------------------------

    // A block is: the header's room, whose first word says whether it is in use; the frame.
    static void* allocate_frame(std::size_t size) {
        auto* const block = static_cast<std::byte*>(frame_pool::allocate(prefix() + size));
        ::new (block) mark{0};
        return block + prefix();
    }
    static void free_frame(void* frame, std::size_t size) noexcept {
        auto* const block = static_cast<std::byte*>(frame) - prefix();
        if (*std::launder(reinterpret_cast<mark*>(block)) == 0)
            frame_pool::deallocate(block, prefix() + size);
        else  // the block stays for the result; release() frees it
            std::launder(reinterpret_cast<task_header*>(block))->frame_size =
                static_cast<std::uint32_t>(size);
    }

    /// Makes the frame at `root` a task of `home`, referenced by the runtime and by one handle.
    static task_header& construct(std::coroutine_handle<> root, const task_type& type,
                                  scheduler& home, bool parked, task_id id,
                                  std::source_location site) noexcept {
        auto* const block = static_cast<std::byte*>(root.address()) - prefix();
        auto* const t = ::new (block) task_header(home, parked, type, id, site);
        t->transfer(root);
        return *t;
    }
    [[nodiscard]] void* frame() noexcept { return reinterpret_cast<std::byte*>(this) + prefix(); }

    void add_reference() noexcept { references.fetch_add(1, sync::memory_order_relaxed); }
    void release() noexcept {
        const std::uint32_t seen = references.load(sync::memory_order_acquire);  // from the others' release
        if ((seen & ~detached) == 1) return destroy();
        if (is_single_threaded())
            references.store(seen - 1, sync::memory_order_relaxed);
        else if ((references.fetch_sub(1, sync::memory_order_acq_rel) & ~detached) == 1)
            destroy();
    }
    /// The same for who could have asked for the result, and has not: if it is an exception, the
    /// last reference reports it.
    void detach() noexcept {
        if ((references.load(sync::memory_order_acquire) & ~detached) == 1) {  // from the others' release
            references.store(detached | 1, sync::memory_order_relaxed);
            return destroy();
        }
        if ((references.fetch_add(detached - 1, sync::memory_order_acq_rel) & ~detached) == 1)
            destroy();
    }
    [[nodiscard]] bool is_detached() const noexcept {
        return (references.load(sync::memory_order_relaxed) & detached) != 0;
    }
    /// Whether a join or abort handle exists besides the runtime.
    [[nodiscard]] bool is_referenced() const noexcept {
        return (references.load(sync::memory_order_acquire) & ~detached) > 1;  // from the handle's release
    }

    // -- the owner's turn ------------------------------------------------------------------------

    /// Whether the frame is gone already, so that its place may hold a result.
    [[nodiscard]] bool root_destroyed() const noexcept { return frame_size != 0; }

    /// One turn: starts the root or resumes what was woken. True: the task has ended.
    bool run_turn(std::uint32_t budget = budget_per_turn) {
        begin_turn(budget);
        if (is_ending()) [[unlikely]]
            return true;
        if (has_taken()) [[likely]]
            resume_taken([this] { return root_finished(); });
        else if (auto const root = take_transfer())
            drive(root);
        return is_ending();
    }

    /// Destroys the frame, keeps the result and wakes who joins. True: somebody has claimed the
    /// task in order to schedule it, so that it must be kept until it arrives.
    [[nodiscard]] bool finish(wake_list& wakes) noexcept {
        type->finish(*this, is_referenced());
        set_ended();
        scoped_lock guard(lock);
        done.store(true, sync::memory_order_release);  // to is_done
        if (joiner != nullptr) wakes.wake(*std::exchange(joiner, nullptr));
        return claimed();
    }
    void set_outcome(outcome o) noexcept { ended_with = o; }

    // -- who joins or aborts, on any thread ------------------------------------------------------

    [[nodiscard]] bool is_done() const noexcept {
        return done.load(sync::memory_order_acquire);  // from finish
    }
    [[nodiscard]] outcome result() const noexcept { return ended_with; }
    [[nodiscard]] task_id id() const noexcept { return task_record::id; }
    [[nodiscard]] const std::source_location& site() const noexcept { return task_record::site; }

    void abort() noexcept {
        scoped_lock guard(lock);
        if (is_done()) return;
        const bool claimed_now = post_abort();
        guard.unlock();
        if (claimed_now) home().schedule(*this);
    }

    /// Registers who waits for the end. False: the task has already ended.
    [[nodiscard]] WEIR_NOINLINE bool add_joiner(wait_node& n) noexcept {
        scoped_lock guard(lock);
        if (is_done()) return false;
        n.state = wait_node::phase::waiting;
        joiner = &n;
        return true;
    }
    void remove_joiner(wait_node& n) noexcept {
        scoped_lock guard(lock);
        if (n.state == wait_node::phase::waiting) {
            if (joiner == &n) joiner = nullptr;  // else another wait has taken it over
        } else if (n.state != wait_node::phase::idle) {
            n.who->retract(n);
        }
    }

    // -- the runtime's notes, under its lock or on its thread --------------------------------------

    /// Whether it is, or was, in the list of live tasks.
    [[nodiscard]] bool is_adopted() const noexcept { return (notes & adopted) != 0; }
    void set_adopted() noexcept { notes |= adopted; }
    /// Whether a name is kept for it.
    [[nodiscard]] bool is_named() const noexcept { return (notes & named) != 0; }
    void set_named() noexcept { notes |= named; }

    using task_record::live_next;
    using task_record::live_prev;

private:
    static constexpr std::uint32_t detached = std::uint32_t{1} << 31;  // of `references`
    static constexpr std::uint8_t adopted = 1, named = 2;              // of `notes`

    void destroy() noexcept {
        type->destroy_result(*this);
        frame_pool::deallocate(this, prefix() + frame_size);
    }
    static constexpr std::size_t prefix() noexcept {
        constexpr std::size_t unit = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
        return (sizeof(task_header) + unit - 1) / unit * unit;
    }

    task_header(scheduler& home, bool parked, const task_type& kind, task_id number,
                std::source_location where) noexcept
        : task_record(kind, number, where), owner(home, parked) {}
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
