// How workers go to sleep and are woken, with the injection queue: what detail/runtime/parking.hpp
// promises, on workers that do nothing else.

#include "runtime.hpp"

#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <system_error>

#include <weir/detail/runtime/injection_queue.hpp>
#include <weir/detail/runtime/parking.hpp>

namespace {

namespace d = weir::detail;

struct nowhere final : d::scheduler {
    void schedule(d::owner&) noexcept override {}
};
struct job final : d::owner {
    explicit job(d::scheduler& s) : owner(s, false) {}
    int taken = 0;
};

struct pool {
    explicit pool(std::size_t workers) : parking(events, time, workers) {}

    void push(job& j) {
        queue.push(j, [this] { parking.wake_one(); });
    }
    // What a worker does to find one entry.
    void take_one(d::sleeper& s) {
        bool searching = false;
        while (true) {
            if (auto const c = queue.pop(1); c.first != nullptr) {
                ++static_cast<job&>(*c.first).taken;
                if (searching && parking.stop_search() && queue.size_hint() != 0) parking.wake_one();
                return;
            }
            parking.register_asleep(s, std::exchange(searching, false));
            searching = queue.empty_locked() ? parking.sleep(s) : parking.stay_awake(s);
        }
    }

    d::driver events;
    d::time_driver time{true};
    d::parking_lot parking;
    d::injection_queue queue;
    nowhere home;
};

}  // namespace

TEST_SUITE("parking") {
    TEST_CASE("a worker does not sleep over what was pushed") {
        // Nobody is awake while it sleeps, so that no timeout comes to its rescue.
        model::check("parking: two pushes against one worker", [] {
            pool p(1);
            d::sleeper bed;
            std::array<job, 2> jobs{job(p.home), job(p.home)};
            model::thread one([&] { p.push(jobs[0]); });
            model::thread two([&] { p.push(jobs[1]); });
            for (int i = 0; i < 2; ++i) p.take_one(bed);
            one.join();
            two.join();
            model::expect(jobs[0].taken == 1 && jobs[1].taken == 1, "lost, or taken twice");
        });
        model::check("parking: two pushes against two workers", [] {
            pool p(2);
            std::array<d::sleeper, 2> beds;
            std::array<job, 2> jobs{job(p.home), job(p.home)};
            model::thread one([&] { p.take_one(beds[0]); });
            model::thread two([&] { p.take_one(beds[1]); });
            for (job& j : jobs) p.push(j);
            one.join();
            two.join();
            model::expect(jobs[0].taken == 1 && jobs[1].taken == 1, "lost, or taken twice");
        });
    }

    TEST_CASE("an unpark ends one park, and what was written before it is visible") {
        model::check("driver: unpark against park", [] {
            d::driver events;
            int before = 0;
            model::thread other([&] {
                before = 1;
                events.unpark();
            });
            events.park(std::nullopt);
            model::expect(before == 1, "not visible");
            other.join();
        });
        model::check("driver: two unparks against two parks", [] {
            d::driver events;
            model::atomic<int> count{0};
            const auto wake = [&] {
                count.fetch_add(1, std::memory_order_relaxed);
                events.unpark();
            };
            model::thread one(wake), two(wake);
            while (count.load(std::memory_order_relaxed) != 2) events.park(std::nullopt);
            one.join();
            two.join();
        });
    }

    TEST_CASE("the epoll set is complete for whoever finds it") {
        // Without a timeout nobody sleeps in it: that would stop all threads of the model.
        constexpr std::chrono::nanoseconds at_once{0};
        const auto make = [](d::driver& events) {
            std::error_code error;
            d::io_reactor* const io = events.reactor(error);
            model::expect(io != nullptr && !io->error(), "there is none");
        };
        model::check("driver: two make the epoll set, a third one polls", [make] {
            d::driver events;
            model::thread one([&] { make(events); });
            model::thread two([&] { make(events); });
            events.poll();
            one.join();
            two.join();
        });
        model::check("driver: the epoll set is made, against park and unpark", [&] {
            d::driver events;
            model::thread one([&] { events.park(at_once); });
            model::thread two([&] { events.unpark(); });
            make(events);
            one.join();
            two.join();
        });
        model::check("driver: the epoll set is made, against shut_down", [make] {
            d::driver events;
            model::thread other([&] { make(events); });
            events.shut_down();
            other.join();
        });
    }

    TEST_CASE("everybody is woken at the end") {
        model::check("parking: wake_all against two that go to sleep", [] {
            pool p(2);
            std::array<d::sleeper, 2> beds;
            model::atomic<bool> stop{false};
            const auto work = [&](d::sleeper& s) {
                while (!stop.load(std::memory_order_acquire)) {
                    p.parking.register_asleep(s, false);
                    if (stop.load(std::memory_order_acquire)
                            ? p.parking.stay_awake(s)
                            : p.parking.sleep(s))
                        p.parking.stop_search();
                }
            };
            model::thread one([&] { work(beds[0]); });
            model::thread two([&] { work(beds[1]); });
            stop.store(true, std::memory_order_release);
            p.parking.wake_all();
            one.join();
            two.join();
        }, 1);
    }
}
