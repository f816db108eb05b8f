#pragma once
// The branches of a task_group, and who waits for them. Everything here is on the owner's turn.
//
// A branch runs as soon as it has a slot. When it ends it goes at once: one that ended well leaves
// a count, one that threw leaves its exception. Whoever waits is posted to the owner like any
// other wait, so that it goes on from the top of a turn, when no branch is on the stack: only
// there may `join` destroy branches.

#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

#include <weir/detail/concurrency/branch.hpp>
#include <weir/detail/core/frame_pool.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/runtime/runtime_core.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class group_branches {
public:
    /// A branch of whatever type, in one node.
    class member : private branch_parent {
    public:
        virtual ~member() = default;
        /// True: it has ended without waiting. False: it waits, or has ended and is gone.
        virtual bool start(owner& o) = 0;
        /// Throws what it has thrown.
        virtual void take() = 0;
        /// Destroys what it ran.
        virtual void drop() noexcept = 0;

        static void* operator new(std::size_t size) { return frame_pool::allocate(size); }
        static void operator delete(void* p, std::size_t size) noexcept {
            frame_pool::deallocate(p, size);
        }

    protected:
        explicit member(group_branches& g) noexcept : group_(&g) {}
        branch_parent& parent() noexcept { return *this; }

    private:
        friend class group_branches;
        void completed(std::size_t) noexcept override { group_->ended(*this); }

        group_branches* group_;
        member* older_ = nullptr;
        member* newer_ = nullptr;
        std::exception_ptr failure_;
    };
    using member_ptr = std::unique_ptr<member>;

    template <class A>
    class member_of final : public member {
    public:
        member_of(group_branches& g, A&& a)
            : member(g), operand_(std::forward<A>(a)), branch_({operand_, this->parent(), 0}) {}
        bool start(owner& o) override { return branch_.start(o); }
        void take() override { branch_.take(); }
        void drop() noexcept override { branch_.drop(); }

    private:
        branch_operand<A> operand_;
        branch<A> branch_;
    };

    explicit group_branches(std::size_t max_concurrency) : max_(max_concurrency) {
        if (max_ == 0)
            fail<std::invalid_argument>(
                "weir::task_group: with max_concurrency 0 no branch could ever run");
    }
    group_branches(const group_branches&) = delete;
    group_branches& operator=(const group_branches&) = delete;
    ~group_branches() {
        destroy_all();
        while (failed_ != nullptr)  // nobody is left whom it could be thrown at
            owner_->home().runtime()->report_unhandled(
                static_cast<task_header&>(*execution::here()->current), take_failure());
    }

    /// How many branches run, with those that have been promised a slot.
    [[nodiscard]] std::size_t size() const noexcept { return slots_used_; }

    class slot_awaiter;
    class end_awaiter;

private:
    /// The group belongs to the task that uses it first: its branches wait as that task.
    void belong_to(owner& o) {
        if (owner_ == &o) return;
        if (owner_ != nullptr)
            fail<std::logic_error>(
                "weir::task_group: used by another task than its owner, or inside of a task_local "
                "scope or unconstrained() that it was made outside of: make the group there");
        if (o.home().runtime() == nullptr)
            fail<no_runtime_error>(
                "weir::task_group: a group belongs to the weir::task that it is a local of");
        owner_ = &o;
    }

    void start(member_ptr fresh) {
        member& m = *fresh;
        m.older_ = newest_;
        (newest_ ? newest_->newer_ : oldest_) = &m;
        newest_ = &m;
        bool ended_at_once = false;
        WEIR_TRY {
            ended_at_once = m.start(*owner_);
        }
        WEIR_CATCH_ALL {
            unlink(m);
            give_slot_back();
            WEIR_RETHROW;
        }
        static_cast<void>(fresh.release());  // it belongs to the list, or is gone already
        if (ended_at_once) ended(m);
    }

    void ended(member& m) noexcept {
        WEIR_TRY {
            m.take();
        }
        WEIR_CATCH_ALL {
            m.failure_ = std::current_exception();
        }
        unlink(m);
        if (m.failure_) {
            m.drop();
            m.newer_ = nullptr;
            (last_failed_ ? last_failed_->newer_ : failed_) = &m;
            last_failed_ = &m;
        } else {
            delete &m;
            ++ended_well_;
        }
        give_slot_back();
    }

    void unlink(member& m) noexcept {
        (m.older_ ? m.older_->newer_ : oldest_) = m.newer_;
        (m.newer_ ? m.newer_->older_ : newest_) = m.older_;
    }

    /// The newest first, like the locals of a function.
    void destroy_all() noexcept {
        while (newest_ != nullptr) {
            member_ptr const m(newest_);
            unlink(*m);
            m->drop();
            give_slot_back();
        }
    }

    [[nodiscard]] bool has_slot() const noexcept { return slots_used_ < max_; }
    void give_slot_back() noexcept;

    [[nodiscard]] std::exception_ptr take_failure() noexcept {
        member_ptr const first(failed_);
        failed_ = first->newer_;
        if (failed_ == nullptr) last_failed_ = nullptr;
        return std::move(first->failure_);
    }

    static void wake(wait_node& n) noexcept {
        if (owner* const o = owner::post(n)) o->home().schedule(*o);
    }

    owner* owner_ = nullptr;
    std::size_t max_;
    std::size_t slots_used_ = 0;
    member* oldest_ = nullptr;
    member* newest_ = nullptr;
    std::size_t ended_well_ = 0;
    member* failed_ = nullptr;  // through newer_, in the order of their ending
    member* last_failed_ = nullptr;
    wait_list spawning_;
    end_awaiter* joiner_ = nullptr;
};

