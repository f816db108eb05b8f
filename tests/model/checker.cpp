// The checker finds what it is there to find, and nothing else.

#include <doctest/doctest.h>

#include <coroutine>
#include <memory>

#include "checker/model.hpp"

namespace {

using std::memory_order_acq_rel;
using std::memory_order_acquire;
using std::memory_order_relaxed;
using std::memory_order_release;
using std::memory_order_seq_cst;

void passes(const std::function<void()>& body, int preemptions = 3) {
    const model::result r = model::explore(body, {.preemptions = preemptions});
    CHECK_MESSAGE(r.passed, r.failure);
}

void finds(const char* what, const std::function<void()>& body, int preemptions = 3) {
    const model::result r = model::explore(body, {.preemptions = preemptions});
    CHECK_FALSE(r.passed);
    CHECK_MESSAGE(r.failure.find(what) != std::string::npos, r.failure);
}

void publish(std::memory_order store, std::memory_order load) {
    int data = 0;
    model::atomic<int> ready{0};
    model::thread writer([&] {
        data = 1;
        ready.store(1, store);
    });
    if (ready.load(load) == 1) model::expect(data == 1, "the data was not there");
    writer.join();
}

// Dekker's store buffer: with less than seq_cst both may read 0.
void store_buffer(std::memory_order store, std::memory_order load) {
    model::atomic<int> x{0}, y{0};
    int a = 1;
    model::thread other([&] {
        x.store(1, store);
        a = y.load(load);
    });
    y.store(1, store);
    const int b = x.load(load);
    other.join();
    model::expect(a != 0 || b != 0, "both read 0");
}

struct node {
    node* next = nullptr;
};
// Treiber's stack: two threads push while a third one takes all.
void push_and_take(std::memory_order success) {
    model::atomic<node*> head{nullptr};
    const auto push = [&] {
        auto* const n = new node;
        node* seen = head.load(memory_order_relaxed);
        do n->next = seen;
        while (!head.compare_exchange_weak(seen, n, success, memory_order_relaxed));
    };
    int count = 0;
    const auto take_all = [&] {
        for (node* n = head.exchange(nullptr, memory_order_acquire); n != nullptr; ++count)
            delete std::exchange(n, n->next);
    };
    model::thread first(push), second(push);
    take_all();
    first.join();
    second.join();
    take_all();
    model::expect(count == 2, "one was lost");
}

}  // namespace

