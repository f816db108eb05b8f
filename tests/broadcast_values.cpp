// weir/broadcast.hpp: what becomes of the values.

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <weir/broadcast.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/broadcast.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
namespace broadcast = weir::broadcast;

namespace {

// Throws when it is copied, until it is told not to.
class throws_on_copy {
public:
    throws_on_copy(int v, const bool& throws) : value(v), throws_(&throws) {}
    throws_on_copy(const throws_on_copy& o) : value(o.value), throws_(o.throws_) {
        if (*throws_ && value == 2) throw std::runtime_error("this copy throws");
    }
    throws_on_copy(throws_on_copy&& o) noexcept : value(o.value), throws_(o.throws_) {}
    throws_on_copy& operator=(const throws_on_copy&) = delete;
    ~throws_on_copy() = default;

    int value;

private:
    const bool* throws_;
};

// Throws when it is moved for the n-th time.
class throws_on_send {
public:
    throws_on_send(int v, int& moves_left) : value(v), moves_left_(&moves_left) {}
    throws_on_send(const throws_on_send&) = default;
    throws_on_send(throws_on_send&& o) : value(o.value), moves_left_(o.moves_left_) {
        if (--*moves_left_ == 0) throw std::runtime_error("this move throws");
    }
    throws_on_send& operator=(const throws_on_send&) = delete;
    ~throws_on_send() {}

    int value;

private:
    int* moves_left_;
};

// Sends another value on the channel that it is destroyed in.
class sends_when_destroyed {
public:
    explicit sends_when_destroyed(broadcast::weak_sender<sends_when_destroyed>* channel, int left)
        : channel_(channel), left_(left) {}
    sends_when_destroyed(const sends_when_destroyed& o) : left_(o.left_) {}
    sends_when_destroyed(sends_when_destroyed&& o) noexcept
        : channel_(std::exchange(o.channel_, nullptr)), left_(o.left_) {}
    sends_when_destroyed& operator=(const sends_when_destroyed&) = delete;
    ~sends_when_destroyed() {
        if (channel_ == nullptr || left_ == 0) return;
        if (auto tx = channel_->upgrade())
            static_cast<void>(tx->send(sends_when_destroyed(channel_, left_ - 1)));
    }
    explicit operator int() const { return left_; }

private:
    broadcast::weak_sender<sends_when_destroyed>* channel_ = nullptr;
    int left_;
};

}  // namespace

