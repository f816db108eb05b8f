#include "runtime.hpp"

#include <doctest/doctest.h>

#include <chrono>

#include <weir/oneshot.hpp>
#include <weir/select.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>

using namespace std::chrono_literals;
using model::parcel;

namespace {

// A runtime of which only the clock is used, and that is stopped.
class stopped_clock : public weir::detail::current_thread_core {
public:
    stopped_clock() : current_thread_core(model::stopped_clock_options()) {}
    void advance(std::chrono::nanoseconds by) { time().advance(by); }
};

weir::task<> wait_until(weir::clock::time_point t) { co_await weir::sleep_until(t); }

weir::task<> sleep_or_receive(weir::oneshot::receiver<parcel>& rx, bool& received) {
    auto const first = co_await weir::select(weir::sleep_for(1ms), rx);
    received = first.index() == 1;
}

weir::task<> receive_in_time(weir::oneshot::receiver<parcel>& rx, bool& received) {
    auto const r = co_await weir::timeout(1ms, rx);
    received = r.has_value();
}

}  // namespace

TEST_SUITE("timer") {
    TEST_CASE("a timer fires for who waits, whenever it is added") {
        model::check("timer: advance against sleep_until", [] {
            stopped_clock clock;
            const weir::clock::time_point now{std::chrono::nanoseconds(clock.time().now())};
            model::thread one([&] { clock.advance(1ms); });
            model::thread two([&] { clock.advance(1ms); });
            model::run(wait_until(now + 2ms), &clock);
            one.join();
            two.join();
        });
    }

    TEST_CASE("a timer that fires while it is cancelled does no harm") {
        model::check("timer: advance against a oneshot in select", [] {
            stopped_clock clock;
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            model::thread one([&] { clock.advance(1ms); });
            model::thread two([&tx] { static_cast<void>(tx.send(parcel(1))); });
            model::run(sleep_or_receive(rx, received), &clock);
            one.join();
            two.join();
            model::expect(received || rx.try_recv().has_value(), "the value was lost");
        });
        model::check("timer: timeout against send", [] {
            stopped_clock clock;
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            model::thread one([&] { clock.advance(1ms); });
            model::thread two([&tx] { static_cast<void>(tx.send(parcel(1))); });
            model::run(receive_in_time(rx, received), &clock);
            one.join();
            two.join();
            model::expect(received || rx.try_recv().has_value(), "the value was lost");
        });
    }
}
