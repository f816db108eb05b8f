#pragma once
// test::explore and the sweeps: one test body, run in many ways.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <weir/detail/core/frame_pool.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/test/allocation_gate.hpp>
#include <weir/test/simulation.hpp>

namespace weir { WEIR_ABI_BEGIN namespace test {

/// One of many runs has failed. The text says which one, and what it threw.
class run_failed : public std::runtime_error {
public:
    run_failed(const std::string& text, std::uint64_t run, std::exception_ptr cause)
        : std::runtime_error(text), run_(run), cause_(std::move(cause)) {}

    /// The seed of explore; the point or the allocation of a sweep.
    [[nodiscard]] std::uint64_t run() const noexcept { return run_; }
    /// What the body threw.
    [[nodiscard]] const std::exception_ptr& cause() const noexcept { return cause_; }

private:
    std::uint64_t run_;
    std::exception_ptr cause_;
};

}  // namespace test

namespace detail {

#if WEIR_EXCEPTIONS
/// Calls `f`; what it throws comes out as a run_failed that begins with `where`.
template <class F>
void run_named(std::uint64_t run, const std::string& where, F&& f) {
    std::string what = "an exception that is not derived from std::exception";
    std::exception_ptr cause;
    try {
        return f();
    } catch (const std::exception& e) {
        what = e.what();
        cause = std::current_exception();
    } catch (...) {
        cause = std::current_exception();
    }
    throw test::run_failed(where + ": " + what, run, cause);
}
#else
template <class F>
void run_named(std::uint64_t, const std::string&, F&& f) {
    f();
}
#endif

inline std::optional<std::uint64_t> seed_from_environment() {
    const char* const text = std::getenv("WEIR_SEED");
    if (text == nullptr || *text == '\0') return std::nullopt;
    char* end = nullptr;
    const std::uint64_t seed = std::strtoull(text, &end, 0);
    if (*end != '\0') fail<std::invalid_argument>("WEIR_SEED is not a number");
    return seed;
}

}  // namespace detail

namespace test {

/// Runs `f(simulation&)` under the seeds 0, 1, … `runs` - 1, each in a simulation of its own, and
/// looks for leaks after each; or, where the environment has WEIR_SEED=n, under n alone.
///
///     weir::test::explore(1000, [](weir::test::simulation& sim) {
///         sim.block_on(transfer_money());
///     });
///
/// Errors  Throws run_failed, whose text names the seed, at the first run that throws.
template <class F>
void explore(std::uint64_t runs, F&& f, simulation_options options = {}) {
    const auto chosen = detail::seed_from_environment();
    const std::uint64_t first = chosen.value_or(0);
    const std::uint64_t count = chosen ? 1 : runs;
    for (std::uint64_t seed = first; seed - first < count; ++seed) {
        options.seed = seed;
        const auto run = [&] {
            simulation sim(options);
            f(sim);
            if (options.check_leaks) sim.check_leaks();
        };
        const std::string text = std::to_string(seed);
        detail::run_named(seed, "seed " + text + " (WEIR_SEED=" + text + " runs it alone)", run);
    }
}

/// Runs `f(simulation&)` once for each point at which the task under test can be cancelled: the one
/// that `f` starts with simulation::spawn_under_test. In the first run it is destroyed before its
/// first turn; then where it suspends for the first time; then when it has been woken there and not
/// resumed; and so on, until a run reaches its end with nothing left to cancel. `f` checks after
/// each what must hold: that permits came back, that no value was lost or doubled.
///
///     weir::test::cancel_everywhere([](weir::test::simulation& sim) {
///         weir::semaphore places(1);
///         auto h = sim.spawn_under_test(use(places));
///         sim.run_until_idle();
///         REQUIRE(places.available_permits() == 1);
///     });
///
/// Returns how many points there were. Errors  Throws run_failed, whose text names the point.
template <class F>
std::uint64_t cancel_everywhere(F&& f, const simulation_options& options = {}) {
    for (std::uint64_t point = 0;; ++point) {
        bool reached = false;
        const auto run = [&] {
            simulation sim(options);
            sim.cancel_at(point);
            f(sim);
            reached = sim.has_cancelled();
            if (options.check_leaks) sim.check_leaks();
        };
        std::string where = "cancelled before its first turn";
        if (point != 0)
            where = (point % 2 != 0 ? "cancelled at suspension "
                                    : "cancelled when woken from suspension ") +
                    std::to_string((point - 1) / 2);
        detail::run_named(point, where, run);
        if (!reached) return point;
    }
}

/// Which allocations fail, after the first that does.
enum class failures : unsigned char {
    one,       ///< none: memory is there again
    all_later  ///< every one
};

/// Within its life, allocations of this thread count, and the chosen one throws std::bad_alloc:
/// operator new, and with it every coroutine frame and channel.
class [[nodiscard("allocations fail only while it lives")]] failing_allocations {
public:
    failing_allocations(std::uint64_t k, failures mode) noexcept {
        detail::allocation_gate::arm(k, mode == failures::all_later);
    }
    failing_allocations(const failing_allocations&) = delete;
    failing_allocations& operator=(const failing_allocations&) = delete;
    ~failing_allocations() { detail::allocation_gate::disarm(); }

private:
    detail::frame_pool::bypass every_block_counts_;
};

/// What fail_allocations_everywhere hands to its body.
class allocation_failure {
public:
    /// Until the object that is returned goes, allocations count, and the one of this run fails.
    [[nodiscard]] failing_allocations arm() const noexcept { return failing_allocations(k_, mode_); }
    /// Whether it has failed by now.
    [[nodiscard]] bool has_happened() const noexcept {
        return detail::allocation_gate::has_failed();
    }

