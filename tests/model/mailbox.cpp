// The mailbox protocol of detail/core/owner.hpp by itself.

#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/oneshot.hpp>

namespace {

namespace d = weir::detail;

// An owner on the thread that runs the model, which takes its nodes out by hand.
struct thread_home final : d::scheduler {
    void schedule(d::owner&) noexcept override { wake.unpark(); }
    model::parker wake;
};

void post(d::wait_node& n) {
    if (d::owner* const o = d::owner::post(n)) o->home().schedule(*o);
}

// What a primitive with one waiter does.
struct gate {
    d::small_lock lock;
    d::wait_node* waiter = nullptr;
    bool open = false;

    bool wait(d::wait_node& n) {
        d::scoped_lock guard(lock);
        if (open) return false;
        n.state = d::wait_node::phase::waiting;
        waiter = &n;
        return true;
    }
    void open_one() {
        d::wake_list wakes;
        d::scoped_lock guard(lock);
        if (waiter == nullptr) {
            open = true;
            return;
        }
        waiter->granted = true;
        wakes.wake(*std::exchange(waiter, nullptr));
    }
    // Passes a grant on, as every primitive must.
    void cancel(d::wait_node& n) {
        d::scoped_lock guard(lock);
        if (n.state == d::wait_node::phase::waiting)
            waiter = nullptr;
        else if (n.state != d::wait_node::phase::idle)
            n.who->retract(n);
        if (std::exchange(n.granted, false)) open = true;
    }
};

weir::task<> receive(weir::oneshot::receiver<model::parcel> rx, bool& received) {
    received = (co_await rx).has_value();
}

struct reads_at_the_end {
    ~reads_at_the_end() { model::expect(*value == 1, "not visible"); }
    int* value;
};
weir::task<> wait_for_nothing(weir::oneshot::receiver<model::parcel> rx, int& value) {
    reads_at_the_end const end{&value};
    co_await rx;
}

}  // namespace

TEST_SUITE("mailbox") {
    TEST_CASE("each posted node is resumed once, and the owner never sleeps over one") {
        model::check("mailbox: two posts against collect and park", [] {
            thread_home home;
            d::owner o(home, false);
            d::wait_node first(o), second(o);
            model::thread one([&] { post(first); });
            model::thread two([&] { post(second); });
            int got_first = 0, got_second = 0;
            while (got_first + got_second < 2) {
                o.collect(false);
                while (d::wait_node* const n = o.pop_taken()) ++(n == &first ? got_first : got_second);
                if (got_first + got_second < 2 && o.try_park()) home.wake.park();
            }
            model::expect(got_first == 1 && got_second == 1, "a node came twice");
            one.join();
            two.join();
        });
    }

    TEST_CASE("nodes of one thread come in the order of their posting") {
        model::check("mailbox: three posts of one thread", [] {
            thread_home home;
            d::owner o(home, true);
            d::wait_node nodes[] = {d::wait_node(o), d::wait_node(o), d::wait_node(o)};
            model::thread poster([&] {
                for (d::wait_node& n : nodes) post(n);
            });
            home.wake.park();
            int next = 0;
            while (next < 3) {
                o.collect(false);
                while (d::wait_node* const n = o.pop_taken())
                    model::expect(n == &nodes[next++], "out of order");
                if (next < 3 && o.try_park()) home.wake.park();
            }
            poster.join();
        });
    }

    TEST_CASE("what parked writes is visible to who is scheduled") {
        model::check("mailbox: an owner handed from thread to thread", [] {
            thread_home home;
            d::owner o(home, false);
            d::wait_node first(o), second(o);
            int turns = 0;
            const auto turn = [&] {
                o.collect(false);
                while (o.pop_taken() != nullptr) ++turns;
                o.next_owner = nullptr;
                return o.try_park();
            };
            // Whoever claims the owner may link it at once, and runs its turn on its own thread.
            const auto post_and_run = [&](d::wait_node& n) {
                d::owner* const claimed = d::owner::post(n);
                if (claimed == nullptr) return;
                claimed->next_owner = claimed;
                while (!turn()) continue;
            };
            model::thread other([&] { post_and_run(first); });
            while (!turn()) continue;
            post_and_run(second);
            other.join();
            model::expect(turns == 2, "a node was lost");
        });
    }

    TEST_CASE("a worker that claims a task of its pool has the turn") {
        model::check("mailbox: a worker's send against a task that parks", [] {
            auto [tx, rx] = weir::oneshot::channel<model::parcel>();
            bool received = false;
            model::local_task t(receive(std::move(rx), received));
            model::thread other([&] {
                d::execution here;
                here.pool = &t.header().home();
                d::execution::set(&here);
                static_cast<void>(tx.send(model::parcel(7)));
                d::execution::set(nullptr);
            });
            t.run();
            other.join();
            model::expect(received, "the value was lost");
        });
    }

    TEST_CASE("a grant that meets a cancellation is neither lost nor given twice") {
        model::check("mailbox: grant against cancel", [] {
            thread_home home;
            d::owner o(home, false);
            gate g;
            d::wait_node n(o);
            model::thread opener([&] { g.open_one(); });
            const bool waited = g.wait(n);
            if (waited) g.cancel(n);
            o.collect(false);
            model::expect(o.pop_taken() == nullptr, "resumed after its cancellation");
            if (!o.try_park()) o.collect(false);
            opener.join();
            model::expect(g.open, "the grant was lost");
        });
        model::check("mailbox: grant against cancel, with another node in the mailbox", [] {
            thread_home home;
            d::owner o(home, false);
            gate g;
            d::wait_node n(o), other(o);
            model::thread opener([&] { g.open_one(); });
            model::thread poster([&] { post(other); });
            const bool waited = g.wait(n);
            if (waited) g.cancel(n);
            d::wait_node* got = nullptr;
            for (o.collect(false); (got = o.pop_taken()) == nullptr; o.collect(false))
                if (o.try_park()) home.wake.park();
            model::expect(got == &other, "resumed after its cancellation");
            opener.join();
            poster.join();
            model::expect(g.open, "the grant was lost");
        });
    }

    TEST_CASE("an abort reaches a task that runs, waits or is being woken") {
        model::check("mailbox: abort against send against a waiting task", [] {
            auto [tx, rx] = weir::oneshot::channel<model::parcel>();
            bool received = false;
            {
                model::local_task t(receive(std::move(rx), received));
                model::thread sender([&tx] { static_cast<void>(tx.send(model::parcel(7))); });
                model::thread aborter([&] { t.header().abort(); });
                t.run();
                sender.join();
                aborter.join();
            }
        });
        model::check("mailbox: what was written before an abort is visible to destructors", [] {
            auto [tx, rx] = weir::oneshot::channel<model::parcel>();
            int value = 0;
            model::local_task t(wait_for_nothing(std::move(rx), value));
            model::thread aborter([&] {
                value = 1;
                t.header().abort();
            });
            t.run();
            aborter.join();
        });
    }
}