TEST_SUITE("broadcast values") {
    TEST_CASE("a value is stored once, copied for each receiver, and destroyed when all have it") {
        ledger l;
        auto [tx, rx] = broadcast::channel<counted>(4);
        auto other = tx.subscribe();
        CHECK(tx.send(counted(l)).has_value());
        CHECK(l.made == 1);
        CHECK(l.copies == 0);
        static_cast<void>(rx.try_recv());
        CHECK(l.copies == 1);
        CHECK(l.live() == 1);
        static_cast<void>(other.try_recv());
        CHECK(l.copies == 2);
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
        CHECK(tx.empty());
    }

    TEST_CASE("an overwritten value is destroyed at once") {
        ledger l;
        auto [tx, rx] = broadcast::channel<counted>(2);
        for (int i = 0; i < 10; ++i) static_cast<void>(tx.send(counted(l, i)));
        CHECK(l.live() == 2);
        CHECK(l.objects == 2);
        CHECK(rx.try_recv().lagged() == 8);
        CHECK(rx.try_recv()->value == 8);
        CHECK(l.live() == 1);
    }

    TEST_CASE("dropping the sender overwrites nothing") {
        ledger l;
        auto [tx, rx] = broadcast::channel<counted>(2);
        for (int i = 0; i < 2; ++i) static_cast<void>(tx.send(counted(l, i)));
        { auto gone = std::move(tx); }
        CHECK(l.live() == 2);
        CHECK(rx.try_recv()->value == 0);
        CHECK(rx.try_recv()->value == 1);
        CHECK(rx.try_recv().is_closed());
    }

    TEST_CASE("unread values go with the last receiver that wanted them") {
        ledger l;
        auto [tx, rx] = broadcast::channel<counted>(4);
        static_cast<void>(tx.send(counted(l, 1)));
        auto other = tx.subscribe();
        static_cast<void>(tx.send(counted(l, 2)));
        CHECK(l.live() == 2);
        { auto gone = std::move(rx); }
        CHECK(l.live() == 1);
        CHECK(other.try_recv()->value == 2);
        CHECK(l.live() == 0);
        for (int i = 0; i < 6; ++i) static_cast<void>(tx.send(counted(l, i)));
        { auto gone = std::move(other); }
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE("a value that comes back was not copied") {
        broadcast::sender<std::shared_ptr<int>> tx(2);
        const auto p = std::make_shared<int>(1);
        auto failed = tx.send(p);
        CHECK(failed.error().value == p);
        CHECK(p.use_count() == 2);
    }

    TEST_CASE_TEMPLATE("a copy that throws fails that receive, and the next one goes on", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            bool throws = true;
            auto [tx, rx] = broadcast::channel<throws_on_copy>(4);
            auto other = tx.subscribe();
            for (int i = 1; i < 4; ++i) CHECK(tx.send(throws_on_copy(i, throws)).has_value());
            const auto first = co_await rx.recv();
            CHECK(first->value == 1);
            bool threw = false;
            try {
                static_cast<void>(co_await rx.recv());
            } catch (const std::runtime_error&) {
                threw = true;
            }
            CHECK(threw);
            CHECK_THROWS_AS(
                (static_cast<void>(other.try_recv()), static_cast<void>(other.try_recv())),
                std::runtime_error);
            CHECK(tx.size() == 1);
            throws = false;
            const auto third = co_await rx.recv();
            CHECK(third->value == 3);
            CHECK(other.try_recv()->value == 3);
        }());
    }

    TEST_CASE("a move that throws sends nothing and overwrites nothing") {
        int moves_left = 1000;
        auto [tx, rx] = broadcast::channel<throws_on_send>(1);
        static_cast<void>(tx.send(throws_on_send(1, moves_left)));
        moves_left = 2;  // the first makes the argument, the second fills the slot
        CHECK_THROWS_AS(static_cast<void>(tx.send(throws_on_send(2, moves_left))),
                        std::runtime_error);
        moves_left = 1000;
        CHECK(rx.size() == 1);
        CHECK(rx.try_recv()->value == 1);
        CHECK(rx.try_recv().is_empty());
        CHECK(tx.send(throws_on_send(3, moves_left)).has_value());
        CHECK(rx.try_recv()->value == 3);
    }

    TEST_CASE("over-aligned and large values lie where they should") {
        auto [tx, rx] = broadcast::channel<over_aligned>(3);
        for (int i = 0; i < 3; ++i) static_cast<void>(tx.send(over_aligned(i)));
        for (int i = 0; i < 3; ++i) {
            const auto r = rx.try_recv();
            CHECK(r->value == i);
            CHECK(r->aligned());
        }
        struct alignas(64) text : over_aligned {
            std::string s = std::string(100, 'x');
        };
        auto [ttx, trx] = broadcast::channel<text>(3);
        const text value_of_text;
        static_cast<void>(ttx.send(value_of_text));
        const auto t = trx.try_recv();
        CHECK(t->aligned());
        CHECK(t->s.size() == 100);
        using large = std::array<std::uint64_t, 100>;
        auto [ltx, lrx] = broadcast::channel<large>(2);
        large value{};
        value[99] = 7;
        static_cast<void>(ltx.send(value));
        CHECK((*lrx.try_recv())[99] == 7);
        auto [btx, brx] = broadcast::channel<bool>(2);
        static_cast<void>(btx.send(true));
        CHECK(*brx.try_recv());
    }

    TEST_CASE("a value that sends when it is destroyed does not lock the channel up") {
        std::optional<broadcast::weak_sender<sends_when_destroyed>> weak;
        auto [tx, rx] = broadcast::channel<sends_when_destroyed>(1);
        weak.emplace(tx.downgrade());
        static_cast<void>(tx.send(sends_when_destroyed(&*weak, 3)));
        static_cast<void>(
            tx.send(sends_when_destroyed(&*weak, 3)));  // overwrites: a chain of sends
        CHECK(show(rx.try_recv()).starts_with("lagged"));
        int received = 0;
        while (rx.try_recv().has_value()) ++received;
        CHECK(received >= 1);
        CHECK(tx.empty());
    }

    TEST_CASE("who is woken may send on the same channel at once") {
        auto [tx, rx] = broadcast::channel<boxed>(1);
        auto echo = [](broadcast::sender<boxed>& out,
                       broadcast::receiver<boxed>& in) -> foreign<int> {
            const auto r = co_await in.recv();
            static_cast<void>(out.send(boxed(int(*r) + 1)));
            static_cast<void>(out.send(boxed(int(*r) + 2)));
            co_return int(*r);
        };
        auto other = tx.subscribe();
        auto running = echo(tx, rx);
        CHECK_FALSE(running.done());
        static_cast<void>(tx.send(boxed(10)));
        REQUIRE(running.done());
        CHECK(running.value() == 10);
        CHECK(show(other.try_recv()) == "lagged 2");
        CHECK(show(other.try_recv()) == "12");
    }

    TEST_CASE_TEMPLATE("an aborted receiver whose locals send does not lock the channel up", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            struct sends_at_end {
                explicit sends_at_end(broadcast::sender<int> t) : tx(std::move(t)) {}
                ~sends_at_end() { static_cast<void>(tx.send(99)); }
                broadcast::sender<int> tx;
            };
            auto [tx, rx] = broadcast::channel<int>(2);
            auto h = weir::spawn([](broadcast::sender<int> t) -> weir::task<> {
                auto mine = t.subscribe();
                const sends_at_end last(t);
                static_cast<void>(co_await mine.recv());
            }(tx));
            const bool started = co_await until([&tx] { return tx.receiver_count() == 2; });
            REQUIRE(started);
            h.abort();
            static_cast<void>(co_await h.result());
            CHECK(show(rx.try_recv()) == "99");
            CHECK(tx.receiver_count() == 1);
        }());
    }
}
