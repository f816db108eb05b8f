// Every allocation fails once: what throws std::bad_alloc has done nothing, and all goes on.

#define WEIR_TEST_DEFINE_OPERATOR_NEW
#include <weir/test.hpp>

#include <chrono>
#include <doctest/doctest.h>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <weir/weir.hpp>

#include "../common/probes.hpp"
#include "../common/tcp.hpp"

using namespace std::chrono_literals;
using namespace weir_test;
using weir::test::allocation_failure;
using weir::test::fail_allocations_everywhere;
using weir::test::failures;
using weir::test::simulation;

namespace {

// Runs `f` while an allocation fails. Nothing: it has thrown bad_alloc.
template <class F>
auto attempt(const allocation_failure& failure, F f) {
    using result = decltype(f());
    if constexpr (std::is_void_v<result>) {
        try {
            const auto armed = failure.arm();
            f();
            return true;
        } catch (const std::bad_alloc&) {
            return false;
        }
    } else {
        std::optional<result> value;
        try {
            const auto armed = failure.arm();
            value.emplace(f());
        } catch (const std::bad_alloc&) {
        }
        return value;
    }
}

// Runs the body for each allocation that can fail, and with all later ones failing too.
template <class F>
void sweep(std::uint64_t least, F f) {
    for (const failures mode : {failures::one, failures::all_later}) {
        const std::uint64_t count = fail_allocations_everywhere(f, mode);
        CHECK(count >= least);
    }
}

template <class Tx, class Rx>
void sends_and_receives(Tx& tx, Rx& rx) {
    CHECK(tx.try_send(1).has_value());
    CHECK(rx.try_recv() == 1);
}

weir::task<> adds(int& to, int amount) {
    co_await weir::yield_now();
    to += amount;
}

weir::task<int> yields(int value) {
    co_await weir::yield_now();
    co_return value;
}

}  // namespace

