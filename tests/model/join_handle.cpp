#include "runtime.hpp"

#include <doctest/doctest.h>

#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/select.hpp>
#include <weir/yield.hpp>

using model::drop;
using model::parcel;

namespace {

using handle = weir::join_handle<parcel>;

weir::task<parcel> make(int n) {
    co_await weir::yield_now();
    co_return parcel(n);
}
weir::task<parcel> receive(weir::oneshot::receiver<parcel> rx) {
    auto v = co_await rx;
    if (!v) co_return parcel(0);
    co_return std::move(*v);
}

// How a task has ended, for who joins it.
enum class end { none, value, cancelled };

weir::task<> join(handle h, end& how) {
    auto const r = co_await h.result();
    how = r ? end::value : end::cancelled;
    if (r) model::expect(r->number() == 7, "another value");
}
weir::task<> join_or_give_up(handle h, end& how) {
    {
        auto const first = co_await weir::select(h.result(), weir::yield_now());
        if (first.index() == 0) {
            how = std::get<0>(first) ? end::value : end::cancelled;
            co_return;
        }
    }
    co_await join(std::move(h), how);
}
// What its destructor reads is written by who drops the handle.
struct reads_at_the_end {
    explicit reads_at_the_end(const int& v) : value(&v) {}
    reads_at_the_end(reads_at_the_end&& other) noexcept : value(std::exchange(other.value, nullptr)) {}
    reads_at_the_end& operator=(reads_at_the_end&&) = delete;
    ~reads_at_the_end() {
        if (value != nullptr) model::expect(*value == 1, "not visible");
    }
    const int* value;
};
weir::task<reads_at_the_end> keep(const int& value) { co_return reads_at_the_end(value); }

// Lets everything else that is ready have its turn.
weir::task<> settle() {
    for (int i = 0; i < 3; ++i) co_await weir::yield_now();
}

}  // namespace

TEST_SUITE("join handle") {
    TEST_CASE("who joins from another thread sees the end, once") {
        model::check("join handle: completion against await", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            end how = end::none;
            auto h = rt.spawn(make(7));
            model::thread other([&] { model::run(join(std::move(h), how)); });
            rt.block_on(settle());
            other.join();
            model::expect(how == end::value, "the value was lost");
        });
        model::check("join handle: completion against an await that is cancelled", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            end how = end::none;
            auto h = rt.spawn(make(7));
            model::thread other([&] { model::run(join_or_give_up(std::move(h), how)); });
            rt.block_on(settle());
            other.join();
            model::expect(how == end::value, "the value was lost");
        });
    }

    TEST_CASE("the result goes with the last handle") {
        model::check("join handle: completion against drop", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            auto h = rt.spawn(make(7));
            auto abort = h.get_abort_handle();
            model::thread one([&] { drop(h); });
            model::thread two([&] { drop(abort); });
            rt.block_on(settle());
            one.join();
            two.join();
        });
    }

    TEST_CASE("what was done before a handle is dropped is visible to the result's destructor") {
        model::check("join handle: completion against a drop of what will read", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            int before = 0;
            auto h = rt.spawn(keep(before));
            model::thread other([&] {
                before = 1;
                drop(h);
            });
            rt.block_on(settle());
            other.join();
        });
    }

    TEST_CASE("an abort ends the task once, wherever it is") {
        model::check("join handle: completion against abort", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            end how = end::none;
            auto h = rt.spawn(make(7));
            model::thread other([abort = h.get_abort_handle()] { abort.abort(); });
            rt.block_on(join(std::move(h), how));
            other.join();
            model::expect(how != end::none, "did not end");
        });
        model::check("join handle: abort against send against a task that waits", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            auto [tx, rx] = weir::oneshot::channel<parcel>();
            end how = end::none;
            auto h = rt.spawn(receive(std::move(rx)));
            model::thread one([abort = h.get_abort_handle()] { abort.abort(); });
            model::thread two([&tx] { static_cast<void>(tx.send(parcel(7))); });
            rt.block_on(join(std::move(h), how));
            one.join();
            two.join();
            model::expect(how != end::none, "did not end");
        }, 1);
    }

    TEST_CASE("is_finished tells of a result that can be taken") {
        model::check("join handle: is_finished against completion", [] {
            weir::current_thread_runtime rt(model::runtime_options());
            auto h = rt.spawn(make(7));
            model::thread other([&] {
                if (!h.is_finished()) return;
                end how = end::none;
                model::run(join(std::move(h), how));
                model::expect(how == end::value, "not there");
            });
            rt.block_on(settle());
            other.join();
        });
    }
}
