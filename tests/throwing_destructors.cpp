// Values that nobody takes and whose destructors throw: in channels, and as results of tasks.

#include <atomic>
#include <doctest/doctest.h>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/broadcast.hpp>
#include <weir/join_set.hpp>
#include <weir/mpmc.hpp>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

// Throws when it is destroyed, unless its value has been moved out of it.
class throws_when_dropped {
public:
    explicit throws_when_dropped(std::atomic<int>& dropped) : dropped_(&dropped) {}
    throws_when_dropped(throws_when_dropped&& o) noexcept
        : dropped_(std::exchange(o.dropped_, nullptr)) {}
    throws_when_dropped(const throws_when_dropped&) = default;
    throws_when_dropped& operator=(throws_when_dropped&&) = delete;
    ~throws_when_dropped() noexcept(false) {
        if (dropped_ == nullptr) return;
        ++*dropped_;
        throw std::runtime_error("nobody wanted this");
    }
    void keep_quiet() { dropped_ = nullptr; }

private:
    std::atomic<int>* dropped_;
};
static_assert(!std::is_nothrow_destructible_v<throws_when_dropped>);

weir::task<throws_when_dropped> yields(std::atomic<int>& dropped) {
    co_await weir::yield_now();
    co_return throws_when_dropped(dropped);
}

}  // namespace

TEST_SUITE("throwing destructors") {
    TEST_CASE_TEMPLATE("what the destructor of an unwanted result throws reaches nobody", R,
                       WEIR_RUNTIMES) {
        std::atomic<int> dropped{0};
        R rt;
        rt.block_on([](std::atomic<int>& count) -> weir::task<> {
            {
                auto before_the_end = weir::spawn(yields(count));
            }
            auto reached = co_await until([&] { return count == 1; });
            CHECK(reached);
            {
                auto after_the_end = weir::spawn(yields(count));
                auto ended = co_await until([&] { return after_the_end.is_finished(); });
                CHECK(ended);
                CHECK(count == 1);
            }
            reached = co_await until([&] { return count == 2; });
            CHECK(reached);
            {
                weir::join_set<throws_when_dropped> set;
                auto handle = set.spawn(yields(count));
                auto ended = co_await until([&] { return handle.is_finished(); });
                CHECK(ended);
            }
            reached = co_await until([&] { return count == 3; });
            CHECK(reached);
            auto taken = co_await weir::spawn(yields(count));
            taken.keep_quiet();
            CHECK(count == 3);
        }(dropped));
        CHECK(dropped == 3);
    }

    TEST_CASE("each value that is left in a channel is destroyed, whatever the others throw") {
        std::atomic<int> dropped{0};
        const auto fill = [&](auto ends) {
            for (int i = 0; i < 5; ++i) {
                auto sent = ends.first.try_send(throws_when_dropped(dropped));
                CHECK(sent.has_value());
            }
        };
        fill(weir::mpsc::channel<throws_when_dropped>(8));
        CHECK(dropped == 5);
        fill(weir::mpmc::channel<throws_when_dropped>(8));
        CHECK(dropped == 10);
        {
            auto [tx, rx] = weir::mpsc::unbounded_channel<throws_when_dropped>();
            for (int i = 0; i < 100; ++i) {
                auto sent = tx.send(throws_when_dropped(dropped));
                CHECK(sent.has_value());
            }
        }
        CHECK(dropped == 110);
        {
            auto [tx, rx] = weir::oneshot::channel<throws_when_dropped>();
            auto sent = tx.send(throws_when_dropped(dropped));
            CHECK(sent.has_value());
        }
        CHECK(dropped == 111);
        {
            auto [tx, rx] = weir::broadcast::channel<throws_when_dropped>(2);
            for (int i = 0; i < 5; ++i) {
                auto sent = tx.send(throws_when_dropped(dropped));
                CHECK(sent.has_value());
            }
            CHECK(dropped == 114);
        }
        CHECK(dropped == 116);
    }
}
