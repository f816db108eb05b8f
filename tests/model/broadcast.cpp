#include "tasks.hpp"

#include <doctest/doctest.h>

#include <memory>

#include <weir/broadcast.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

using model::drop;

namespace {

// Small enough to be copied as bytes, and large enough to be torn.
struct pair {
    std::uint64_t a, b;
};
pair value(int n) { return {static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(-n)}; }
int number(const pair& p) {
    model::expect(p.b == std::uint64_t{0} - p.a, "torn");
    return static_cast<int>(p.a);
}

// The other kind of slot: copies share a count that the model watches.
class text {
public:
    explicit text(int n) : n_(std::make_unique<int>(n)) {}
    text(const text& other) : n_(std::make_unique<int>(*other.n_)) {}
    text(text&&) noexcept = default;
    text& operator=(text&&) noexcept = default;
    [[nodiscard]] int number() const { return *n_; }

private:
    std::unique_ptr<int> n_;
};
int number(const text& t) { return t.number(); }

template <class T>
T make(int n) {
    if constexpr (std::is_same_v<T, text>)
        return text(n);
    else
        return value(n);
}

// Receives until the end; every value is received, or counted as missed, and in order.
template <class T>
weir::task<> receive_all(weir::broadcast::receiver<T> rx, int& accounted, int before = 0) {
    while (true) {
        auto const r = co_await rx.recv();
        if (r.is_closed()) break;
        if (r.is_lagged()) {
            before += static_cast<int>(r.lagged());
            accounted += static_cast<int>(r.lagged());
            continue;
        }
        model::expect(number(*r) == before + 1, "out of order");
        before = number(*r);
        ++accounted;
    }
}

template <class T>
weir::task<> receive_or_give_up(weir::broadcast::receiver<T> rx, int& accounted) {
    {
        auto const first = co_await weir::select(rx.recv(), weir::yield_now());
        if (first.index() == 0) {
            if (std::get<0>(first).is_closed()) co_return;
            ++accounted;
        }
    }
    const int before = accounted;
    co_await receive_all(std::move(rx), accounted, before);
}

template <class T>
void send_and_drop(weir::broadcast::sender<T>& tx, int count) {
    for (int n = 1; n <= count; ++n) static_cast<void>(tx.send(make<T>(n)));
    drop(tx);
}

}  // namespace

TEST_SUITE("broadcast") {
    TEST_CASE_TEMPLATE("every value reaches every receiver", T, pair, text) {
        model::check(std::is_same_v<T, pair> ? "broadcast: send against recv, words"
                                             : "broadcast: send against recv, counted",
                     [] {
                         auto [tx, rx] = weir::broadcast::channel<T>(2);
                         int accounted = 0;
                         model::thread other([&tx] { send_and_drop(tx, 2); });
                         model::run(receive_all(std::move(rx), accounted));
                         other.join();
                         model::expect(accounted == 2, "a value was lost");
                     });
    }

    TEST_CASE_TEMPLATE("a receiver that is too slow is told how many it missed", T, pair, text) {
        model::check(std::is_same_v<T, pair> ? "broadcast: lag against send, words"
                                             : "broadcast: lag against send, counted",
                     [] {
                         auto [tx, rx] = weir::broadcast::channel<T>(1);
                         int accounted = 0;
                         model::thread other([&tx] { send_and_drop(tx, 3); });
                         model::run(receive_all(std::move(rx), accounted));
                         other.join();
                         model::expect(accounted == 3, "a value was lost");
                     });
    }

    TEST_CASE_TEMPLATE("two receivers copy one value", T, pair, text) {
        model::check(std::is_same_v<T, pair> ? "broadcast: send against two receivers, words"
                                             : "broadcast: send against two receivers, counted",
                     [] {
                         auto [tx, rx] = weir::broadcast::channel<T>(1);
                         auto rx_2 = tx.subscribe();
                         int accounted_1 = 0, accounted_2 = 0;
                         model::thread one([&] { model::run(receive_all(std::move(rx_2), accounted_2)); });
                         model::thread two([&tx] { send_and_drop(tx, 1); });
                         model::run(receive_all(std::move(rx), accounted_1));
                         one.join();
                         two.join();
                         model::expect(accounted_1 == 1 && accounted_2 == 1, "a value was lost");
                     });
        model::check(std::is_same_v<T, pair> ? "broadcast: two try_recv against an overwriting send, words"
                                             : "broadcast: two try_recv against an overwriting send, counted",
                     [] {
                         auto [tx, rx] = weir::broadcast::channel<T>(1);
                         auto rx_2 = tx.subscribe();
                         static_cast<void>(tx.send(make<T>(1)));
                         const auto take = [](auto& from) {
                             auto const r = from.try_recv();
                             if (r.has_value()) model::expect(number(*r) <= 3, "torn");
                         };
                         model::thread one([&] { take(rx_2); });
                         model::thread two([&tx] {
                             for (int n = 2; n <= 3; ++n) static_cast<void>(tx.send(make<T>(n)));
                         });
                         take(rx);
                         one.join();
                         two.join();
                     });
    }

    TEST_CASE("a subscription sees what is sent after it") {
        model::check("broadcast: send against subscribe", [] {
            auto [tx, rx] = weir::broadcast::channel<text>(2);
            drop(rx);
            int accounted = 0;
            std::size_t receivers = 0;
            model::thread other([&, tx_2 = tx]() mutable {
                auto const sent = tx_2.send(text(1));
                if (sent) receivers = *sent;
                drop(tx_2);
            });
            auto late = tx.subscribe();
            drop(tx);
            model::run(receive_all(std::move(late), accounted));
            other.join();
            model::expect(accounted == static_cast<int>(receivers), "lost, or out of nowhere");
        });
    }

    TEST_CASE_TEMPLATE("a receiver that goes holds nothing up", T, pair, text) {
        model::check(std::is_same_v<T, pair> ? "broadcast: receiver drop against send, words"
                                             : "broadcast: receiver drop against send, counted",
                     [] {
                         auto [tx, rx] = weir::broadcast::channel<T>(1);
                         auto rx_2 = tx.subscribe();
                         int accounted = 0;
                         model::thread one([&] { drop(rx_2); });
                         model::thread two([&tx] { send_and_drop(tx, 2); });
                         model::run(receive_all(std::move(rx), accounted));
                         one.join();
                         two.join();
                         model::expect(accounted == 2, "a value was lost");
                     });
    }

    TEST_CASE("a cancelled recv has taken nothing") {
        model::check("broadcast: send against a recv that is cancelled", [] {
            auto [tx, rx] = weir::broadcast::channel<text>(2);
            int accounted = 0;
            model::thread other([&tx] { send_and_drop(tx, 2); });
            model::run(receive_or_give_up(std::move(rx), accounted));
            other.join();
            model::expect(accounted == 2, "a value was lost");
        });
    }
}