TEST_SUITE("failing allocations") {
    TEST_CASE("the sweep counts and frees") {
        int runs = 0;
        CHECK(fail_allocations_everywhere([&](allocation_failure failure) {
            ++runs;
            const bool made = attempt(failure, [] {
                auto const a = weir::oneshot::channel<int>();  // which no optimiser leaves out
                auto const b = weir::oneshot::channel<int>();
            });
            CHECK(made == !failure.has_happened());
        }) == 2);
        CHECK(runs == 3);
        CHECK_THROWS_AS(fail_allocations_everywhere([kept = std::vector<std::unique_ptr<int>>()](
                                                        allocation_failure) mutable {
            kept.push_back(std::make_unique<int>(1));
        }), weir::test::run_failed);
    }

    TEST_CASE("making a channel") {
        sweep(1, [](allocation_failure failure) {
            auto ends = attempt(failure, [] { return weir::mpsc::channel<int>(4); });
            CHECK(ends.has_value() == !failure.has_happened());
            if (ends) sends_and_receives(ends->first, ends->second);
        });
        sweep(1, [](allocation_failure failure) {
            auto ends = attempt(failure, [] { return weir::mpmc::channel<int>(4); });
            if (ends) sends_and_receives(ends->first, ends->second);
        });
        sweep(1, [](allocation_failure failure) {
            auto ends = attempt(failure, [] { return weir::oneshot::channel<int>(); });
            CHECK(ends.has_value() == !failure.has_happened());
        });
        sweep(1, [](allocation_failure failure) {
            auto ends = attempt(failure, [] { return weir::broadcast::channel<int>(4); });
            CHECK(ends.has_value() == !failure.has_happened());
        });
        sweep(1, [](allocation_failure failure) {
            auto ends = attempt(failure, [] { return weir::watch::channel<int>(4); });
            CHECK(ends.has_value() == !failure.has_happened());
        });
    }

    TEST_CASE("an unbounded send that has thrown has sent nothing, and the next one sends") {
        sweep(1, [](allocation_failure failure) {
            ledger l;
            {
                auto [tx, rx] = weir::mpsc::unbounded_channel<counted>();
                int sent = 0;
                for (int i = 0; i < 40; ++i)
                    CHECK(tx.send(counted(l, sent++)).has_value());
                attempt(failure, [&t = tx, &sent, &l] {
                    for (int i = 0; i < 200; ++i) {
                        static_cast<void>(t.send(counted(l, sent)));
                        ++sent;
                    }
                });
                CHECK(tx.send(counted(l, sent++)).has_value());
                for (int i = 0; i < sent; ++i) {
                    auto got = rx.try_recv();
                    REQUIRE(got.has_value());
                    CHECK(got->value == i);
                }
                CHECK_FALSE(rx.try_recv().has_value());
            }
            CHECK(l.live() == 0);
        });
    }

    TEST_CASE("an unbounded mpmc send") {
        sweep(1, [](allocation_failure failure) {
            auto [tx, rx] = weir::mpmc::unbounded_channel<int>();
            int sent = 0;
            attempt(failure, [&t = tx, &sent] {
                for (int i = 0; i < 200; ++i) {
                    static_cast<void>(t.send(sent));
                    ++sent;
                }
            });
            CHECK(tx.send(sent++).has_value());
            for (int i = 0; i < sent; ++i) CHECK(rx.try_recv() == i);
        });
    }

    TEST_CASE("receiving many into a vector that cannot grow loses nothing") {
        sweep(1, [](allocation_failure failure) {
            simulation sim(1);
            auto [tx, rx] = weir::mpsc::unbounded_channel<int>();
            for (int i = 0; i < 100; ++i) CHECK(tx.send(i).has_value());
            std::vector<int> out;
            auto receives = [](weir::mpsc::unbounded_receiver<int>& from, std::vector<int>& to,
                               allocation_failure f) -> weir::task<> {
                auto operation = from.recv_many(to, 64);
                try {
                    const auto armed = f.arm();
                    co_await std::move(operation);
                } catch (const std::bad_alloc&) {
                }
            };
            sim.block_on(receives(rx, out, failure));
            while (const auto rest = rx.try_recv()) out.push_back(*rest);
            REQUIRE(out.size() == 100);
            for (int i = 0; i < 100; ++i) CHECK(out[static_cast<std::size_t>(i)] == i);
        });
    }

    TEST_CASE("spawning, inside and outside, with a name and without") {
        sweep(3, [](allocation_failure failure) {
            simulation sim(1);
            int sum = 0, expected = 0;
            auto spawns = [](allocation_failure f, int& to, int& wanted) -> weir::task<> {
                attempt(f, [&] {
                    for (int i = 1; i < 200; ++i) {
                        weir::spawn(adds(to, i)).detach();
                        wanted += i;
                        if (i % 50 != 0) continue;
                        weir::spawn_options named;
                        named.name = "a name that is longer than a short string";
                        weir::spawn(named, adds(to, 1000)).detach();
                        wanted += 1000;
                    }
                });
                weir::spawn(adds(to, 7)).detach();
                wanted += 7;
                co_return;
            };
            sim.block_on(spawns(failure, sum, expected));
            sim.run_until_idle();
            CHECK(sum == expected);
        });
        sweep(2, [](allocation_failure failure) {
            simulation sim(1);
            int sum = 0, expected = 0;
            attempt(failure, [&] {
                for (int i = 1; i < 100; ++i) {
                    sim.spawn(adds(sum, i)).detach();
                    expected += i;
                }
            });
            sim.run_until_idle();
            CHECK(sum == expected);
        });
    }

    TEST_CASE("running what was spawned from outside") {
        sweep(1, [](allocation_failure failure) {
            simulation sim(1);
            int sum = 0;
            for (int i = 0; i < 100; ++i) sim.spawn(adds(sum, 1)).detach();
            attempt(failure, [&] { sim.run_until_idle(); });
            sim.run_until_idle();
            CHECK(sum == 100);
        });
    }

    TEST_CASE("block_on on every runtime that runs here") {
        sweep(1, [](allocation_failure failure) {
            weir::runtime_options options;
            options.slow_turn = {};  // a watchdog frees on its thread what this one has allocated
            weir::current_thread_runtime rt(options);
            const auto got = attempt(failure, [&] { return rt.block_on(yields(3)); });
            CHECK(got.has_value() == !failure.has_happened());
            CHECK(rt.block_on(yields(4)) == 4);
        });
    }

    TEST_CASE("a join_set holds exactly what was spawned into it") {
        sweep(4, [](allocation_failure failure) {
            simulation sim(1);
            sim.block_on([](allocation_failure f) -> weir::task<> {
                weir::join_set<int> set;
                std::size_t spawned = 0;
                attempt(f, [&] {
                    for (int i = 0; i < 3; ++i) {
                        static_cast<void>(set.spawn(yields(1)));
                        ++spawned;
                    }
                });
                CHECK(set.size() == spawned);
                static_cast<void>(set.spawn(yields(1)));
                std::size_t joined = 0;
                while (auto ended = co_await set.join_next()) joined += ended->has_value() ? 1 : 0;
                CHECK(joined == spawned + 1);
            }(failure));
        });
    }

    TEST_CASE("a task_tracker does not count what it could not spawn") {
        sweep(2, [](allocation_failure failure) {
            simulation sim(1);
            sim.block_on([](allocation_failure f) -> weir::task<> {
                weir::task_tracker tracker;
                int sum = 0, spawned = 0;
                attempt(f, [&] {
                    for (int i = 0; i < 3; ++i) {
                        tracker.spawn(adds(sum, 1)).detach();
                        ++spawned;
                    }
                });
                CHECK(tracker.size() == static_cast<std::size_t>(spawned));
                tracker.close();
                co_await tracker.wait();
                CHECK(sum == spawned);
            }(failure));
        });
    }

    TEST_CASE("a task_group goes on after a branch that could not be made") {
        sweep(2, [](allocation_failure failure) {
            simulation sim(1);
            sim.block_on([](allocation_failure f) -> weir::task<> {
                int sum = 0, spawned = 0;
                weir::task_group group;
                for (int i = 0; i < 3; ++i) {
                    try {
                        const auto armed = f.arm();
                        co_await group.spawn(adds(sum, 1));
                        ++spawned;
                    } catch (const std::bad_alloc&) {
                    }
                    if (f.has_happened()) break;
                }
                co_await group.spawn(adds(sum, 10));
                co_await group.join();
                CHECK(sum == spawned + 10);
            }(failure));
        });
    }

    TEST_CASE("joining and racing tasks whose frames cannot be made") {
        sweep(3, [](allocation_failure failure) {
            simulation sim(1);
            sim.block_on([](allocation_failure f) -> weir::task<> {
                int sum = 0;
                bool done = false;
                try {
                    const auto armed = f.arm();
                    auto a = adds(sum, 1);
                    auto b = adds(sum, 2);
                    co_await weir::join(std::move(a), std::move(b));
                    auto c = yields(3);
                    auto r = co_await weir::timeout(1s, std::move(c));
                    done = r == 3;
                } catch (const std::bad_alloc&) {
                }
                CHECK(done == !f.has_happened());
            }(failure));
        });
    }

    TEST_CASE("a tree of cancellation tokens stays whole") {
        sweep(2, [](allocation_failure failure) {
            weir::cancellation_token root;
            std::vector<weir::cancellation_token> children;
            children.reserve(10);
            attempt(failure, [&] {
                for (int i = 0; i < 10; ++i)
                    children.push_back(i % 2 == 0 || children.empty() ? root.child_token()
                                                                      : children.back().child_token());
            });
            root.cancel();
            for (const auto& child : children) CHECK(child.is_cancelled());
        });
    }

    TEST_CASE("a cell whose initialiser fails is initialised by the next one") {
        sweep(1, [](allocation_failure failure) {
            simulation sim(1);
            sim.block_on([](allocation_failure f) -> weir::task<> {
                weir::once_cell<int> cell;
                auto make = [] { return yields(5); };
                try {
                    const auto armed = f.arm();
                    co_await cell.get_or_init(make);
                } catch (const std::bad_alloc&) {
                }
                const int& value = co_await cell.get_or_init(make);
                CHECK(value == 5);
            }(failure));
        });
    }

    TEST_CASE("a sharded_map and bytes") {
        sweep(1, [](allocation_failure failure) {
            weir::sharded_map<int, std::string> map(4);
            int inserted = 0;
            attempt(failure, [&] {
                for (; inserted < 20; ++inserted)
                    map.insert_or_assign(inserted, "a text that does not fit into the string itself");
            });
            CHECK(map.size() == static_cast<std::size_t>(inserted));
            map.insert_or_assign(inserted, "more");
            CHECK(map.get(inserted) == "more");
        });
        sweep(1, [](allocation_failure failure) {
            weir::byte_buffer buffer;
            std::string expected;
            attempt(failure, [&] {
                for (int i = 0; i < 100; ++i) {
                    const std::string text = "some text that is appended many times";
                    buffer.append(text);
                }
            });
            const std::size_t before = buffer.size();
            buffer.append("end");
            CHECK(buffer.size() == before + 3);
            CHECK(buffer.view().substr(before) == "end");
        });
    }

    TEST_CASE("sockets report that there is no memory") {
        sweep(2, [](allocation_failure failure) {
            simulation sim(1);
            sim.block_on([](allocation_failure f) -> weir::task<> {
                auto listener = co_await listen_locally();
                const auto port = port_of(listener);
                bool failed = false;
                try {
                    auto operation = weir::net::tcp_stream::connect("127.0.0.1", port);
                    const auto armed = f.arm();
                    auto connected = co_await std::move(operation);
                    failed = !connected;
                    if (connected)
                        failed = !co_await listener.accept();
                    else
                        CHECK(connected.error() == std::errc::not_enough_memory);
                } catch (const std::bad_alloc&) {
                    failed = true;
                }
                CHECK(failed == f.has_happened());
                auto again = co_await connect_to(port);
                auto taken = co_await listener.accept();
                CHECK(taken.has_value());
            }(failure));
        });
    }
}
