#pragma once
// A checker of histories: could what concurrent callers saw have come from one caller after the
// other?
//
// A history is linearizable if each operation can be given one moment between its call and its
// return, so that in the order of these moments each result is what a sequential object, the model,
// would have given. The search is that of Wing and Gong (1993): try each operation that may come
// next, go back where that leads nowhere. Lowe (2017) adds the memory of what has been tried: a set
// of finished operations together with a state of the model is not entered twice.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>
#include <vector>

#include <weir/detail/core/sync.hpp>

namespace weir_test {

/// One operation of a history, with times of one clock. An operation whose caller never learned
/// whether it took place is `open`: it may take place at any time after its call, or never, and
/// its result matches whatever the model says.
template <class Operation>
struct recorded {
    static constexpr std::uint64_t open = std::numeric_limits<std::uint64_t>::max();

    recorded(Operation o, std::uint64_t c, std::uint64_t r)
        : operation(std::move(o)), called(c), returned(r) {}

    Operation operation;
    std::uint64_t called;
    std::uint64_t returned;
};

/// A clock that every caller reads before and after each operation; all times differ.
class history_clock {
public:
    std::uint64_t tick() noexcept { return now_.fetch_add(1); }

private:
    weir::detail::sync::atomic<std::uint64_t> now_{0};
};

/// `Model` is a copyable, ordered sequential object with
///     bool apply(const Operation&, bool open)
/// which changes its state as the operation does, and says whether its result is right; for an open
/// operation it has none.
template <class Model, class Operation>
class linearizability_checker {
public:
    explicit linearizability_checker(std::vector<recorded<Operation>> history)
        : history_(std::move(history)), done_(history_.size(), false) {
        std::sort(history_.begin(), history_.end(),
                  [](const auto& a, const auto& b) { return a.called < b.called; });
        for (const auto& h : history_) closed_left_ += h.returned != recorded<Operation>::open;
    }

    /// Whether the history is linearizable from the model's state `start`. Exponential at worst,
    /// so histories are to be short: some hundreds of operations, few of them at the same time.
    bool check(const Model& start) { return search(start, 0); }

private:
    // Who was called before all unfinished operations had returned may be next.
    bool search(const Model& state, std::size_t first) {
        if (closed_left_ == 0) return true;
        while (done_[first]) ++first;
        if (!tried_.insert(std::pair(done_, state)).second) return false;
        std::uint64_t earliest_return = recorded<Operation>::open;
        for (std::size_t i = first; i < history_.size(); ++i) {
            if (done_[i]) continue;
            const auto& h = history_[i];
            if (h.called > earliest_return) break;
            earliest_return = std::min(earliest_return, h.returned);
            Model next = state;
            const bool open = h.returned == recorded<Operation>::open;
            if (!next.apply(h.operation, open)) continue;
            done_[i] = true;
            closed_left_ -= !open;
            if (search(next, first)) return true;
            closed_left_ += !open;
            done_[i] = false;
        }
        return false;
    }

    std::vector<recorded<Operation>> history_;
    std::vector<bool> done_;
    std::size_t closed_left_ = 0;
    std::set<std::pair<std::vector<bool>, Model>> tried_;
};

template <class Model, class Operation>
bool is_linearizable(std::vector<recorded<Operation>> history, const Model& start = Model()) {
    return linearizability_checker<Model, Operation>(std::move(history)).check(start);
}

}  // namespace weir_test
