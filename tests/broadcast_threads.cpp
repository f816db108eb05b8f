// weir/broadcast.hpp on plain threads.

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <weir/broadcast.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/broadcast.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace broadcast = weir::broadcast;

namespace {

// Kept as words, which a receiver must never see half written.
class words {
public:
    words(int sender, int n) : all_{} {
        for (std::size_t i = 0; i < all_.size(); ++i) all_[i] = word(sender, n) * (i + 1);
    }
    int sender() const { return static_cast<int>(all_[0] >> 32); }
    int number() const { return static_cast<int>(all_[0] & 0xffffffff); }
    bool whole() const {
        for (std::size_t i = 0; i < all_.size(); ++i)
            if (all_[i] != all_[0] * (i + 1)) return false;
        return true;
    }

private:
    static std::uint64_t word(int sender, int n) {
        return static_cast<std::uint64_t>(sender) << 32 | static_cast<std::uint64_t>(n);
    }
    std::array<std::uint64_t, 5> all_;
};

std::atomic<int> live_texts{0};

// Kept with a count.
class text {
public:
    text(int sender, int n) : sender_(sender), text_(std::to_string(n) + std::string(30, '.')) {
        ++live_texts;
    }
    text(const text& o) : sender_(o.sender_), text_(o.text_) { ++live_texts; }
    text(text&& o) noexcept : sender_(o.sender_), text_(std::move(o.text_)) { ++live_texts; }
    text& operator=(const text&) = delete;
    ~text() { --live_texts; }
    int sender() const { return sender_; }
    int number() const { return std::stoi(text_); }
    bool whole() const { return text_.ends_with(std::string(30, '.')); }

private:
    int sender_;
    std::string text_;
};

// What one receiver has found.
struct account {
    std::uint64_t received = 0;
    std::uint64_t missed = 0;
    bool in_order = true;
    bool whole = true;

    template <class T>
    void add(const broadcast::recv_result<T>& r) {
        missed += r.lagged();
        if (!r.has_value()) return;
        ++received;
        whole = whole && r->whole();
        int& last = last_[static_cast<std::size_t>(r->sender())];
        in_order = in_order && r->number() > last;
        last = r->number();
    }

private:
    std::array<int, 2> last_{-1, -1};
};

template <class T>
account receive_all(broadcast::receiver<T> rx) {
    account a;
    for (;;) {
        const auto r = rx.blocking_recv();
        if (r.is_closed()) return a;
        a.add(r);
    }
}

template <class T>
void stress(std::size_t capacity, int count) {
    constexpr int senders = 2, receivers = 3;
    broadcast::sender<T> tx(capacity);
    std::array<account, receivers> accounts;
    {
        std::vector<std::jthread> threads;
        for (auto& a : accounts)
            threads.emplace_back(
                [&a, rx = tx.subscribe()]() mutable { a = receive_all(std::move(rx)); });
        for (int s = 0; s < senders; ++s)
            threads.emplace_back([s, count, mine = tx]() mutable {
                for (int i = 0; i < count; ++i) static_cast<void>(mine.send(T(s, i)));
            });
        { auto gone = std::move(tx); }
    }
    for (const account& a : accounts) {
        CHECK(a.in_order);
        CHECK(a.whole);
        CHECK(a.received + a.missed == std::uint64_t{senders} * static_cast<std::uint64_t>(count));
    }
}

}  // namespace

