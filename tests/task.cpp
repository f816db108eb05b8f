// weir/task.hpp: values, laziness, exceptions, destruction, awaiting foreign things.

#include <array>
#include <doctest/doctest.h>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <weir/task.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<int> set_flag(bool& ran, counted) {
    ran = true;
    co_return 1;
}

weir::task<int> answer(int n) { co_return n; }

weir::task<> throws() {
    throw std::runtime_error("from the callee");
    co_return;
}

weir::task<> calls_throws(int depth) {
    if (depth == 0) {
        co_await throws();
    } else {
        co_await calls_throws(depth - 1);
    }
}

struct empty_result {};

struct wide_result {
    std::array<std::uint64_t, 64> words;
};

}  // namespace

TEST_SUITE("task") {
    TEST_CASE("a task that is never awaited runs nothing and destroys its arguments") {
        ledger l;
        bool ran = false;
        {
            auto t = set_flag(ran, counted(l));
            CHECK(l.live() == 1);
        }
        CHECK_FALSE(ran);
        CHECK(l.made == 1);
        CHECK(l.live() == 0);
        CHECK(l.objects == 0);
    }

    TEST_CASE("a loop that calls an asynchronous function without awaiting starts nothing") {
        ledger l;
        bool ran = false;
        for (int i = 0; i < 1000; ++i) static_cast<void>(set_flag(ran, counted(l)));
        CHECK_FALSE(ran);
        CHECK(l.objects == 0);
    }

    TEST_CASE("a moved-from task is empty and safe to destroy") {
        ledger l;
        bool ran = false;
        rt_current_thread rt;
        {
            auto first = set_flag(ran, counted(l));
            auto second = std::move(first);
            auto third = set_flag(ran, counted(l));
            third = std::move(second);
            CHECK(rt.block_on(std::move(third)) == 1);
        }
        CHECK(ran);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("awaiting a task yields its value", R, WEIR_RUNTIMES) {
        R rt;
        const int sum = rt.block_on([]() -> weir::task<int> {
            const int a = co_await answer(20);
            auto named = answer(22);
            const int b = co_await std::move(named);
            co_return a + b;
        }());
        CHECK(sum == 42);
    }

    TEST_CASE_TEMPLATE("results may be move-only, references, and void", R, WEIR_RUNTIMES) {
        R rt;
        auto p = rt.block_on([]() -> weir::task<std::unique_ptr<int>> {
            co_return std::make_unique<int>(7);
        }());
        CHECK(*p == 7);

        int object = 1;
        int& r = rt.block_on([](int& o) -> weir::task<int&> { co_return o; }(object));
        CHECK(&r == &object);

        bool ran = false;
        rt.block_on([](bool& b) -> weir::task<> {
            b = true;
            co_return;
        }(ran));
        CHECK(ran);
    }

    TEST_CASE_TEMPLATE("a result is converted from what co_return gives", R, WEIR_RUNTIMES) {
        R rt;
        const auto s = rt.block_on([]() -> weir::task<std::string> { co_return "text"; }());
        CHECK(s == "text");
        const auto none =
            rt.block_on([]() -> weir::task<std::optional<int>> { co_return std::nullopt; }());
        CHECK_FALSE(none.has_value());
    }

    TEST_CASE_TEMPLATE("results of every size and alignment arrive intact", R, WEIR_RUNTIMES) {
        R rt;
        static_cast<void>(
            rt.block_on([]() -> weir::task<empty_result> { co_return empty_result{}; }()));

        const auto wide = rt.block_on([]() -> weir::task<wide_result> {
            wide_result w{};
            for (std::size_t i = 0; i < w.words.size(); ++i) w.words[i] = i * i;
            co_return w;
        }());
        for (std::size_t i = 0; i < wide.words.size(); ++i) CHECK(wide.words[i] == i * i);

        const over_aligned a =
            rt.block_on([]() -> weir::task<over_aligned> { co_return over_aligned(9); }());
        CHECK(a.value == 9);
    }

    TEST_CASE_TEMPLATE("a result is moved and never copied, and dropped once", R, WEIR_RUNTIMES) {
        ledger l;
        {
            R rt;
            const auto c = rt.block_on([](ledger& book) -> weir::task<counted> {
                auto inner = [](ledger& b) -> weir::task<counted> { co_return counted(b, 3); };
                auto value = co_await inner(book);
                co_return value;
            }(l));
            CHECK(c.value == 3);
            CHECK(l.copies == 0);
            CHECK(l.live() == 1);
        }
        CHECK(l.dropped == 1);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("an exception arrives at the await expression", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::string caught;
            try {
                co_await calls_throws(5);
            } catch (const std::runtime_error& e) {
                caught = e.what();
            }
            CHECK(caught == "from the callee");
            const int after = co_await answer(1);  // the awaiting coroutine goes on
            CHECK(after == 1);
        }());
    }

    TEST_CASE_TEMPLATE("an exception destroys the locals on its way", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        CHECK_THROWS_AS(rt.block_on([](ledger& book) -> weir::task<> {
            counted local(book);
            co_await calls_throws(1);
        }(l)),
                        std::runtime_error);
        CHECK(l.made == 1);
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("awaiting an empty task is a logic error", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto t = answer(1);
            auto moved = std::move(t);
            const int value = co_await std::move(moved);
            CHECK(value == 1);
            bool refused = false;
            try {
                co_await std::move(t);
            } catch (const std::logic_error& e) {
                refused = std::string(e.what()).size() > 10;
            }
            CHECK(refused);
        }());
    }

    TEST_CASE_TEMPLATE("awaiting a task twice is a logic error", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto t = answer(1);
            const int value = co_await std::move(t);
            CHECK(value == 1);
            bool refused = false;
            try {
                co_await std::move(t);
            } catch (const std::logic_error&) {
                refused = true;
            }
            CHECK(refused);
        }());
    }
}