    allocation_failure(std::uint64_t k, failures mode) noexcept : k_(k), mode_(mode) {}

private:
    std::uint64_t k_;
    failures mode_;
};

/// Runs `f(allocation_failure)` until no allocation is left to fail: in run k, the k-th one within
/// the scope of `arm()` throws std::bad_alloc, which `f` catches where it may come out, and checks
/// what must hold all the same. Every run must free what it allocates.
///
///     #define WEIR_TEST_DEFINE_OPERATOR_NEW     // in one source file of the test program
///     #include <weir/test.hpp>
///
///     weir::test::fail_allocations_everywhere([](weir::test::allocation_failure failure) {
///         auto [tx, rx] = weir::mpsc::unbounded_channel<int>();
///         bool sent = false;
///         try {
///             auto const armed = failure.arm();
///             sent = tx.send(1).has_value();
///         } catch (const std::bad_alloc&) {
///         }
///         REQUIRE(rx.try_recv().has_value() == sent);
///     });
///
/// Returns how many allocations there were. Errors  Throws run_failed, whose text names the
/// allocation; std::logic_error where operator new was not replaced.
template <class F>
std::uint64_t fail_allocations_everywhere(F&& f, failures mode = failures::one) {
    const std::uint64_t seen = detail::allocation_gate::seen();
    ::operator delete(::operator new(1));
    if (detail::allocation_gate::seen() == seen)
        detail::fail<std::logic_error>(
            "fail_allocations_everywhere needs the test program's operator new: define "
            "WEIR_TEST_DEFINE_OPERATOR_NEW before including weir/test.hpp, in one source file");
    for (std::uint64_t k = 0;; ++k) {
        bool failed = false;
        const auto run = [&] {
            const detail::frame_pool::bypass counted;
            const std::ptrdiff_t before = detail::allocation_gate::live();
            f(allocation_failure(k, mode));
            failed = detail::allocation_gate::has_failed();
            const std::ptrdiff_t left = detail::allocation_gate::live() - before;
            if (left > 0)
                detail::fail<leak_error>(
                    (std::to_string(left) + " blocks have not been freed").c_str());
        };
        detail::allocation_gate::arm(k, false);
        detail::allocation_gate::disarm();
        detail::run_named(k, "allocation " + std::to_string(k) + " failed", run);
        if (!failed) return k;
    }
}

}  // namespace test
WEIR_ABI_END }  // namespace weir
