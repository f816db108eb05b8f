#pragma once
// The timer wheel against a sorted list of deadlines.

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <weir/detail/runtime/timer_wheel.hpp>

#include "fuzz.hpp"

namespace weir_fuzz {

class wheel_and_model {
public:
    void run(reader& in) {
        while (!in.empty()) {
            const std::uint8_t what = in.byte();
            timer& t = timers_[what / 4 % timers_.size()];
            switch (what % 4) {
                case 0: insert(t, in); break;
                case 1: remove(t); break;
                case 2: advance(in); break;
                case 3: expire(in.byte() % 2 == 0); break;
            }
            const auto earliest = wheel_.earliest_deadline(), next = wheel_.next_expiry();
            require(wheel_.empty() == model_.empty(), "the wheel is empty, or should be");
            require(earliest.has_value() != model_.empty(), "a deadline is missing, or of nothing");
            require(next.has_value() != model_.empty(), "a wake-up is missing, or of no use");
            if (model_.empty()) continue;
            const std::int64_t first = model_.begin()->first.first;
            require(*earliest == first, "the earliest deadline is another one");
            if (first < weir_limit - far_grain)
                require(*next <= std::max(first + far_grain, now_), "the wake-up comes too late");
        }
        now_ = weir_limit;
        expire(true);
        require(model_.empty() && wheel_.empty(), "timers are left at the end of time");
    }

private:
    static constexpr std::int64_t far_grain = std::int64_t{1} << 20;
    static constexpr std::int64_t weir_limit = std::numeric_limits<std::int64_t>::max();

    struct timer : weir::detail::timer_entry {
        std::uint64_t sequence = 0;
        bool was_due = false;  // when it was inserted: behind what is due by then, whatever it is
    };
    using key = std::pair<std::int64_t, std::uint64_t>;  // equal deadlines: first come, first served

    void insert(timer& t, reader& in) {
        remove(t);
        const unsigned magnitude = in.byte() % 63;
        std::int64_t delta = static_cast<std::int64_t>(in.number(8) >> (63 - magnitude) >> 1);
        if (in.byte() % 4 == 0) delta &= ~(far_grain - 1);  // on the edge of a slot
        if (in.byte() % 8 == 0) delta = -delta;
        const std::int64_t deadline = delta > weir_limit - now_ ? weir_limit : now_ + delta;
        t.sequence = ++sequence_;
        t.was_due = deadline <= now_;
        wheel_.insert(t, deadline, now_);
        model_.emplace(key{deadline, t.sequence}, &t);
        require(t.linked(), "an inserted timer is not in the wheel");
    }
    void remove(timer& t) {
        const bool is_there = model_.erase(key{t.deadline, t.sequence}) != 0;
        require(t.linked() == is_there, "a timer is in the wheel, or should be");
        wheel_.erase(t);
        require(!t.linked(), "an erased timer is in the wheel");
    }
    void advance(reader& in) {
        const unsigned magnitude = in.byte() % 50;
        const auto by = static_cast<std::int64_t>(in.number(8) >> (63 - magnitude) >> 1);
        now_ = by > weir_limit - now_ ? weir_limit : now_ + by;
    }
    void expire(bool exact) {
        std::int64_t last = std::numeric_limits<std::int64_t>::min();
        while (auto* const e = exact ? wheel_.pop_exact(now_) : wheel_.pop_expired(now_)) {
            timer& t = static_cast<timer&>(*e);
            require(!t.linked(), "a popped timer is in the wheel");
            require(t.deadline <= now_, "a timer fires early");
            require(model_.erase(key{t.deadline, t.sequence}) == 1, "a timer fires unset");
            if (t.was_due) continue;
            require(t.deadline >= last, "timers fire out of order");
            last = t.deadline;
        }
        if (model_.empty()) return;
        const std::int64_t first = model_.begin()->first.first;
        const std::int64_t late = exact ? 0 : far_grain;
        require(first > now_ - late, "a timer does not fire");
    }

    weir::detail::timer_wheel wheel_;
    std::map<key, timer*> model_;
    std::array<timer, 64> timers_;
    std::int64_t now_ = 0;
    std::uint64_t sequence_ = 0;
};

inline void timer_wheel(input bytes) {
    reader in(bytes);
    wheel_and_model both;
    both.run(in);
}

}  // namespace weir_fuzz
