// weir/runtime.hpp: what becomes of an exception that nobody awaits.

#include <atomic>
#include <doctest/doctest.h>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <weir/runtime.hpp>
#include <weir/spawn.hpp>

#include "common/awaiting.hpp"
#include "common/runtimes.hpp"

using namespace weir_test;

namespace {

weir::task<> fails(std::string text) {
    co_await weir::yield_now();
    throw std::runtime_error(text);
}

// Collects what the runtime reports.
struct reports {
    std::mutex m;
    std::vector<weir::unhandled_exception_info> all;

    std::size_t count() {
        std::scoped_lock guard(m);
        return all.size();
    }
    weir::runtime_options options() {
        weir::runtime_options o;
        o.on_unhandled = weir::unhandled([this](const weir::unhandled_exception_info& info) {
            std::scoped_lock guard(m);
            all.push_back(info);
        });
        return o;
    }
};

}  // namespace

TEST_SUITE("unhandled exceptions") {
    TEST_CASE_TEMPLATE("one that leaves a detached task is reported with name and exception", R,
                       WEIR_RUNTIMES) {
        reports r;
        R rt(r.options());
        rt.block_on([](reports& seen) -> weir::task<> {
            weir::spawn_options named;
            named.name = "worker";
            auto h = weir::spawn(named, fails("lost"));
            const auto id = h.id();
            std::move(h).detach();
            const bool reported = co_await until([&] { return seen.count() == 1; });
            REQUIRE(reported);
            CHECK(seen.all[0].task == id);
            CHECK(seen.all[0].name == "worker");
            CHECK(seen.all[0].site.line() > 0);
            CHECK_THROWS_AS(std::rethrow_exception(seen.all[0].exception), std::runtime_error);
        }(r));
    }

    TEST_CASE_TEMPLATE("the runtime goes on after one was ignored", R, WEIR_RUNTIMES) {
        weir::runtime_options o;
        o.on_unhandled = weir::unhandled::ignore;
        R rt(o);
        rt.block_on([]() -> weir::task<> {
            weir::spawn(fails("ignored")).detach();
            co_await settle();
            auto h = weir::spawn([]() -> weir::task<int> { co_return 1; }());
            const int value = co_await h;
            CHECK(value == 1);
        }());
    }

    TEST_CASE_TEMPLATE("one that a handle took is not reported", R, WEIR_RUNTIMES) {
        reports r;
        {
            R rt(r.options());
            rt.block_on([]() -> weir::task<> {
                auto h = weir::spawn(fails("taken"));
                auto result = co_await h.result();
                CHECK_FALSE(result.has_value());
                co_await settle();
            }());
        }
        CHECK(r.count() == 0);
    }

    TEST_CASE_TEMPLATE("one that was there before the handle went is reported too", R, WEIR_RUNTIMES) {
        reports r;
        R rt(r.options());
        rt.block_on([](reports& seen) -> weir::task<> {
            auto detached = weir::spawn(fails("detached late"));
            auto dropped = std::make_optional(weir::spawn(fails("never asked for")));
            const bool finished = co_await until(
                [&] { return detached.is_finished() && dropped->is_finished(); });
            REQUIRE(finished);
            CHECK(seen.count() == 0);
            const auto id = detached.id();
            std::move(detached).detach();
            const bool first = co_await until([&] { return seen.count() == 1; });
            REQUIRE(first);
            CHECK(seen.all[0].task == id);
            dropped.reset();
            const bool second = co_await until([&] { return seen.count() == 2; });
            CHECK(second);
        }(r));
    }

    TEST_CASE_TEMPLATE("one that an await has thrown is not reported", R, WEIR_RUNTIMES) {
        reports r;
        {
            R rt(r.options());
            rt.block_on([]() -> weir::task<> {
                auto h = weir::spawn(fails("thrown"));
                bool caught = false;
                try {
                    co_await h;
                } catch (const std::runtime_error&) {
                    caught = true;
                }
                CHECK(caught);
                co_await settle();
            }());
        }
        CHECK(r.count() == 0);
    }

    TEST_CASE_TEMPLATE("cancelling a detached task is not reported", R, WEIR_RUNTIMES) {
        reports r;
        {
            R rt(r.options());
            rt.spawn([]() -> weir::task<> {
                for (;;) co_await weir::yield_now();
            }()).detach();
            rt.block_on(settle());
        }
        CHECK(r.count() == 0);
    }

    TEST_CASE("with shutdown, block_on throws the exception") {
        weir::runtime_options o;
        o.on_unhandled = weir::unhandled::shutdown;
        rt_current_thread rt(o);
        CHECK_THROWS_AS(rt.block_on([]() -> weir::task<> {
            weir::spawn(fails("fatal")).detach();
            for (;;) co_await weir::yield_now();
        }()),
                        std::runtime_error);
    }
}
