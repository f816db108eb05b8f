#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <system_error>

#include <weir/detail/core/sync.hpp>
#include <weir/detail/runtime/driver.hpp>

namespace threads = weir::detail::sync;
using namespace std::chrono_literals;
using weir::detail::driver;

namespace {

// One thread hands numbers over, the other sleeps in between; a lost wake-up stops both.
void hand_over(driver& d, int rounds, bool makes_reactor) {
    threads::atomic<int> sent{0}, taken{0};
    threads::thread other([&] {
        for (int i = 1; i <= rounds; ++i) {
            if (makes_reactor && i == rounds / 2) {
                std::error_code error;
                CHECK(d.reactor(error) != nullptr);
            }
            sent.store(i, threads::memory_order_release);
            d.unpark();
            threads::spin_wait spin;
            while (taken.load(threads::memory_order_acquire) != i) spin.once();
        }
    });
    for (int i = 1; i <= rounds; ++i) {
        while (sent.load(threads::memory_order_acquire) != i) d.park(std::nullopt);
        taken.store(i, threads::memory_order_release);
    }
    other.join();
}

}  // namespace

TEST_SUITE("driver") {
    TEST_CASE("no wake-up is lost on the futex, in epoll, or on the way from one to the other") {
        driver d;
        hand_over(d, 2000, false);
        hand_over(d, 2000, true);
        hand_over(d, 2000, false);
        for (int i = 0; i < 20; ++i) {
            driver fresh;
            hand_over(fresh, 20, true);
        }
    }

    TEST_CASE("an unpark that comes first ends the next park, once") {
        driver d;
        for (int round = 0; round < 2; ++round) {
            d.unpark();
            d.unpark();
            d.park(std::nullopt);
            const auto start = std::chrono::steady_clock::now();
            while (std::chrono::steady_clock::now() - start < 2ms) d.park(1ms);
            std::error_code error;
            CHECK(d.reactor(error) != nullptr);
        }
    }

    TEST_CASE("a park ends after its time, not before, also below a millisecond") {
        driver d;
        std::error_code error;
        REQUIRE(d.reactor(error) != nullptr);
        d.park(0ms);  // the wake-up of the making
        for (auto limit : {100us, 700us, 1500us}) {
            const auto start = std::chrono::steady_clock::now();
            d.park(limit);
            CHECK(std::chrono::steady_clock::now() - start >= limit);
        }
    }

    TEST_CASE("a driver that has shut down takes no more sources") {
        driver d;
        std::error_code error;
        REQUIRE(d.reactor(error) != nullptr);
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
        weir::detail::io_ref one(ends[0]), two(ends[1]);
        CHECK(!d.reactor(error)->add(*one));
        CHECK(!d.reactor(error)->add(*one));
        d.shut_down();
        CHECK(d.reactor(error)->add(*two) == std::errc::operation_canceled);
        d.poll();
        driver next;
        CHECK(!next.reactor(error)->add(*one));
    }
}
