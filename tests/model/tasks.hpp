#pragma once
// Tasks in models: each is run by the thread that asks for it, so that a model has no runtime whose
// steps would be explored too. What they wait for is real, and so is how they are woken.

#include "checker/model.hpp"

#include <optional>
#include <utility>

#include <weir/detail/task/spawned.hpp>
#include <weir/task.hpp>

namespace model {

/// A task whose turns are run by the thread that calls `run`. Others may abort it meanwhile.
class local_task {
public:
    /// `clock`: what timers in the task run on.
    explicit local_task(weir::task<> t, weir::detail::runtime_core* clock = nullptr)
        : home_(clock), header_(weir::detail::task_header::construct(
              weir::detail::task_access::release(t), weir::detail::task_type_of<void>, home_, false,
              weir::task_id{1}, std::source_location::current())) {
        weir::detail::root_of<void>(header_).promise().start_for({}, header_);
    }
    local_task(const local_task&) = delete;
    local_task& operator=(const local_task&) = delete;
    ~local_task() {
        header_.release();  // the handle's share
        header_.release();  // the runtime's
    }

    /// Until the task has ended.
    void run() {
        namespace d = weir::detail;
        d::execution here;
        here.current = &header_;
        d::execution* const before = d::execution::here();
        d::execution::set(&here);
        while (!header_.run_turn()) {
            if (!header_.has_taken() && header_.try_park()) home_.wake.park();
            header_.collect(false);
        }
        {
            d::wake_list wakes;
            static_cast<void>(header_.finish(wakes));
        }
        d::execution::set(before);
        expect(header_.result() != d::task_header::outcome::exception, "an exception left the task");
    }

    [[nodiscard]] weir::detail::task_header& header() noexcept { return header_; }

private:
    struct unparker final : weir::detail::scheduler {
        explicit unparker(weir::detail::runtime_core* r) noexcept : clock(r) {}
        void schedule(weir::detail::owner&) noexcept override { wake.unpark(); }
        weir::detail::runtime_core* runtime() noexcept override { return clock; }
        weir::detail::runtime_core* clock;
        parker wake;
    };

    unparker home_;
    weir::detail::task_header& header_;
};

inline void run(weir::task<> t, weir::detail::runtime_core* clock = nullptr) {
    local_task(std::move(t), clock).run();
}

/// Ends the life of a handle here and now.
void drop(auto&& handle) { auto const dropped = std::move(handle); }

/// A value that must arrive once: lost, it is a leak, and twice, it is freed twice.
class parcel {
public:
    explicit parcel(int n) : n_(new int(n)) {}
    parcel(parcel&& other) noexcept : n_(std::exchange(other.n_, nullptr)) {}
    parcel& operator=(parcel&& other) noexcept {
        std::swap(n_, other.n_);
        return *this;
    }
    ~parcel() { delete n_; }
    [[nodiscard]] int number() const { return *n_; }

private:
    int* n_;
};

}  // namespace model