TEST_SUITE("broadcast on threads") {
    TEST_CASE("each receiver sees both senders' values in order, and counts what it missed") {
        for (const std::size_t capacity : {1u, 2u, 7u, 64u}) {
            stress<words>(capacity, 10'000);
            stress<text>(capacity, 5'000);
        }
        CHECK(live_texts == 0);
    }

    TEST_CASE("receivers that come and go while the ring overflows leak nothing") {
        ledger l;
        {
            broadcast::sender<counted> tx(2);
            std::atomic<bool> stop{false};
            std::vector<std::jthread> threads;
            for (int t = 0; t < 2; ++t)
                threads.emplace_back([&stop, mine = tx] {
                    while (!stop.load()) {
                        auto rx = mine.subscribe();
                        for (int i = 0; i < 5; ++i) static_cast<void>(rx.try_recv());
                        auto moved = std::move(rx);
                    }
                });
            for (int i = 0; i < 20'000; ++i) static_cast<void>(tx.send(counted(l, i)));
            stop = true;
        }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("a task and a thread receive from the same channel", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = broadcast::channel<std::string>(8);
        std::atomic<int> seen{0};
        std::jthread receiver([&seen, mine = tx.subscribe()]() mutable {
            for (;;) {
                const auto r = mine.blocking_recv();
                if (r.is_closed()) return;
                if (r.has_value()) ++seen;
            }
        });
        const int by_task =
            rt.block_on([](broadcast::sender<std::string> t, broadcast::receiver<std::string> r,
                           std::atomic<int>& other) -> weir::task<int> {
                int n = 0;
                for (int i = 0; i < 500; ++i) {
                    static_cast<void>(t.send(std::to_string(i)));
                    const auto got = co_await r.recv();
                    if (got.has_value() && *got == std::to_string(i)) ++n;
                    while (other.load() <= i) co_await weir::yield_now();
                }
                co_return n;
            }(std::move(tx), std::move(rx), seen));
        CHECK(by_task == 500);
        receiver.join();
        CHECK(seen == 500);
    }

    TEST_CASE_TEMPLATE("a thread wakes a task that waits", R, WEIR_RUNTIMES) {
        R rt;
        auto [tx, rx] = broadcast::channel<int>(8);
        auto [back_tx, back_rx] = broadcast::channel<int>(8);
        std::jthread echo([in = std::move(back_rx), out = std::move(tx)]() mutable {
            for (;;) {
                const auto r = in.blocking_recv();
                if (!r.has_value()) return;
                static_cast<void>(out.send(*r));
            }
        });
        rt.block_on([](broadcast::sender<int> out, broadcast::receiver<int> in) -> weir::task<> {
            for (int i = 0; i < 300; ++i) {
                static_cast<void>(out.send(i));
                const auto r = co_await in.recv();
                CHECK(show(r) == std::to_string(i));
            }
        }(std::move(back_tx), std::move(rx)));
    }

    TEST_CASE_TEMPLATE("blocking_recv on a thread that runs tasks is refused", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = broadcast::channel<int>(8);
            static_cast<void>(tx.send(1));
            CHECK_THROWS_AS(static_cast<void>(rx.blocking_recv()), weir::blocking_in_async_error);
            CHECK(show(rx.try_recv()) == "1");
            co_return;
        }());
    }

    TEST_CASE("a send goes on while a value that was overwritten is still being copied") {
        static std::atomic<bool> copying, go_on;
        struct slow {
            explicit slow(int v) : value(v) {}
            slow(const slow& o) : value(o.value) {
                if (value != 0) return;
                copying = true;
                while (!go_on.load()) std::this_thread::yield();
            }
            slow(slow&& o) noexcept : value(o.value) {}
            slow& operator=(const slow&) = delete;
            ~slow() = default;
            int value;
        };
        copying = go_on = false;
        auto [tx, rx] = broadcast::channel<slow>(1);
        auto other = tx.subscribe();
        static_cast<void>(tx.send(slow(0)));
        int first = -1;
        std::jthread reader(
            [&first, in = std::move(rx)]() mutable { first = in.try_recv()->value; });
        while (!copying.load()) std::this_thread::yield();
        CHECK(tx.send(slow(1)).has_value());  // overwrites what is being copied
        CHECK(other.try_recv().lagged() == 1);
        CHECK(other.try_recv()->value == 1);
        go_on = true;
        reader.join();
        CHECK(first == 0);
    }
}