namespace {

// Appends its number to a list when it is destroyed.
class leaves_mark {
public:
    leaves_mark(std::vector<int>& list, int n) : list_(list), n_(n) {}
    leaves_mark(const leaves_mark&) = delete;
    leaves_mark& operator=(const leaves_mark&) = delete;
    ~leaves_mark() { list_.push_back(n_); }

private:
    std::vector<int>& list_;
    int n_;
};

weir::task<> waits_for_ever(std::vector<int>& order, int depth) {
    leaves_mark first(order, depth * 10 + 1);
    leaves_mark second(order, depth * 10 + 2);
    if (depth > 0) co_await waits_for_ever(order, depth - 1);
    while (depth == 0) co_await weir::yield_now();
}

// Awaiters of the tests' own, with each form that the language has.
struct ready_at_once {
    bool await_ready() const noexcept { return true; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    int await_resume() const noexcept { return 1; }
};

struct declines_to_suspend {
    bool await_ready() const noexcept { return false; }
    bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
    int await_resume() const noexcept { return 2; }
};

struct transfers_back {
    bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> h) const noexcept { return h; }
    int await_resume() const noexcept { return 3; }
};

class resumed_by_thread {
public:
    explicit resumed_by_thread(std::thread& t) : thread_(t) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) {
        thread_ = std::thread([h] { h.resume(); });
    }
    int await_resume() const noexcept { return 4; }

private:
    std::thread& thread_;
};

struct has_member_operator {
    ready_at_once operator co_await() const noexcept { return {}; }
};

struct has_free_operator {};
ready_at_once operator co_await(has_free_operator) noexcept { return {}; }

}  // namespace

TEST_SUITE("task") {
    TEST_CASE_TEMPLATE("destroying a suspended task destroys its locals innermost first", R,
                       WEIR_RUNTIMES) {
        std::vector<int> order;
        R rt;
        rt.block_on([](std::vector<int>& list) -> weir::task<> {
            auto p = co_await start(waits_for_ever(list, 2));
            CHECK_WAITS(p);
            CHECK(list.empty());
            co_await p.abort();
            CHECK(list == std::vector<int>{2, 1, 12, 11, 22, 21});
        }(order));
    }

    TEST_CASE_TEMPLATE("a task awaits awaitables that are not ours", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            const int ready = co_await ready_at_once();
            CHECK(ready == 1);
            const int declined = co_await declines_to_suspend();
            CHECK(declined == 2);
            const int transferred = co_await transfers_back();
            CHECK(transferred == 3);
            const int member = co_await has_member_operator();
            CHECK(member == 1);
            const int free = co_await has_free_operator();
            CHECK(free == 1);
            co_await std::suspend_never();
        }());
    }

    TEST_CASE_TEMPLATE("a task resumed by another thread comes back to its own runtime", R,
                       WEIR_ORDERED_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            const auto home = std::this_thread::get_id();
            for (int i = 0; i < 10; ++i) {
                std::thread other;
                const int value = co_await resumed_by_thread(other);
                CHECK(value == 4);
                CHECK(std::this_thread::get_id() == home);
                other.join();
            }
        }());
    }

    TEST_CASE("a coroutine that is not ours awaits a task") {
        auto f = start_foreign(answer(5));
        CHECK(f.done());
        CHECK(f.value() == 5);

        auto failing = start_foreign(throws());
        CHECK(failing.done());
        CHECK_THROWS_AS(failing.value(), std::runtime_error);
    }
}
