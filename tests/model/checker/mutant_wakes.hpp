#pragma once
// A wake_list that can be made to err, for ./dev mutate. Compiled in front of each model, it takes the
// place of the library's own; the rest is as it is. `late`: the waiter is pushed into its owner's
// mailbox when the list is flushed, which is after the primitive's lock was given back. `lost`: it is
// never pushed.

#define wake_list sound_wake_list
#include <weir/detail/core/owner.hpp>
#undef wake_list

#include <array>
#include <cstddef>
#include <source_location>

#include "engine.hpp"

namespace weir { WEIR_ABI_BEGIN namespace detail {

class wake_list : public sound_wake_list {
public:
    wake_list() = default;
    ~wake_list() { push_late(); }

    void wake(wait_node& n, std::source_location at = std::source_location::current()) noexcept {
        switch (model::mistake_at(at)) {
            case model::mistake::none: sound_wake_list::wake(n); break;
            case model::mistake::late: late_.at(late_count_++) = &n; break;
            case model::mistake::lost: break;
        }
    }
    void flush() noexcept {
        push_late();
        sound_wake_list::flush();
    }

private:
    void push_late() noexcept {
        for (std::size_t i = 0; i < late_count_; ++i) sound_wake_list::wake(*late_[i]);
        late_count_ = 0;
    }

    std::array<wait_node*, 8> late_{};
    std::size_t late_count_ = 0;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
