#pragma once
// The branches of a biased join: those that can go on in the same turn do so in argument order.
//
// A node does not know the branch that it belongs to, so each branch waits as an owner of its own.
// When the turn reaches one of them, and others before it are due in the same turn, it puts these
// in front of itself.

#include <weir/detail/concurrency/nested_owner.hpp>

namespace weir { WEIR_ABI_BEGIN

/// First argument of a select that tries its branches from top to bottom, and of a join that runs
/// them in this order.
struct biased_t {};
inline constexpr biased_t biased{};

namespace detail {

/// The context of one branch, linked with its neighbours from the start of the join to its own end.
class in_order : public on_outer_budget {
public:
    in_order() = default;
    in_order(in_order&&) noexcept {}  // not linked yet
    in_order& operator=(in_order&&) = delete;
    ~in_order() {
        if (earlier_ != nullptr) earlier_->later_ = later_;
        if (later_ != nullptr) later_->earlier_ = earlier_;
    }
    void follow(in_order& earlier) noexcept {
        earlier_ = &earlier;
        earlier.later_ = this;
    }

    // -- of nested_owner -------------------------------------------------------------------------

    void enter(nested_owner<in_order>& inner, owner& outer) noexcept {
        on_outer_budget::enter(inner, outer);
        inner_ = &inner;
    }
    template <class F>
    void destroy(F f) noexcept {
        f();
    }
    [[nodiscard]] bool gives_way() noexcept {
        bool any = false;
        for (in_order* b = earlier_; b != nullptr; b = b->earlier_) {
            if (b->inner_ == nullptr || !b->inner_->is_due()) continue;
            if (!any) inner_->resume_first();
            b->inner_->resume_first();
            any = true;
        }
        return any;
    }

private:
    in_order* earlier_ = nullptr;
    in_order* later_ = nullptr;
    nested_owner<in_order>* inner_ = nullptr;
};

template <class A>
using branch_in_order = nested_operation<in_order, A>;

}  // namespace detail
WEIR_ABI_END }  // namespace weir
