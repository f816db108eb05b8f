// No operation allocates to wait, and handles and guards are small.

#include <cstddef>
#include <doctest/doctest.h>
#include <memory>
#include <vector>

#include <weir/weir.hpp>

#include "common/counting_new.hpp"
#include "common/waiting_rows.hpp"
#include "common/waiting_table.hpp"

using namespace weir_test;

namespace {

constexpr std::size_t word = sizeof(void*);

// What a handle or guard may measure, in words.
template <std::size_t Words, class... Handles>
constexpr bool at_most = ((sizeof(Handles) <= Words * word) && ...);


namespace mpsc = weir::mpsc;
namespace mpmc = weir::mpmc;

static_assert(at_most<2, mpsc::sender<int>, mpsc::receiver<int>, mpsc::weak_sender<int>,
                      mpsc::unbounded_sender<int>, mpsc::unbounded_receiver<int>,
                      mpsc::permit<int>, mpsc::permits<int>, mpsc::owned_permit<int>>);
static_assert(at_most<2, mpmc::sender<int>, mpmc::receiver<int>, mpmc::weak_sender<int>,
                      mpmc::unbounded_sender<int>, mpmc::unbounded_receiver<int>>);
static_assert(at_most<2, weir::oneshot::sender<int>, weir::oneshot::receiver<int>>);
static_assert(at_most<2, weir::broadcast::sender<int>, weir::broadcast::weak_sender<int>>);
static_assert(at_most<2, weir::watch::sender<int>, weir::watch::receiver<int>,
                      weir::watch::ref<int>>);
static_assert(at_most<2, weir::mutex_guard<int>, weir::mapped_mutex_guard<int>,
                      weir::owned_mutex_guard<int>, weir::rwlock_read_guard<int>,
                      weir::rwlock_write_guard<int>, weir::mapped_rwlock_read_guard<int>,
                      weir::semaphore::permit>);
static_assert(at_most<2, weir::task<int>, weir::join_handle<int>, weir::abort_handle,
                      weir::abort_on_drop<int>, weir::join_set<int>, weir::cancellation_token,
                      weir::task_tracker, weir::task_tracker_token, weir::runtime_handle,
                      weir::join_queue<int>, weir::cancellation_guard, weir::enter_guard,
                      weir::local_set::enter_guard>);

// Those that have more to carry, and say so where they are described.
static_assert(at_most<5, weir::broadcast::receiver<int>>);
static_assert(at_most<3, weir::owned_mapped_mutex_guard<int>,
                      weir::owned_rwlock_read_guard<int>, weir::owned_rwlock_write_guard<int>,
                      weir::semaphore::owned_permit>);

}  // namespace

TEST_SUITE("waits") {
    TEST_CASE("no operation allocates to wait or to go on") {
        for (const waiting_row& row : make_every_wait()) {
            CAPTURE(row.name);
            const auto w = row.make();
            const allocation_count waiting;
            auto waits = w->as_foreign();
            CHECK(waiting.get() == 1);  // the coroutine
            CHECK_FALSE(waits.done());
            w->fire();
            CHECK(waits.done());
        }
    }

    TEST_CASE("a task that waits is its frame, and nothing more") {
        weir::current_thread_runtime rt;
        rt.block_on([]() -> weir::task<> {
            for (const waiting_row& row : make_every_wait()) {
                const auto w = row.make();
                auto waits = weir::spawn(w->as_task());
                const allocation_count waiting;
                for (int i = 0; i < 4; ++i) co_await weir::yield_now();
                CHECK_MESSAGE(waiting.get() == 0, row.name);
                CHECK_MESSAGE(!waits.is_finished(), row.name);
                w->fire();
                co_await waits;
            }
        }());
    }

    TEST_CASE("an empty channel of 32 numbers is below 512 bytes, an unbounded one a block of 32") {
        {
            const allocation_count all;
            auto [tx, rx] = mpsc::channel<std::uint64_t>(32);
            CHECK(all.get() <= 2);
            CHECK(all.bytes() <= 512);
        }
        auto [tx, rx] = mpsc::unbounded_channel<std::uint64_t>();
        const allocation_count blocks;
        for (std::uint64_t i = 0; i < 3200; ++i) CHECK(tx.send(i).has_value());
        CHECK(blocks.get() <= 101);
        CHECK(rx.size() == 3200);
    }
}
