// Every suspension of join_queue, of biased joins and of local_set, cancelled.

#include <doctest/doctest.h>
#include <stdexcept>
#include <tuple>

#include <weir/join.hpp>
#include <weir/join_queue.hpp>
#include <weir/local_set.hpp>

#include "common/probes.hpp"
#include "common/sweep.hpp"
#include "common/sweep_with_permit.hpp"

using namespace weir_test;

namespace {

struct join_queue_next : with_permit {
    weir::task<> victim() {
        weir::join_queue<counted> queue;
        for (int i = 0; i < 3; ++i) queue.spawn(tracked(i));
        int expected = 0;
        while (auto ended = co_await queue.join_next()) CHECK((*ended)->value == expected++);
        CHECK(expected == 3);
    }
};

struct join_queue_all : with_permit {
    weir::task<> victim() {
        weir::join_queue<counted> queue;
        for (int i = 0; i < 3; ++i) queue.spawn(tracked(i));
        const auto all = co_await queue.join_all();
        CHECK(all.size() == 3);
    }
};

struct biased_join : with_permit {
    weir::task<> victim() {
        const auto both = co_await weir::join(weir::biased, make(1), hold(), make(2));
        CHECK(std::get<0>(both).value + std::get<2>(both).value == 3);
    }
};

// A set that the victim drives, where the victim stays on one thread.
struct local_tasks : with_permit {
    weir::task<> victim() {
        weir::local_set set;
        set.spawn_local(tracked(1)).detach();
        try {
            const auto made = co_await set.run_until(make(2));
            CHECK(made.value == 2);
            co_await set;
            CHECK(set.empty());
        } catch (const std::logic_error&) {
            CHECK(parallel);
        }
    }
};

}  // namespace

TEST_SUITE("cancellation sweep: sets") {
    TEST_CASE("join_queue join_next") { sweep<join_queue_next>(5); }
    TEST_CASE("join_queue join_all") { sweep<join_queue_all>(5); }
    TEST_CASE("join biased") { sweep<biased_join>(5); }
    TEST_CASE("local_set run_until and await") { sweep<local_tasks>(5); }
}
