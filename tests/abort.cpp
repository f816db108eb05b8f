// weir/spawn.hpp: abort, and the identity of a task.

#include <atomic>
#include <doctest/doctest.h>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>

#include "common/awaiting.hpp"
#include "common/probes.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;
using namespace std::chrono_literals;

namespace {

weir::task<int> add(int a, int b) { co_return a + b; }

weir::task<> pending() {
    for (;;) co_await weir::yield_now();
}

// Waits for ever and owns a value that says when it is destroyed.
weir::task<> holds_and_waits(counted) {
    for (;;) co_await weir::yield_now();
}

}  // namespace

TEST_SUITE("abort") {
    TEST_CASE_TEMPLATE("abort destroys a waiting task, and its handle says cancelled", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto h = weir::spawn(holds_and_waits(counted(book)));
            co_await settle();
            CHECK_FALSE(h.is_finished());
            CHECK(book.live() == 1);
            const auto id = h.id();
            h.abort();
            auto r = co_await h.result();
            REQUIRE_FALSE(r.has_value());
            CHECK(r.error().is_cancelled());
            CHECK(r.error().task() == id);
            CHECK(book.live() == 0);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("abort wakes a task that sleeps", R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            auto h = weir::spawn([](counted) -> weir::task<> {
                co_await weir::sleep_for(1h);
            }(counted(book)));
            co_await settle();
            h.abort();
            auto r = co_await h.result();
            CHECK_FALSE(r.has_value());
            CHECK(book.live() == 0);
        }(l));
    }

    TEST_CASE_TEMPLATE("awaiting the handle of an aborted task throws task_cancelled", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(pending());
            h.abort();
            bool cancelled = false;
            try {
                co_await h;
            } catch (const weir::task_cancelled&) {
                cancelled = true;
            }
            CHECK(cancelled);
        }());
    }

    TEST_CASE_TEMPLATE("a task aborted before its first run never runs", R, WEIR_ORDERED_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            bool ran = false;
            auto h = weir::spawn([](counted, bool& r) -> weir::task<> {
                r = true;
                co_return;
            }(counted(book), ran));
            h.abort();
            h.abort();  // twice equals once
            auto r = co_await h.result();
            REQUIRE_FALSE(r.has_value());
            CHECK(r.error().is_cancelled());
            CHECK_FALSE(ran);
        }(l));
        CHECK(l.objects == 0);
    }

    TEST_CASE_TEMPLATE("abort of a finished task does nothing", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto h = weir::spawn(add(1, 1));
            const bool finished = co_await until([&] { return h.is_finished(); });
            CHECK(finished);
            h.abort();
            const int value = co_await h;
            CHECK(value == 2);
        }());
    }

    TEST_CASE_TEMPLATE("abort still cancels when the handle is dropped right after", R,
                       WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            {
                auto h = weir::spawn(holds_and_waits(counted(book)));
                co_await settle();
                h.abort();
            }
            const bool gone = co_await until([&] { return book.live() == 0; });
            CHECK(gone);
        }(l));
    }

    TEST_CASE_TEMPLATE("a task that aborts itself ends at its next suspension", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<weir::abort_handle>();
            std::atomic<int> steps{0};
            auto h = weir::spawn([](weir::oneshot::receiver<weir::abort_handle> r,
                                    std::atomic<int>& n) -> weir::task<> {
                auto self = co_await r;
                self->abort();
                ++n;
                co_await weir::yield_now();
                ++n;
            }(std::move(rx), steps));
            CHECK(tx.send(h.get_abort_handle()).has_value());
            auto r = co_await h.result();
            CHECK_FALSE(r.has_value());
            CHECK(steps == 1);
        }());
    }

    TEST_CASE("abort from another thread destroys the task on the thread of its runtime") {
        rt_current_thread rt;
        std::thread::id destroyed_on;
        class notes_thread {
        public:
            explicit notes_thread(std::thread::id& id) : id_(&id) {}
            notes_thread(notes_thread&& o) noexcept : id_(std::exchange(o.id_, nullptr)) {}
            ~notes_thread() {
                if (id_) *id_ = std::this_thread::get_id();
            }

        private:
            std::thread::id* id_;
        };
        auto h = rt.spawn([](notes_thread) -> weir::task<> {
            auto [tx, rx] = weir::oneshot::channel<int>();
            static_cast<void>(co_await rx);  // nobody sends: waits for ever
        }(notes_thread(destroyed_on)));
        std::thread other([a = h.get_abort_handle()]() mutable { a.abort(); });
        auto r = rt.block_on(h.result());
        other.join();
        REQUIRE_FALSE(r.has_value());
        CHECK(r.error().is_cancelled());
        CHECK(destroyed_on == std::this_thread::get_id());
    }

    TEST_CASE_TEMPLATE("an abort handle outlives the join handle, and copies abort the same task",
                       R, WEIR_RUNTIMES) {
        ledger l;
        R rt;
        rt.block_on([](ledger& book) -> weir::task<> {
            std::optional<weir::abort_handle> copy;
            {
                auto h = weir::spawn(holds_and_waits(counted(book)));
                auto a = h.get_abort_handle();
                copy = a;
            }
            co_await settle();
            CHECK(book.live() == 1);  // dropping a handle aborts nothing
            copy->abort();
            const bool gone = co_await until([&] { return book.live() == 0; });
            CHECK(gone);
            copy->abort();  // no-op on a finished task
        }(l));
    }

    TEST_CASE("a task whose runtime is gone reports cancelled") {
        ledger l;
        std::optional<weir::join_handle<void>> h;
        {
            rt_current_thread rt;
            h = rt.spawn(holds_and_waits(counted(l)));
            rt.block_on(settle());
            CHECK(l.live() == 1);
        }
        CHECK(l.objects == 0);
        CHECK(h->is_finished());
        rt_current_thread other;
        auto r = other.block_on(h->result());
        REQUIRE_FALSE(r.has_value());
        CHECK(r.error().is_cancelled());
    }
}