TEST_SUITE("model checker") {
    TEST_CASE("publishing needs a release and an acquire") {
        passes([] { publish(memory_order_release, memory_order_acquire); });
        finds("data race with a write by thread 1",
              [] { publish(memory_order_relaxed, memory_order_acquire); });
        finds("data race", [] { publish(memory_order_release, memory_order_relaxed); });
    }

    TEST_CASE("an unordered write after a read is a race") {
        finds("data race", [] {
            int data = 0;
            model::thread reader([&] { model::expect(data >= 0, "never"); });
            data = 1;
            reader.join();
        });
    }

    TEST_CASE("store buffering needs seq_cst") {
        passes([] { store_buffer(memory_order_seq_cst, memory_order_seq_cst); });
        finds("both read 0", [] { store_buffer(memory_order_release, memory_order_acquire); });
        finds("both read 0", [] { store_buffer(memory_order_seq_cst, memory_order_acquire); });
        finds("both read 0", [] { store_buffer(memory_order_release, memory_order_seq_cst); });
    }

    TEST_CASE("messages are passed on through a third thread, and coherence holds") {
        passes([] {
            model::atomic<int> x{0}, y{0};
            model::thread first([&] { x.store(1, memory_order_relaxed); });
            model::thread second([&] {
                if (x.load(memory_order_relaxed) == 1) y.store(1, memory_order_release);
            });
            if (y.load(memory_order_acquire) == 1)
                model::expect(x.load(memory_order_relaxed) == 1, "went back in time");
            first.join();
            second.join();
        });
    }

    TEST_CASE("an update goes on with a release sequence, a store breaks it") {
        const auto chain = [](bool update) {
            int data = 0;
            model::atomic<int> x{0};
            model::thread writer([&] {
                data = 1;
                x.store(1, memory_order_release);
            });
            model::thread between([&] {
                if (update)
                    x.fetch_add(1, memory_order_relaxed);
                else if (x.load(memory_order_relaxed) == 1)
                    x.store(2, memory_order_relaxed);
            });
            if (x.load(memory_order_acquire) == 2) model::expect(data == 1, "not there");
            writer.join();
            between.join();
        };
        passes([&] { chain(true); });
        finds("data race", [&] { chain(false); });
    }

    TEST_CASE("read-modify-writes lose nothing, a load and a store do") {
        const auto count = [](bool atomically) {
            model::atomic<int> n{0};
            const auto add = [&] {
                if (atomically)
                    n.fetch_add(1, memory_order_relaxed);
                else
                    n.store(n.load(memory_order_relaxed) + 1, memory_order_relaxed);
            };
            model::thread other(add);
            add();
            other.join();
            model::expect(n.load(memory_order_relaxed) == 2, "one was lost");
        };
        passes([&] { count(true); });
        finds("one was lost", [&] { count(false); });
    }

    TEST_CASE("a weak compare-exchange may fail for nothing") {
        const auto once = [](bool weak) {
            model::atomic<int> n{0};
            int expected = 0;
            model::expect(weak ? n.compare_exchange_weak(expected, 1, memory_order_relaxed)
                               : n.compare_exchange_strong(expected, 1, memory_order_relaxed),
                          "failed");
        };
        passes([&] { once(false); });
        finds("failed", [&] { once(true); });
    }

    TEST_CASE("a mutex excludes, and what it guards needs no order") {
        passes([] {
            model::mutex m;
            int n = 0;
            const auto add = [&] {
                m.lock();
                ++n;
                m.unlock();
            };
            model::thread one(add), two(add);
            add();
            one.join();
            two.join();
            model::expect(n == 3, "one was lost");
        }, 2);
    }

    TEST_CASE("Treiber's stack passes, and without its release it races") {
        passes([] { push_and_take(memory_order_release); });
        finds("data race", [] { push_and_take(memory_order_relaxed); });
    }

    TEST_CASE("a lost wake-up is a deadlock") {
        const auto wait = [](bool look_again) {
            model::parker p;
            model::atomic<bool> waits{false}, done{false};
            model::thread waker([&] {
                done.store(true, memory_order_seq_cst);
                if (waits.load(memory_order_seq_cst)) p.unpark();
            });
            if (!done.load(memory_order_seq_cst)) {
                waits.store(true, memory_order_seq_cst);
                if (!look_again || !done.load(memory_order_seq_cst)) p.park();
            }
            waker.join();
        };
        passes([&] { wait(true); });
        finds("deadlock", [&] { wait(false); });
    }

    TEST_CASE("spinning for what never comes is a livelock, for what comes it is none") {
        finds("livelock", [] {
            model::atomic<bool> stop{false};
            while (!stop.load(memory_order_relaxed)) weir::detail::sync::spin_pause();
        });
        passes([] {
            model::atomic<bool> stop{false};
            model::thread other([&] { stop.store(true, memory_order_relaxed); });
            while (!stop.load(memory_order_relaxed)) weir::detail::sync::spin_pause();
            other.join();
        });
    }

    TEST_CASE("memory is accounted for") {
        finds("leak of 1 blocks", [] { [[maybe_unused]] int* volatile const p = new int(1); });
        // Through volatile pointers: what is never used is never allocated either.
        finds("freed twice", [] {
            int* volatile const p = new int(1);
            delete p;
            delete p;
        });
        finds("use after free", [] {
            int* volatile const p = new int(1);
            delete p;
            model::expect(*p == 1, "never");
        });
        finds("use after free", [] {
            model::atomic<int>* volatile const p = new model::atomic<int>(1);
            delete p;
            p->store(1, memory_order_relaxed);
        });
        finds("data race", [] {  // the last release of the count must be acquired
            auto* const count = new model::atomic<int>(2);
            const auto drop = [&] {
                if (count->fetch_sub(1, memory_order_relaxed) == 1) delete count;
            };
            model::thread other(drop);
            drop();
            other.join();
        });
        passes([] {
            auto shared = std::make_shared<int>(1);
            model::thread other([shared]() mutable {
                ++*shared;
                shared.reset();
            });
            shared.reset();
            other.join();
        });
    }

    TEST_CASE("threads have their own thread-local pointers, empty in each execution") {
        passes([] {
            using slot = weir::detail::sync::thread_slot<int, struct here>;
            int mine = 0, its = 0;
            model::expect(slot::get() == nullptr, "left over");
            slot::set(&mine);
            model::thread other([&] {
                model::expect(slot::get() == nullptr, "shared");
                slot::set(&its);
            });
            model::expect(slot::get() == &mine, "overwritten");
            other.join();
        });
    }

    TEST_CASE("a failure can be replayed, and random executions find it too") {
        const auto body = [] { store_buffer(memory_order_release, memory_order_acquire); };
        const model::result found = model::explore(body, {});
        REQUIRE_FALSE(found.passed);
        const model::result again = model::explore(body, {.replay = found.choices});
        CHECK(again.executions == 1);
        CHECK(again.failure == found.failure);
        CHECK_FALSE(model::explore(body, {.random_executions = 10'000, .seed = 1}).passed);
    }
}
