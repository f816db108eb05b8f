// The run queue of one worker, against thieves.

#include "tasks.hpp"

#include <doctest/doctest.h>

#include <array>
#include <deque>

#include <weir/detail/runtime/injection_queue.hpp>
#include <weir/detail/runtime/work_queue.hpp>

namespace {

namespace d = weir::detail;

using queue = d::basic_work_queue<4>;

struct nowhere final : d::scheduler {
    void schedule(d::owner&) noexcept override {}
};

// What is in a queue, with a plain field that tells who has had it.
struct job final : d::owner {
    explicit job(d::scheduler& s) : owner(s, false) {}
    int taken = 0;
};

void take(d::owner* o) { ++static_cast<job&>(*o).taken; }

int drain(queue& q) {
    int n = 0;
    while (d::owner* const o = q.pop()) {
        take(o);
        ++n;
    }
    return n;
}

}  // namespace

TEST_SUITE("work queue") {
    TEST_CASE("each entry is taken once") {
        model::check("work queue: push and pop against two thieves", [] {
            nowhere home;
            queue mine, first, second;
            std::array<job, 3> jobs{job(home), job(home), job(home)};
            queue::chain overflow;
            const auto thieve = [&mine](queue& own) {
                if (mine.steal_into(own) != 0) drain(own);
            };
            mine.push(jobs[0], overflow);
            model::thread one([&] { thieve(first); });
            model::thread two([&] { thieve(second); });
            mine.push(jobs[1], overflow);
            if (d::owner* const o = mine.pop()) take(o);
            mine.push(jobs[2], overflow);
            drain(mine);
            one.join();
            two.join();
            drain(mine);
            for (const job& j : jobs) model::expect(j.taken == 1, "lost, or taken twice");
        });
        model::check("work queue: a thief of a thief", [] {
            nowhere home;
            queue mine, first, second;
            std::array<job, 2> jobs{job(home), job(home)};
            queue::chain overflow;
            for (job& j : jobs) mine.push(j, overflow);
            model::thread one([&] {
                if (mine.steal_into(first) != 0) drain(first);
            });
            model::thread two([&] {
                if (first.steal_into(second) != 0) drain(second);
            });
            drain(mine);
            one.join();
            two.join();
            drain(mine);
            drain(first);
            for (const job& j : jobs) model::expect(j.taken == 1, "lost, or taken twice");
        });
    }

    TEST_CASE("a slot is not used again while a thief copies from it") {
        model::check("work queue: a full ring against a thief", [] {
            nowhere home;
            constexpr std::size_t count = queue::capacity + 2;
            queue mine, its;
            std::deque<job> jobs;
            for (std::size_t i = 0; i < count; ++i) jobs.emplace_back(home);
            queue::chain overflow;
            for (std::size_t i = 0; i + 2 < count; ++i) mine.push(jobs[i], overflow);
            model::thread thief([&] { mine.steal_into(its); });
            for (std::size_t i = count - 2; i < count; ++i) mine.push(jobs[i], overflow);
            thief.join();
            drain(mine);
            drain(its);
            while (overflow.first != nullptr)
                take(std::exchange(overflow.first, overflow.first->next_owner));
            for (const job& j : jobs) model::expect(j.taken == 1, "lost, or taken twice");
        });
    }

    TEST_CASE("whoever looks from outside sees a size that there can be") {
        model::check("work queue: size against push, pop and steal", [] {
            nowhere home;
            queue mine, its;
            std::array<job, 2> jobs{job(home), job(home)};
            queue::chain overflow;
            model::thread one([&] { model::expect(mine.size() <= jobs.size(), "never so many"); });
            model::thread two([&] {
                mine.steal_into(its);
                model::expect(mine.size() <= jobs.size(), "never so many");
            });
            for (job& j : jobs) mine.push(j, overflow);
            drain(mine);
            one.join();
            two.join();
            drain(its);
            for (const job& j : jobs) model::expect(j.taken == 1, "lost, or taken twice");
        });
    }

    TEST_CASE("the injection queue keeps what is pushed from anywhere") {
        model::check("injection queue: two pushes against two pops", [] {
            nowhere home;
            d::injection_queue q;
            std::array<job, 2> jobs{job(home), job(home)};
            int told = 0;
            model::thread one([&] { q.push(jobs[0], [&told] { ++told; }); });
            model::thread two([&] { q.push(jobs[1], [&told] { ++told; }); });
            const auto drain_chain = [&] {
                for (auto c = q.pop(2); c.first != nullptr;)
                    take(std::exchange(c.first, c.first->next_owner));
            };
            if (q.size_hint() != 0) drain_chain();
            one.join();
            two.join();
            drain_chain();
            model::expect(q.empty_locked() && told == 2, "not empty");
            for (const job& j : jobs) model::expect(j.taken == 1, "lost, or taken twice");
        });
    }
}