TEST_SUITE("task ids") {
    TEST_CASE_TEMPLATE("the id inside the task is the id of its handles", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            auto body = []() -> weir::task<weir::task_id> {
                co_await weir::yield_now();
                co_return weir::this_task::id();
            };
            auto a = weir::spawn(body());
            auto b = weir::spawn(body());
            const auto id = a.id();
            CHECK(id != b.id());
            const auto inside = co_await a;
            CHECK(inside == id);
        }());
    }

    TEST_CASE_TEMPLATE("no two tasks that live at once share an id", R, WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            std::vector<weir::join_handle<void>> tasks;
            for (int i = 0; i < 2000; ++i) tasks.push_back(weir::spawn(pending()));
            std::set<weir::task_id> ids;
            for (auto& t : tasks) ids.insert(t.id());
            CHECK(ids.size() == tasks.size());
            for (auto& t : tasks) t.abort();
            for (auto& t : tasks) static_cast<void>(co_await t.result());
        }());
    }

    TEST_CASE("outside of a task there is no id") {
        CHECK_FALSE(weir::this_task::try_id().has_value());
        CHECK_THROWS_AS(static_cast<void>(weir::this_task::id()), std::logic_error);
    }

    TEST_CASE_TEMPLATE("the id is visible to destructors, on completion and on abort", R,
                       WEIR_RUNTIMES) {
        R rt;
        rt.block_on([]() -> weir::task<> {
            class notes_id {
            public:
                explicit notes_id(std::optional<weir::task_id>& out) : out_(&out) {}
                notes_id(notes_id&& o) noexcept : out_(std::exchange(o.out_, nullptr)) {}
                ~notes_id() {
                    if (out_) *out_ = weir::this_task::try_id();
                }

            private:
                std::optional<weir::task_id>* out_;
            };
            std::optional<weir::task_id> completed;
            std::optional<weir::task_id> aborted;
            auto a = weir::spawn([](notes_id) -> weir::task<> {
                co_await weir::yield_now();
            }(notes_id(completed)));
            auto b = weir::spawn([](notes_id) -> weir::task<> {
                for (;;) co_await weir::yield_now();
            }(notes_id(aborted)));
            co_await settle();
            b.abort();
            const auto id_a = a.id();
            const auto id_b = b.id();
            auto ra = co_await a.result();
            auto rb = co_await b.result();
            CHECK(ra.has_value());
            CHECK_FALSE(rb.has_value());
            CHECK(completed == id_a);
            CHECK(aborted == id_b);
        }());
    }
}
