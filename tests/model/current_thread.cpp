// The current-thread runtime, and what other threads do to it.

#include "runtime.hpp"

#include <doctest/doctest.h>

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

using model::drop;
using model::parcel;

namespace {

weir::task<> receive(weir::oneshot::receiver<parcel> rx, bool& received) {
    received = (co_await rx).has_value();
}
weir::task<> note(int& ran) {
    ++ran;
    co_return;
}
weir::task<> yield() { co_await weir::yield_now(); }

}  // namespace

TEST_SUITE("current thread") {
    TEST_CASE("a wake from elsewhere reaches a runtime that goes to sleep") {
        model::check("current thread: send against a sleeping runtime", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            model::thread other([&tx] { static_cast<void>(tx.send(parcel(7))); });
            rt.block_on(receive(std::move(rx), received));
            other.join();
            model::expect(received, "the value was lost");
        });
    }

    TEST_CASE("two threads in block_on both get their task done") {
        model::check("current thread: two block_on", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            int ran_1 = 0, ran_2 = 0;
            model::thread other([&] { rt.block_on(note(ran_1)); });
            rt.block_on(note(ran_2));
            other.join();
            model::expect(ran_1 == 1 && ran_2 == 1, "not run once");
        });
        model::check("current thread: two block_on, one takes longer", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            int ran = 0;
            model::thread other([&] { rt.block_on(note(ran)); });
            rt.block_on(yield());
            other.join();
            model::expect(ran == 1, "not run once");
        });
    }

    TEST_CASE("a spawn from elsewhere runs, or is dropped by the end") {
        model::check("current thread: spawn against shutdown", [] {
            int ran = 0;
            model::thread other;
            {
                weir::current_thread_runtime rt(model::runtime_options());
                other = model::thread([&ran, h = rt.handle()] { h.spawn(note(ran)).detach(); });
                rt.block_on(yield());
            }
            other.join();
            model::expect(ran <= 1, "ran twice");
        });
        model::check("current thread: send to a waiting task against shutdown", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            model::thread other;
            {
                weir::current_thread_runtime rt(model::runtime_options());
                rt.spawn(receive(std::move(rx), received)).detach();
                rt.block_on(yield());
                other = model::thread([&tx] {
                    auto const sent = tx.send(parcel(7));
                    static_cast<void>(sent);
                });
            }
            other.join();
            model::expect(!received, "ran in the end");
        });
        model::check("current thread: abort against shutdown", [] {
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            bool received = false;
            model::thread other;
            {
                weir::current_thread_runtime rt(model::runtime_options());
                auto h = rt.spawn(receive(std::move(rx), received));
                rt.block_on(yield());
                other = model::thread([abort = h.get_abort_handle()] { abort.abort(); });
                std::move(h).detach();
            }
            other.join();
        });
    }
}
