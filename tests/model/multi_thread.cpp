// The multi-thread runtime: workers that park, steal and end.

#include "runtime.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>

#include <weir/block_in_place.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/yield.hpp>

using model::parcel;

namespace {

namespace d = weir::detail;

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

// A core whose workers are not started: what they do between them, without all of their steps.
using idle_core = d::multi_thread_core;
struct job final : d::owner {
    explicit job(d::scheduler& s) : owner(s, false) {}
    int taken = 0;
};

struct reads_at_the_end {
    explicit reads_at_the_end(const std::array<int, 2>& v) : values(&v) {}
    reads_at_the_end(reads_at_the_end&& other) noexcept : values(std::exchange(other.values, nullptr)) {}
    reads_at_the_end& operator=(reads_at_the_end&&) = delete;
    ~reads_at_the_end() {
        if (values != nullptr) model::expect((*values)[0] + (*values)[1] > 0, "not visible");
    }
    const std::array<int, 2>* values;
};
weir::task<> keep(reads_at_the_end) { co_await weir::yield_now(); }

weir::task<> block_twice(idle_core& core, int& blocked) {
    weir::block_in_place([&blocked] { ++blocked; });
    weir::block_in_place([&blocked] { ++blocked; });
    core.stop();
    co_return;
}

void start(idle_core& core, weir::task<> t) {
    d::task_header& h = core.make_task(d::task_access::release(t), d::task_type_of<void>,
                                       std::source_location::current());
    d::root_of<void>(h).promise().start_for({}, h);
    core.start(h);
    h.release();
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

    TEST_CASE("a worker's slot gives each task to one thread") {
        model::check("multi-thread: a worker fills its slot against a thief", [] {
            idle_core core(model::runtime_options(2));
            d::worker& w = core.workers()[0];
            std::array<job, 2> jobs{job(core), job(core)};
            const auto take = [](d::owner* o) {
                if (o != nullptr) ++static_cast<job&>(*o).taken;
            };
            model::thread thief([&] { take(w.take_lifo()); });
            for (job& j : jobs) {
                j.taken = 0;  // after the thread has begun: what it sees comes through the slot
                w.schedule(j);
            }
            thief.join();
            take(w.take_lifo());
            take(w.queue().pop());
            for (const job& j : jobs) model::expect(j.taken == 1, "lost, or taken twice");
        });
    }

    TEST_CASE("a thread that blocks lends its worker, and takes it back or goes without") {
        model::check("multi-thread: a task that blocks in place, one worker", [] {
            int blocked = 0;
            {
                auto const core = std::make_shared<idle_core>(model::runtime_options());
                start(*core, block_twice(*core, blocked));
                d::worker& mine = core->workers()[0];
                model::expect(mine.take(), "it was not on offer");
                mine.run();
                static_cast<void>(core->shut_down({}, nullptr));
            }
            model::expect(blocked == 2, "another count");
        }, 1);
    }

    TEST_CASE("what is destroyed at the end sees what was done before it") {
        model::check("multi-thread: the last worker that leaves ends the tasks", [] {
            std::array<int, 2> values{};
            idle_core core(model::runtime_options(2));
            start(core, keep(reads_at_the_end(values)));
            core.stop();
            core.enter_work();
            core.enter_work();
            const auto leave = [&](std::size_t i) {
                values[i] = 1;
                core.leave_work();
            };
            model::thread other([&] { leave(0); });
            leave(1);
            other.join();
        });
        model::check("multi-thread: a worker ends the tasks of a runtime that stops", [] {
            std::array<int, 2> values{};
            idle_core core(model::runtime_options(2));
            start(core, keep(reads_at_the_end(values)));
            core.enter_work();
            model::thread worker([&] {
                d::sync::spin_wait until_stopped;
                while (!core.is_stopping()) until_stopped.once();
                core.leave_work();
            });
            values[0] = 1;
            core.stop();
            worker.join();
        });
    }
}
