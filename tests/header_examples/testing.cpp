// The examples of the headers for tests of programs, and for looking inside of one. Compiled, never run.

#include <chrono>
#include <iostream>
#include <new>

#include <doctest/doctest.h>
#include <weir/inspect.hpp>
#include <weir/mpsc.hpp>
#include <weir/semaphore.hpp>
#include <weir/test.hpp>

using namespace std::chrono_literals;

namespace header_examples {

weir::task<> transfer_money();
weir::task<> app();
weir::task<> use(weir::semaphore&);

void explore() {
    weir::test::explore(1000, [](weir::test::simulation& sim) {
        sim.block_on(transfer_money());
    });
}

void cancel_everywhere() {
    weir::test::cancel_everywhere([](weir::test::simulation& sim) {
        weir::semaphore places(1);
        auto h = sim.spawn_under_test(use(places));
        sim.run_until_idle();
        REQUIRE(places.available_permits() == 1);
    });
}

void fail_allocations_everywhere() {
    weir::test::fail_allocations_everywhere([](weir::test::allocation_failure failure) {
        auto [tx, rx] = weir::mpsc::unbounded_channel<int>();
        bool sent = false;
        try {
            auto const armed = failure.arm();
            sent = tx.send(1).has_value();
        } catch (const std::bad_alloc&) {
        }
        REQUIRE(rx.try_recv().has_value() == sent);
    });
}

void poll() {
    auto [tx, rx] = weir::mpsc::channel<int>(1);
    weir::test::polled receive(rx.recv());
    CHECK(receive.is_pending());
    static_cast<void>(tx.try_send(1));
    CHECK(receive.is_woken());
    CHECK(receive.is_ready());
    CHECK(receive.take() == 1);
}

void simulation() {
    weir::test::simulation sim(42);
    sim.block_on(app());                       // an hour of sleeps takes no time
    CHECK(sim.now() >= weir::clock::time_point(1h));
}

void look_inside() {
    weir::multi_thread_runtime rt;
    std::cerr << rt.dump();                              // or .to_json()
    weir::dump_on_signal const on_usr1(rt.handle());     // kill -USR1 prints one to stderr
}

}  // namespace header_examples
