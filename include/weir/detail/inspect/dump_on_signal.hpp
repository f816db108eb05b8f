#pragma once
// The thread that waits for a signal and prints a dump.

#include <signal.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <utility>

#include <weir/cancellation_token.hpp>
#include <weir/inspect.hpp>
#include <weir/select.hpp>
#include <weir/signal.hpp>

namespace weir { WEIR_ABI_BEGIN

inline const int dump_on_signal::default_signal = SIGUSR1;

/// A runtime of its own: the one that is looked at may be stuck.
struct dump_on_signal::state {
    explicit state(runtime_handle h, std::function<void(const runtime_dump&)> f)
        : of(std::move(h)), to(std::move(f)) {}

    static task<> listen(signal_listener signals, state& s) {
        for (;;) {
            const auto woken = co_await select(biased, s.stop.cancelled(), signals);
            if (woken.index() == 0) co_return;
            s.print();
        }
    }
    static runtime_options unwatched() {
        runtime_options o;
        o.slow_turn = {};  // a dump may take long
        return o;
    }
    void print() const {
        const runtime_dump dump = of.dump();
        if (to)
            to(dump);
        else
            std::fputs(dump.to_string().c_str(), stderr);
    }

    runtime_handle of;
    std::function<void(const runtime_dump&)> to;
    current_thread_runtime own{unwatched()};
    cancellation_token stop;
    detail::sync::thread thread;
};

inline dump_on_signal::dump_on_signal(runtime_handle of, int signal_number,
                                      std::function<void(const runtime_dump&)> to)
    : state_(std::make_shared<state>(std::move(of), std::move(to))) {
    // Heard from here on, not from when the thread has started.
    state_->thread = detail::sync::thread(
        [s = state_.get(), signals = signal(signal_number)]() mutable {
            s->own.block_on(state::listen(std::move(signals), *s));
        });
}
inline dump_on_signal::~dump_on_signal() {
    state_->stop.cancel();
    state_->thread.join();
}

WEIR_ABI_END }  // namespace weir
