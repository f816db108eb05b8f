#pragma once
// Races for values and permits, in a simulation whose seed, tasks and cancellations the bytes say:
// each value that was sent is received once, and every permit comes back.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <weir/mpmc.hpp>
#include <weir/select.hpp>
#include <weir/semaphore.hpp>
#include <weir/spawn.hpp>
#include <weir/test.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

#include "fuzz.hpp"

namespace weir_fuzz {

class races {
public:
    explicit races(reader& in) : in_(&in) {}

    weir::task<> run() {
        auto first = weir::spawn(compete());
        auto second = weir::spawn(compete());
        auto sending = weir::spawn(send());
        const unsigned yields = in_->byte() % 32;
        for (unsigned i = 0; i < yields; ++i) co_await weir::yield_now();
        second.abort();
        static_cast<void>(co_await second.result());
        co_await sending;
        co_await first;
    }
    void check() {
        std::sort(received_.begin(), received_.end());
        require(received_.size() == static_cast<std::size_t>(sent_), "values are lost or doubled");
        for (int i = 0; i < sent_; ++i)
            require(received_[static_cast<std::size_t>(i)] == i, "a value is lost and one doubled");
        require(places_.available_permits() == 2, "permits are lost or doubled");
    }

private:
    using ends = std::pair<std::optional<weir::mpmc::sender<int>>, weir::mpmc::receiver<int>>;

    weir::task<> send() {
        while (!in_->empty()) {
            const std::uint8_t what = in_->byte();
            auto& to = what % 2 == 0 ? *a_.first : *b_.first;
            if (what % 4 < 2) {
                auto sent = co_await to.send(sent_);
                require(sent.has_value(), "a channel has closed");
            } else {
                auto permit = co_await to.reserve();
                if (what % 8 == 2) continue;  // not used: it goes to the next one
                std::move(*permit).send(sent_);
            }
            ++sent_;
            if (what % 16 == 5) co_await weir::sleep_for(std::chrono::microseconds(what));
        }
        a_.first.reset();
        b_.first.reset();
    }

    void take(const std::optional<int>& value, bool& open) {
        if (value)
            received_.push_back(*value);
        else
            open = false;
    }

    weir::task<> compete() {
        bool a_open = true, b_open = true;
        auto a = a_.second;
        auto b = b_.second;
        while (a_open || b_open) {
            const unsigned form = in_->empty() ? 1 : in_->byte();  // which waits, at last
            if (form % 4 == 0) {
                auto r = co_await weir::select(weir::when(a_open, a.recv()),
                                               weir::when(b_open, b.recv()), places_.acquire());
                if (r.index() == 0) take(std::get<0>(r), a_open);
                if (r.index() == 1) take(std::get<1>(r), b_open);
                if (r.index() == 2) co_await weir::yield_now();  // with the permit
            } else if (form % 4 == 1) {
                auto r = co_await weir::select(weir::biased, weir::when(b_open, b.recv()),
                                               weir::when(a_open, a.recv()));
                if (r.index() == 0) take(std::get<0>(r), b_open);
                if (r.index() == 1) take(std::get<1>(r), a_open);
            } else if (form % 4 == 2) {
                auto inner =
                    weir::select(weir::when(a_open, a.recv()), weir::when(b_open, b.recv()));
                auto r = co_await weir::timeout(std::chrono::microseconds(form), std::move(inner));
                if (!r) continue;
                if (r->index() == 0) take(std::get<0>(*r), a_open);
                if (r->index() == 1) take(std::get<1>(*r), b_open);
            } else {
                auto held = hold();
                auto r = co_await weir::select(std::move(held), weir::when(a_open, a.recv()),
                                               weir::when(b_open, b.recv()));
                if (r.index() == 1) take(std::get<1>(r), a_open);
                if (r.index() == 2) take(std::get<2>(r), b_open);
            }
        }
    }
    weir::task<> hold() {
        const auto permit = co_await places_.acquire(2);
        co_await weir::yield_now();
    }

    reader* in_;
    ends a_ = weir::mpmc::channel<int>(1), b_ = weir::mpmc::channel<int>(2);
    weir::semaphore places_{2};
    std::vector<int> received_;
    int sent_ = 0;
};

inline void select(input bytes) {
    reader in(bytes);
    weir::test::simulation_options options;
    options.seed = in.number(2);
    options.yield_probability = in.byte() % 4 * 0.2;
    weir::test::simulation sim(options);
    races r(in);
    sim.block_on(r.run());
    r.check();
    sim.check_leaks();
}

}  // namespace weir_fuzz