/// Waits for a slot, and starts a branch in it.
class group_branches::slot_awaiter : public leaf_awaiter {
public:
    slot_awaiter(group_branches& g, member_ptr m, owner& o)
        : leaf_awaiter(o), group_(&g), member_(std::move(m)) {
        if (!member_)
            fail<already_consumed_error>("weir::task_group: one spawn was awaited twice");
        g.belong_to(o);
    }
    ~slot_awaiter() {
        if (state == phase::waiting)
            group_->spawning_.erase(*this);
        else if (state != phase::idle)
            who->retract(*this);
        if (has_slot_) group_->give_slot_back();
    }

    bool await_ready() noexcept {
        if (!who->has_budget() || !take_slot()) return false;
        who->spend_budget();
        return true;
    }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
        handle = h;
        if (take_slot())
            yield_granted();
        else
            enqueue_in(group_->spawning_);
        return true;
    }
    void await_resume() {
        if (group_->failed_ != nullptr) std::rethrow_exception(group_->take_failure());
        has_slot_ = false;
        group_->start(std::move(member_));
    }

private:
    friend class group_branches;

    [[nodiscard]] bool take_slot() noexcept {
        if (!has_slot_ && group_->has_slot()) {
            has_slot_ = true;
            ++group_->slots_used_;
        }
        return has_slot_;
    }

    group_branches* group_;
    member_ptr member_;
    bool has_slot_ = false;
};

/// Waits until branches have ended: the next one, or all of them.
class group_branches::end_awaiter : public leaf_awaiter {
public:
    end_awaiter(group_branches& g, owner& o, bool all) : leaf_awaiter(o), group_(&g), all_(all) {
        g.belong_to(o);
        if (g.joiner_ != nullptr)
            fail<std::logic_error>(
                "weir::task_group: join or join_next while another one waits: a group is joined by "
                "its owner alone");
        g.joiner_ = this;
    }
    ~end_awaiter() {
        group_->joiner_ = nullptr;
        if (state > phase::waiting) who->retract(*this);
    }

    bool await_ready() noexcept {
        if (!who->has_budget() || !is_over()) return false;
        who->spend_budget();
        return true;
    }
    bool await_suspend(std::coroutine_handle<> h) noexcept {
        handle = h;
        if (is_over())
            yield_granted();
        else
            state = phase::waiting;
        return true;
    }

protected:
    [[nodiscard]] bool take_next() {
        if (group_->failed_ != nullptr) std::rethrow_exception(group_->take_failure());
        if (group_->ended_well_ == 0) return false;
        --group_->ended_well_;
        return true;
    }
    void take_all() {
        group_->ended_well_ = 0;
        if (group_->failed_ == nullptr) return;
        std::exception_ptr const first = group_->take_failure();
        group_->destroy_all();
        while (group_->failed_ != nullptr) static_cast<void>(group_->take_failure());
        std::rethrow_exception(first);
    }

private:
    friend class group_branches;

    [[nodiscard]] bool is_over() const noexcept {
        return group_->failed_ != nullptr || group_->slots_used_ == 0 ||
               (!all_ && group_->ended_well_ != 0);
    }

    group_branches* group_;
    bool all_;
};

inline void group_branches::give_slot_back() noexcept {
    if (!spawning_.empty()) {
        auto& next = static_cast<slot_awaiter&>(spawning_.pop_front());
        next.has_slot_ = true;
        wake(next);
    } else {
        --slots_used_;
    }
    if (joiner_ != nullptr && joiner_->state == wait_node::phase::waiting && joiner_->is_over())
        wake(*joiner_);
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
