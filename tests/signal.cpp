#include <doctest/doctest.h>
#include <signal.h>

#include <chrono>
#include <coroutine>
#include <stdexcept>
#include <utility>

#include <weir/join.hpp>
#include <weir/oneshot.hpp>
#include <weir/runtime.hpp>
#include <weir/select.hpp>
#include <weir/signal.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/timeout.hpp>
#include <weir/yield.hpp>

using namespace std::chrono_literals;

namespace {

weir::task<> count_signal(int number, weir::oneshot::sender<int> listening, int& count) {
    auto listener = weir::signal(number);
    static_cast<void>(listening.send(0));
    co_await listener;
    ++count;
}

// A coroutine that is not weir's and stops where an exception leaves it.
struct foreign {
    struct promise_type {
        foreign get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { throw; }
    };
};
foreign wait_without_runtime() { co_await weir::ctrl_c(); }

}  // namespace

TEST_SUITE("signal") {
    TEST_CASE("ctrl_c completes when SIGINT arrives while it waits") {
        weir::block_on([]() -> weir::task<> {
            auto waiting = weir::spawn([]() -> weir::task<int> {
                co_await weir::ctrl_c();
                co_return 7;
            });
            co_await weir::yield_now();
            co_await weir::yield_now();
            CHECK(!waiting.is_finished());
            ::raise(SIGINT);
            CHECK(co_await waiting == 7);
        }());
    }

    TEST_CASE("every listener hears a signal, and each hears it once") {
        weir::block_on([]() -> weir::task<> {
            int count = 0;
            auto [tx1, rx1] = weir::oneshot::channel<int>();
            auto [tx2, rx2] = weir::oneshot::channel<int>();
            auto first = weir::spawn(count_signal(SIGUSR1, std::move(tx1), count));
            auto second = weir::spawn(count_signal(SIGUSR1, std::move(tx2), count));
            co_await rx1;
            co_await rx2;
            ::raise(SIGUSR1);
            co_await first;
            co_await second;
            CHECK(count == 2);
        }());
    }

    TEST_CASE("several arrivals before the await count as one, and a later one is seen again") {
        weir::block_on([]() -> weir::task<> {
            auto listener = weir::signal(SIGUSR2);
            ::raise(SIGUSR2);
            ::raise(SIGUSR2);
            co_await listener;
            auto again = co_await weir::timeout(5ms, listener);
            CHECK(!again);
            ::raise(SIGUSR2);
            again = co_await weir::timeout(10s, listener);
            CHECK(again);
        }());
    }

    TEST_CASE("a listener hears nothing that came before it") {
        weir::block_on([]() -> weir::task<> {
            auto early = weir::signal(SIGUSR1);
            ::raise(SIGUSR1);
            auto late = weir::signal(SIGUSR1);
            co_await early;
            const auto heard = co_await weir::timeout(5ms, late);
            CHECK(!heard);
        }());
    }

    TEST_CASE("a listener that lost a select misses nothing") {
        weir::block_on([]() -> weir::task<> {
            auto listener = weir::signal(SIGUSR1);
            for (int i = 0; i < 3; ++i) {
                auto lost = co_await weir::select(weir::biased, listener, weir::yield_now());
                CHECK(lost.index() == 1);
                ::raise(SIGUSR1);
                auto won = co_await weir::select(weir::biased, listener, weir::sleep_for(10s));
                CHECK(won.index() == 0);
            }
        }());
    }

    TEST_CASE("a signal wakes a runtime that sleeps without a timeout, from another thread") {
        weir::block_on([]() -> weir::task<> {
            auto listener = weir::signal(SIGUSR1);
            auto [tx, rx] = weir::oneshot::channel<int>();
            weir::detail::sync::thread other([sender = std::move(tx)]() mutable {
                ::kill(::getpid(), SIGUSR1);
                static_cast<void>(sender.send(1));
            });
            co_await listener;
            CHECK(co_await rx == 1);
            other.join();
        }());
    }

    TEST_CASE("listeners on two runtimes hear the same signal") {
        auto one = weir::signal(SIGUSR1);
        auto two = weir::signal(SIGUSR1);
        ::raise(SIGUSR1);
        weir::block_on([](weir::signal_listener l) -> weir::task<> { co_await l; }(std::move(one)));
        weir::block_on([](weir::signal_listener l) -> weir::task<> { co_await l; }(std::move(two)));
    }

    TEST_CASE("waiting for a signal without a runtime is an error in words") {
        CHECK_THROWS_AS(wait_without_runtime(), weir::no_runtime_error);
    }

    TEST_CASE("signals that cannot be waited for are refused") {
        for (int number : {0, -1, 1000, SIGKILL, SIGSTOP, SIGSEGV})
            CHECK_THROWS_AS(static_cast<void>(weir::signal(number)), std::invalid_argument);
    }
}
