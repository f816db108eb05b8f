// What losing a race costs, for everything that can be awaited: nothing, a place, or a value, which
// only `lossy` allows.

#include <chrono>
#include <doctest/doctest.h>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/weir.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

// Of an lvalue T, the cost of the operation that `make` makes of it.
template <class T, class Make>
constexpr weir::cancel_safety cost(Make) {
    return weir::cancel_safety_v<std::invoke_result_t<Make, T&>>;
}
// Of T itself, awaited where it is.
template <class T>
constexpr weir::cancel_safety cost_of = weir::cancel_safety_v<T&>;

constexpr auto safe = weir::cancel_safety::safe;
constexpr auto place = weir::cancel_safety::loses_place;
constexpr auto data = weir::cancel_safety::loses_data;

namespace mpsc = weir::mpsc;
namespace mpmc = weir::mpmc;

static_assert(cost<mpsc::receiver<int>>([](auto& r) { return r.recv(); }) == safe);
static_assert(cost<std::pair<mpsc::receiver<int>, std::vector<int>>>([](auto& r) {
                  return r.first.recv_many(r.second, 1);
              }) == safe);
static_assert(cost<mpsc::unbounded_receiver<int>>([](auto& r) { return r.recv(); }) == safe);
static_assert(cost<mpmc::receiver<int>>([](auto& r) { return r.recv(); }) == safe);
static_assert(cost<mpsc::sender<int>>([](auto& t) { return t.send(1); }) == data);
static_assert(cost<mpsc::sender<int>>([](auto& t) { return t.send_for(1, 1s); }) == data);
static_assert(cost<mpsc::sender<int>>([](auto& t) { return t.reserve(); }) == place);
static_assert(cost<mpsc::sender<int>>([](auto& t) { return t.reserve_many(2); }) == place);
static_assert(cost<mpsc::sender<int>>([](auto& t) { return std::move(t).reserve_owned(); }) ==
              place);
static_assert(cost<mpsc::sender<int>>([](auto& t) { return t.closed(); }) == safe);

static_assert(cost_of<weir::oneshot::receiver<int>> == safe);
static_assert(cost<weir::oneshot::sender<int>>([](auto& t) { return t.closed(); }) == safe);
static_assert(cost<weir::broadcast::receiver<int>>([](auto& r) { return r.recv(); }) == safe);
static_assert(cost<weir::broadcast::sender<int>>([](auto& t) { return t.closed(); }) == safe);
static_assert(cost<weir::watch::receiver<int>>([](auto& r) { return r.changed(); }) == safe);
static_assert(cost<weir::watch::receiver<int>>([](auto& r) {
                  return r.wait_for([](const int&) { return true; });
              }) == safe);
static_assert(cost<weir::watch::sender<int>>([](auto& t) { return t.closed(); }) == safe);

static_assert(cost<weir::mutex<int>>([](auto& m) { return m.lock(); }) == place);
static_assert(cost<weir::rwlock<int>>([](auto& l) { return l.read(); }) == place);
static_assert(cost<weir::rwlock<int>>([](auto& l) { return l.write(); }) == place);
static_assert(cost<weir::semaphore>([](auto& s) { return s.acquire(); }) == place);
static_assert(cost<weir::notify>([](auto& n) { return n.notified(); }) == place);
static_assert(cost<weir::barrier>([](auto& b) { return b.wait(); }) == data);
static_assert(cost<weir::set_once<int>>([](auto& s) { return s.wait(); }) == safe);
static_assert(cost<weir::cancellation_token>([](auto& t) { return t.cancelled(); }) == safe);
static_assert(cost<weir::task_tracker>([](auto& t) { return t.wait(); }) == safe);

static_assert(cost_of<weir::join_handle<int>> == safe);
static_assert(cost<weir::join_handle<int>>([](auto& h) { return h.result(); }) == safe);
static_assert(cost_of<weir::abort_on_drop<int>> == safe);
static_assert(cost<weir::join_set<int>>([](auto& s) { return s.join_next(); }) == safe);
static_assert(cost<weir::join_set<int>>([](auto& s) { return s.join_all(); }) == data);
static_assert(cost<weir::join_map<int, int>>([](auto& m) { return m.join_next(); }) == safe);
static_assert(cost_of<weir::sleep> == safe);
static_assert(cost<weir::interval>([](auto& i) { return i.tick(); }) == safe);
static_assert(cost<const int>([](auto&) { return weir::ctrl_c(); }) == safe);

// What is built of others costs what the most expensive of them costs.
static_assert(cost<weir::mutex<int>>([](auto& m) {
                  return weir::select(m.lock(), weir::sleep_for(1s));
              }) == place);
static_assert(cost<weir::mutex<int>>([](auto& m) { return weir::timeout(1s, m.lock()); }) == place);
static_assert(cost<mpsc::receiver<int>>([](auto& r) {
                  return weir::select(r.recv(), weir::sleep_for(1s));
              }) == safe);
static_assert(cost<mpsc::sender<int>>([](auto& t) { return weir::lossy(t.send(1)); }) == place);

template <class T>
weir::task<T> after_yields(int n, T value) {
    for (int i = 0; i < n; ++i) co_await weir::yield_now();
    co_return value;
}

}  // namespace

TEST_SUITE("cancel safety") {
    TEST_CASE_TEMPLATE("lossy lets a send take part all the same", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(1);
            CHECK(tx.try_send(1).has_value());
            auto v = co_await weir::select(weir::lossy(tx.send(2)), weir::yield_now());
            CHECK(v.index() == 1);
            CHECK(rx.try_recv() == 1);
            CHECK_FALSE(rx.try_recv().has_value());
        }());
    }

    TEST_CASE_TEMPLATE("lossy goes around anything that can be awaited here", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::mpsc::channel<int>(4);
            auto inner = co_await weir::select(
                weir::biased, weir::lossy(weir::select(weir::biased, tx.reserve(), rx.recv())),
                weir::lossy(weir::timeout(1h, rx.recv())));
            CHECK(inner.index() == 0);
            auto both = co_await weir::select(
                weir::biased, weir::lossy(weir::join(tx.reserve(), weir::yield_now())),
                weir::lossy(weir::yield_now()));
            CHECK(both.index() == 0);
            auto h = weir::spawn(after_yields(1, 3));
            auto of_handle = co_await weir::timeout(1h, weir::lossy(h));
            CHECK(of_handle.value() == 3);
            auto of_task = co_await weir::timeout(1h, weir::lossy(after_yields(1, 4)));
            CHECK(of_task.value() == 4);
        }());
    }
}
