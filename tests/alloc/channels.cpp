// What channels allocate: their state, blocks of an unbounded one, and nothing else.

#include <chrono>
#include <cstdint>
#include <doctest/doctest.h>
#include <string>
#include <utility>
#include <vector>

#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

#include "common/counting_new.hpp"

using namespace std::chrono_literals;
using weir_test::allocation_count;
namespace mpsc = weir::mpsc;
namespace mpmc = weir::mpmc;

namespace {

// A value with a destructor, of the size of a small command.
class command {
public:
    explicit command(int k = 0) : key(k) {}
    command(command&& o) noexcept : key(o.key) {}
    command& operator=(command&& o) noexcept {
        key = o.key;
        return *this;
    }
    ~command() { key = -1; }

    int key;
};

template <class Sender>
weir::task<> send_each(Sender tx, int n) {
    for (int i = 0; i < n; ++i) {
        auto sent = co_await tx.send(command(i));
        CHECK(sent.has_value());
    }
}

template <class Sender>
weir::task<> send_each_in_time(Sender tx, int n) {
    for (int i = 0; i < n; ++i) {
        auto sent = co_await tx.send_for(command(i), 1h);
        CHECK(sent.has_value());
    }
}

template <class Sender>
weir::task<> reserve_each(Sender tx, int n) {
    for (int i = 0; i < n; ++i) {
        auto permit = co_await tx.reserve();
        permit->send(command(i));
        auto permits = co_await tx.reserve_many(1);
        permits->send(command(i));
        auto owned = co_await std::move(tx).reserve_owned();
        tx = owned->send(command(i));
    }
}

template <class Receiver>
weir::task<int> receive_all(Receiver rx) {
    int n = 0;
    std::vector<command> some;
    some.reserve(4);
    for (;;) {
        auto one = co_await rx.recv();
        if (!one) break;
        ++n;
        const std::size_t more = co_await rx.recv_many(some, 4);
        if (more == 0) break;
        n += static_cast<int>(more);
        some.clear();
    }
    co_return n;
}

template <class Channel>
void waits_allocate_nothing(Channel channel) {
    weir::current_thread_runtime rt;
    rt.block_on([](Channel ends) -> weir::task<> {
        auto& [tx, rx] = ends;
        co_await weir::spawn(send_each(tx, 1));  // what the thread keeps for its frames
        CHECK(rx.try_recv().has_value());
        auto a = weir::spawn(send_each(tx, 300));
        auto b = weir::spawn(send_each_in_time(tx, 300));
        auto c = weir::spawn(reserve_each(tx, 100));
        { auto last = std::move(tx); }
        auto first = weir::spawn(receive_all(std::move(rx)));
        const allocation_count all;
        co_await a;
        co_await b;
        co_await c;
        const int received = co_await first;
        CHECK(received == 900);
        CHECK(all.get() <= 1);  // the receiver's vector
    }(std::move(channel)));
}

template <class Channel>
void burst(Channel channel, int count) {
    auto& [tx, rx] = channel;
    const allocation_count all;
    for (int i = 0; i < count; ++i) CHECK(tx.send(command(i)).has_value());
    CHECK(all.get() <= count / 32 + 1);
    for (int i = 0; i < count; ++i) CHECK(rx.try_recv()->key == i);
    CHECK(rx.empty());
    CHECK(all.live() <= 4 * 32 * static_cast<long>(sizeof(command) + 4));
    const allocation_count afterwards;
    for (int i = 0; i < 1000; ++i) {
        for (int k = 0; k < 40; ++k) CHECK(tx.send(command(k)).has_value());
        for (int k = 0; k < 40; ++k) CHECK(rx.try_recv()->key == k);
    }
    CHECK(afterwards.get() <= 2);  // the spare blocks go round
}

}  // namespace

TEST_SUITE("allocations of channels") {
    TEST_CASE("a bounded channel is one allocation, and small while it is empty") {
        const allocation_count all;
        {
            auto [tx, rx] = mpsc::channel<std::uint64_t>(32);
            CHECK(all.get() == 1);
            CHECK(all.bytes() <= 512);
            auto copy = tx;
            auto weak = copy.downgrade();
            auto permit = tx.try_reserve();
            CHECK(all.get() == 1);
        }
        {
            auto [tx, rx] = mpmc::channel<std::string>(32);
            auto copy = rx;
            CHECK(all.get() == 2);
        }
        CHECK(all.live() == 0);
    }

    TEST_CASE("an unbounded channel is one allocation until it is used") {
        const allocation_count all;
        {
            auto [tx, rx] = mpsc::unbounded_channel<std::uint64_t>();
            CHECK(all.get() == 1);
            CHECK(all.bytes() <= 512);
            CHECK(tx.send(1).has_value());
            CHECK(all.get() == 2);
        }
        CHECK(all.live() == 0);
    }

    TEST_CASE("no wait allocates") {
        waits_allocate_nothing(mpsc::channel<command>(2));
        waits_allocate_nothing(mpmc::channel<command>(2));
    }

    TEST_CASE("an unbounded channel returns what a burst has taken, and then allocates no more") {
        burst(mpsc::unbounded_channel<command>(), 100'000);
        burst(mpmc::unbounded_channel<command>(), 100'000);
    }

    TEST_CASE("recv_many returns the blocks of a burst too") {
        auto [tx, rx] = mpsc::unbounded_channel<command>();
        const allocation_count all;
        for (int i = 0; i < 100'000; ++i) CHECK(tx.send(command(i)).has_value());
        {
            std::vector<command> out;
            CHECK(rx.blocking_recv_many(out, 60'000) == 60'000);
            CHECK(rx.blocking_recv_many(out, 60'000) == 40'000);
            CHECK(out.back().key == 99'999);
        }
        CHECK(all.live() <= 4 * 32 * static_cast<long>(sizeof(command) + 4));
    }

    TEST_CASE("a vector with room is not reallocated by recv_many") {
        auto [tx, rx] = mpsc::channel<command>(8);
        std::vector<command> out;
        out.reserve(8);
        for (int i = 0; i < 8; ++i) CHECK(tx.try_send(command(i)).has_value());
        const allocation_count all;
        CHECK(rx.blocking_recv_many(out, 100) == 8);
        CHECK(all.get() == 0);
    }
}

TEST_SUITE("sizes of channels") {
    TEST_CASE_TEMPLATE("handles and permits are at most two words", Handle, mpsc::sender<int>,
                       mpsc::receiver<int>, mpsc::weak_sender<int>, mpsc::permit<int>,
                       mpsc::permits<int>, mpsc::owned_permit<int>, mpsc::unbounded_sender<int>,
                       mpsc::unbounded_receiver<int>, mpsc::weak_unbounded_sender<int>,
                       mpmc::sender<int>, mpmc::receiver<int>, mpmc::weak_sender<int>,
                       mpmc::permits<int>, mpmc::unbounded_receiver<int>) {
        CHECK(sizeof(Handle) <= 16);
    }
}
