// The readiness of descriptors, and what hangs on it. What the kernel does is a thread here: it makes
// something that a call finds, and then says so with an edge.

#include "tasks.hpp"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/epoll.h>

#include <cerrno>
#include <memory>

#include <weir/detail/net/io_operation.hpp>
#include <weir/select.hpp>
#include <weir/signal.hpp>
#include <weir/yield.hpp>

namespace {

namespace d = weir::detail;

// What a descriptor of this model has: things to take, and no system behind it.
class kernel_socket final : public d::simulated_socket {
public:
    explicit kernel_socket(model::atomic<int>& available) : available_(&available) {}

    ssize_t recv(void*, std::size_t, int) noexcept override {
        int there = available_->load(std::memory_order_relaxed);
        do {
            if (there == 0) {
                errno = EAGAIN;
                return -1;
            }
        } while (!available_->compare_exchange_weak(there, there - 1, std::memory_order_relaxed));
        return 1;
    }
    void close() noexcept override {}

    int bind(const sockaddr*, socklen_t) noexcept override { return -1; }
    int listen(int) noexcept override { return -1; }
    int connect(const sockaddr*, socklen_t) noexcept override { return -1; }
    int accept(d::io_ref&, sockaddr*, socklen_t*) noexcept override { return -1; }
    ssize_t sendmsg(const msghdr&) noexcept override { return -1; }
    short poll(short) noexcept override { return 0; }
    int shutdown(int) noexcept override { return -1; }
    int getsockname(sockaddr*, socklen_t*) noexcept override { return -1; }
    int getpeername(sockaddr*, socklen_t*) noexcept override { return -1; }
    int setsockopt(int, int, const void*, socklen_t) noexcept override { return -1; }
    int getsockopt(int, int, void*, socklen_t*) noexcept override { return -1; }

private:
    model::atomic<int>* available_;
};

struct kernel : d::simulated_network {
    using d::simulated_network::signal;
};

class receive_op : public d::io_attempt {
public:
    static constexpr weir::cancel_safety safety = weir::cancel_safety::safe;

    explicit receive_op(d::io_source& s) noexcept : io_attempt(s, d::io_direction::read) {}

    bool attempt() noexcept {
        return try_call([](const d::io_source& s) { return s.simulated()->recv(nullptr, 1, 0); }) !=
               status::blocked;
    }
    [[nodiscard]] bool take() const noexcept { return !error(); }
};
auto receive(d::io_source& s) { return d::io_operation<receive_op>(receive_op(s)); }

struct descriptor {
    model::atomic<int> available{0};
    d::io_ref source{std::make_unique<kernel_socket>(available)};

    void arrive(int count) {
        available.fetch_add(count, std::memory_order_relaxed);
        kernel::signal(*source, EPOLLIN);
    }
};

weir::task<> take(d::io_source& s, int& taken) {
    const bool ok = co_await receive(s);
    if (ok) ++taken;
}
weir::task<> take_or_give_up(d::io_source& s, int& taken) {
    auto const first = co_await weir::select(receive(s), weir::yield_now());
    if (first.index() == 0) ++taken;
}
weir::task<> take_twice(d::io_source& s, int& taken) {
    co_await take(s, taken);
    co_await take(s, taken);
}
// Says that the read beside it waits.
weir::task<> note_and_yield(model::atomic<bool>& reached) {
    reached.store(true, std::memory_order_relaxed);
    co_await weir::yield_now();
}
weir::task<> note_and_wait(model::atomic<bool>& reached, d::io_source& never) {
    reached.store(true, std::memory_order_relaxed);
    co_await receive(never);
}
weir::task<> wait_until_closed(d::io_source& s, model::atomic<bool>& waits, d::io_source& never) {
    auto const first = co_await weir::select(weir::biased, receive(s), note_and_wait(waits, never));
    model::expect(first.index() == 0 && !std::get<0>(first), "there was nothing to take");
}
weir::task<> take_until_closed(d::io_source& s, model::atomic<bool>& waits) {
    auto const first = co_await weir::select(weir::biased, receive(s), note_and_yield(waits));
    if (first.index() == 0) model::expect(!std::get<0>(first), "there was nothing to take");
}
weir::task<> hear(weir::detail::io_operation<d::signal_op> arrival, int& heard) {
    co_await std::move(arrival);
    ++heard;
}

}  // namespace

TEST_SUITE("io_source") {
    TEST_CASE("no readiness is lost between the call and the wait") {
        model::check("io_source: two edges against two reads", [] {
            descriptor s;
            int taken = 0;
            model::thread one([&] { s.arrive(1); });
            model::thread two([&] { s.arrive(1); });
            model::run(take_twice(*s.source, taken));
            one.join();
            two.join();
            model::expect(taken == 2, "something was left");
        });
    }

    TEST_CASE("who takes one of several wakes the next one") {
        model::check("io_source: one edge with two, against two reads", [] {
            descriptor s;
            int taken_1 = 0, taken_2 = 0;
            model::thread one([&] { s.arrive(2); });
            model::thread two([&] { model::run(take(*s.source, taken_1)); });
            model::run(take(*s.source, taken_2));
            one.join();
            two.join();
            model::expect(taken_1 == 1 && taken_2 == 1, "something was left");
        });
    }

    TEST_CASE("a cancelled read passes its right to look on") {
        model::check("io_source: an edge against a cancelled read and one behind it", [] {
            descriptor s;
            int taken_1 = 0, taken_2 = 0;
            model::thread one([&] { s.arrive(2); });
            model::thread two([&] { model::run(take(*s.source, taken_1)); });
            model::run(take_or_give_up(*s.source, taken_2));
            one.join();
            two.join();
            model::expect(taken_1 == 1, "something was left");
        });
    }

    TEST_CASE("closing fails who waits, and the memory stays until they have gone") {
        model::check("io_source: the owner goes against a read", [] {
            descriptor s, never;
            model::atomic<bool> waits{false};
            d::io_source& source = *s.source;
            model::thread other([&waits, last = std::move(s.source)]() mutable {
                while (!waits.load(std::memory_order_relaxed)) d::sync::spin_pause();
                model::drop(last);
            });
            model::run(wait_until_closed(source, waits, *never.source));
            other.join();
        });
        model::check("io_source: two owners go against a read that is cancelled", [] {
            descriptor s;
            model::atomic<bool> waits{false};
            d::io_source& source = *s.source;
            const auto go = [&waits](d::io_ref& owner) {
                while (!waits.load(std::memory_order_relaxed)) d::sync::spin_pause();
                model::drop(owner);
            };
            model::thread one([go, other = s.source]() mutable { go(other); });
            model::thread two([go, last = std::move(s.source)]() mutable { go(last); });
            model::run(take_until_closed(source, waits));
            one.join();
            two.join();
        });
    }
}

TEST_SUITE("signal") {
    TEST_CASE("a signal that arrives while a listener begins to wait is heard") {
        d::signal_table::listen(SIGUSR1);  // for all executions: the process keeps the handler
        model::check("signal: an arrival against a listener that goes to wait", [] {
            descriptor event;
            auto watch = std::make_shared<d::signal_watch>(d::signal_table::of(SIGUSR1), -1);
            watch->source = event.source;
            int heard = 0, before = 0;
            model::thread other([&] {
                before = 1;
                ::raise(SIGUSR1);
                kernel::signal(*event.source, EPOLLIN);
            });
            model::run(hear(d::io_operation<d::signal_op>(d::signal_op(watch)), heard));
            model::expect(heard == 1 && before == 1, "not heard, or not visible");
            other.join();
        });
    }
}
