// The multi-thread runtime: workers that park, steal and end.

#include "runtime.hpp"

#include <doctest/doctest.h>

#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

using model::parcel;

namespace {

weir::task<int> value(int n) { co_return n; }

weir::task<> receive(weir::oneshot::receiver<parcel> rx, bool& received) {
    received = (co_await rx).has_value();
}
weir::task<int> spawn_and_join() {
    auto child = weir::spawn(value(7));
    co_return co_await child;
}
weir::task<> note(int& ran) {
    ++ran;
    co_return;
}

}  // namespace

TEST_SUITE("multi-thread") {
    TEST_CASE("a task is run although its worker goes to sleep") {
        model::check("multi-thread: block_on, one worker", [] {
            weir::multi_thread_runtime rt(model::runtime_options());
            model::expect(rt.block_on(value(7)) == 7, "another value");
        });
    }
    TEST_CASE("a wake from elsewhere reaches a worker that goes to sleep") {
        model::check("multi-thread: send against one worker", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            weir::multi_thread_runtime rt(model::runtime_options());
            model::thread other([&tx] { static_cast<void>(tx.send(parcel(7))); });
            rt.block_on(receive(std::move(rx), received));
            other.join();
            model::expect(received, "the value was lost");
        }, 1);
    }
    TEST_CASE("two workers lose no task between them") {
        model::check("multi-thread: a spawn and a join, two workers", [] {
            weir::multi_thread_runtime rt(model::runtime_options(2));
            model::expect(rt.block_on(spawn_and_join()) == 7, "another value");
        }, 1);
    }
    TEST_CASE("a spawn from elsewhere runs, or is dropped by the end") {
        model::check("multi-thread: spawn against shutdown", [] {
            int ran = 0;
            model::thread other;
            {
                weir::multi_thread_runtime rt(model::runtime_options());
                other = model::thread([&ran, h = rt.handle()] { h.spawn(note(ran)).detach(); });
            }
            other.join();
            model::expect(ran <= 1, "ran twice");
        }, 1);
    }
}
