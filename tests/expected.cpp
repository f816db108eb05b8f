#include <weir/expected.hpp>

#include <doctest/doctest.h>

#include <charconv>
#include <concepts>
#include <initializer_list>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using weir::closed;
using weir::elapsed;
using weir::expected;
using weir::unexpect;
using weir::unexpected;

int probes_alive = 0;
bool probes_throw = false;

/// Counts how many are alive, and throws from its constructors when it is asked to.
template <bool MoveThrows>
struct probe {
    explicit probe(int v) : value(v) { enter(); }
    probe(const probe& other) : value(other.value) { enter(); }
    probe(probe&& other) noexcept(!MoveThrows) : value(std::exchange(other.value, -1)) {
        if constexpr (MoveThrows)
            enter();
        else
            ++probes_alive;
    }
    probe& operator=(const probe&) = default;
    ~probe() { --probes_alive; }
    friend bool operator==(const probe&, const probe&) = default;

    void enter() {
        if (probes_throw) throw std::runtime_error("probe");
        ++probes_alive;
    }
    int value;
};
using throwing = probe<true>;
using steady = probe<false>;

struct pinned {
    explicit pinned(int v) : value(v) {}
    pinned(const pinned&) = delete;
    pinned& operator=(const pinned&) = delete;
    int value;
};

struct explicit_from_int {
    explicit explicit_from_int(int v) noexcept : value(v) {}
    int value;
};

using unique = std::unique_ptr<int>;

// Triviality follows the alternatives.
static_assert(std::is_trivially_copyable_v<expected<int, closed>>);
static_assert(std::is_trivially_copyable_v<expected<void, elapsed>>);
static_assert(std::is_trivially_copyable_v<expected<const char*, std::error_code>>);
static_assert(!std::is_trivially_copy_constructible_v<expected<std::string, closed>>);
static_assert(!std::is_trivially_destructible_v<expected<int, std::string>>);
static_assert(std::is_trivially_destructible_v<expected<pinned, int>>);

// So do copying, moving and noexcept.
static_assert(std::is_copy_constructible_v<expected<std::string, int>>);
static_assert(!std::is_copy_constructible_v<expected<unique, int>>);
static_assert(!std::is_copy_constructible_v<expected<int, unique>>);
static_assert(!std::is_copy_assignable_v<expected<int, unique>>);
static_assert(std::is_nothrow_move_constructible_v<expected<unique, std::string>>);
static_assert(std::is_nothrow_move_assignable_v<expected<unique, std::string>>);
static_assert(std::is_nothrow_swappable_v<expected<unique, std::string>>);
static_assert(!std::is_nothrow_move_constructible_v<expected<throwing, int>>);
static_assert(!std::is_move_constructible_v<expected<pinned, int>>);
static_assert(!std::is_copy_assignable_v<expected<throwing, throwing>>);
static_assert(std::is_copy_assignable_v<expected<throwing, int>>);
static_assert(!std::is_default_constructible_v<expected<explicit_from_int, int>>);
static_assert(std::is_nothrow_default_constructible_v<expected<void, std::string>>);

// Conversions are implicit exactly where both alternatives' are.
static_assert(std::is_convertible_v<int, expected<long, closed>>);
static_assert(!std::is_convertible_v<int, expected<explicit_from_int, closed>>);
static_assert(std::is_constructible_v<expected<explicit_from_int, closed>, int>);
static_assert(std::is_convertible_v<unexpected<const char*>, expected<int, std::string>>);
static_assert(!std::is_convertible_v<unexpected<int>, expected<int, explicit_from_int>>);
static_assert(std::is_convertible_v<expected<int, const char*>, expected<long, std::string>>);
static_assert(!std::is_constructible_v<expected<std::string, int>, expected<void, int>>);
static_assert(!std::is_constructible_v<expected<void, int>, expected<int, int>>);
static_assert(!std::is_constructible_v<expected<bool, int>, expected<bool, std::string>>);
static_assert(!std::is_convertible_v<expected<int, closed>, bool>);
static_assert(std::is_constructible_v<bool, expected<int, closed>>);

static_assert(std::equality_comparable<expected<int, closed>>);
static_assert(std::same_as<expected<int, closed>::rebind<long>, expected<long, closed>>);
static_assert(closed{} == closed{} && elapsed{} == elapsed{});

// operator* and value() keep the value category.
static_assert(std::same_as<decltype(*std::declval<expected<int, closed>&>()), int&>);
static_assert(std::same_as<decltype(*std::declval<expected<int, closed>>()), int&&>);
static_assert(std::same_as<decltype(std::declval<const expected<int, closed>&>().value()),
                           const int&>);
static_assert(std::same_as<decltype(std::declval<expected<void, closed>&>().value()), void>);

constexpr int usable_in_constant_expressions() {
    expected<std::pair<int, int>, closed> e(std::in_place, 1, 2);
    expected<std::pair<int, int>, closed> f = unexpected(closed{});
    swap(e, f);
    e.emplace(3, 4);
    const auto sum = f.transform([](const auto& p) { return p.first + p.second; });
    return *sum + e->second + (f == e ? 100 : 0);
}
static_assert(usable_in_constant_expressions() == 7);

expected<int, std::errc> parse(std::string_view text) {
    int n = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), n);
    if (r.ec != std::errc{}) return unexpected(r.ec);
    return n;
}

}  // namespace

TEST_SUITE("expected") {
    TEST_CASE("a function returns a plain value or an unexpected error [doc]") {
        const auto good = parse("42");
        REQUIRE(good);
        CHECK(*good == 42);
        const auto bad = parse("river");
        REQUIRE_FALSE(bad.has_value());
        CHECK(bad.error() == std::errc::invalid_argument);
        CHECK(bad.value_or(7) == 7);
        CHECK(good.error_or(std::errc::timed_out) == std::errc::timed_out);
        CHECK(parse("10").transform([](int n) { return n / 2; }) == 5);
    }

    TEST_CASE("both alternatives can be made in place") {
        const expected<std::string, int> a(std::in_place, std::size_t{3}, 'x');
        CHECK(*a == "xxx");
        CHECK(a->size() == 3);
        const expected<std::vector<int>, int> b(std::in_place, {1, 2, 3});
        CHECK(b->size() == 3);
        const expected<int, std::string> c(unexpect, std::size_t{2}, 'y');
        CHECK(c.error() == "yy");
        const expected<int, std::vector<int>> d(unexpect, {4, 5});
        CHECK(d.error().back() == 5);
        const expected<pinned, int> e(std::in_place, 9);
        CHECK(e->value == 9);
        CHECK(expected<void, int>(std::in_place).has_value());
        CHECK(expected<int, int>().value() == 0);
    }

    TEST_CASE("values and errors that can only be moved pass through") {
        expected<unique, unique> e = std::make_unique<int>(1);
        expected<unique, unique> f = std::move(e);
        CHECK(**f == 1);
        f = unexpected(std::make_unique<int>(2));
        CHECK(*f.error() == 2);
        const unique taken = std::move(f).error();
        CHECK(*taken == 2);
        f = std::make_unique<int>(3);
        CHECK(*std::move(f).value() == 3);
        const unique fallback = expected<unique, int>(unexpect, 1).value_or(nullptr);
        CHECK(fallback == nullptr);
    }

    TEST_CASE("an expected converts to one whose alternatives can be made from its own") {
        const expected<int, const char*> value = 3;
        const expected<long, std::string> wide = value;
        CHECK(*wide == 3);
        expected<long, std::string> error = expected<int, const char*>(unexpect, "no");
        CHECK(error.error() == "no");
        const expected<void, const char*> nothing(unexpect, "none");
        CHECK(expected<void, std::string>(nothing).error() == "none");
        error = unexpected("again");
        CHECK(error.error() == "again");
    }

    TEST_CASE("value of an error throws the error") {
        const expected<int, std::string> e = unexpected("why");
        try {
            static_cast<void>(e.value());
            FAIL("value() returned");
        } catch (const weir::bad_expected_access<std::string>& thrown) {
            CHECK(thrown.error() == "why");
        }
        CHECK_THROWS_AS(e.value(), weir::bad_expected_access<void>);
        CHECK_THROWS_WITH_AS((expected<void, closed>(unexpect).value()),
                             "weir: value() of an expected that holds an error; test has_value() "
                             "first, or handle error()",
                             std::exception);
    }

    TEST_CASE("value of an error_code throws system_error") {
        const expected<int, std::error_code> e =
            unexpected(std::make_error_code(std::errc::timed_out));
        try {
            static_cast<void>(e.value());
            FAIL("value() returned");
        } catch (const std::system_error& thrown) {
            CHECK(thrown.code() == std::errc::timed_out);
        }
        const expected<void, std::error_code> v = unexpected(e.error());
        CHECK_THROWS_AS(v.value(), std::system_error);
    }

    TEST_CASE("value of an rvalue moves an error that can only be moved into the exception") {
        expected<void, unique> e = unexpected(std::make_unique<int>(5));
        try {
            std::move(e).value();
            FAIL("value() returned");
        } catch (const weir::bad_expected_access<unique>& thrown) {
            CHECK(*thrown.error() == 5);
        }
    }

    TEST_CASE("assignment reaches every pair of alternatives and destroys what it replaces") {
        {
            const expected<steady, steady> value(std::in_place, 1), error(unexpect, 2);
            expected<steady, steady> e = value;
            e = error;
            CHECK(e.error().value == 2);
            e = error;
            e = value;
            CHECK(e->value == 1);
            e = expected<steady, steady>(std::in_place, 3);
            CHECK(e->value == 3);
            e = expected<steady, steady>(unexpect, 4);
            CHECK(e.error().value == 4);
            e = steady(5);
            CHECK(e->value == 5);
            CHECK(probes_alive == 3);
        }
        CHECK(probes_alive == 0);
    }

    TEST_CASE("an assignment that throws leaves the old alternative as it was") {
        const throwing fresh(7);
        expected<throwing, steady> to_value(unexpect, 1);
        probes_throw = true;
        CHECK_THROWS_AS(to_value = fresh, std::runtime_error);
        CHECK(to_value.error().value == 1);

        probes_throw = false;
        expected<steady, throwing> to_error(std::in_place, 2);
        const unexpected<throwing> error(std::in_place, 3);
        probes_throw = true;
        CHECK_THROWS_AS(to_error = error, std::runtime_error);
        CHECK(to_error->value == 2);
        probes_throw = false;
        to_error = error;
        CHECK(to_error.error().value == 3);
    }

    TEST_CASE("swap reaches every pair of alternatives") {
        using both = expected<steady, steady>;
        both a(std::in_place, 1), b(std::in_place, 2), c(unexpect, 3), d(unexpect, 4);
        swap(a, b);
        CHECK((a->value == 2 && b->value == 1));
        c.swap(d);
        CHECK((c.error().value == 4 && d.error().value == 3));
        swap(a, c);
        CHECK((a.error().value == 4 && c->value == 2));
        swap(a, c);
        CHECK((a->value == 2 && c.error().value == 4));
        expected<void, steady> none, some(unexpect, 5);
        swap(none, some);
        CHECK((some.has_value() && none.error().value == 5));
        swap(none, some);
        CHECK((none.has_value() && some.error().value == 5));
    }

    TEST_CASE("a swap that throws leaves both sides as they were") {
        expected<throwing, steady> a(std::in_place, 1), b(unexpect, 2);
        expected<steady, throwing> c(std::in_place, 3), d(unexpect, 4);
        probes_throw = true;
        CHECK_THROWS_AS(swap(a, b), std::runtime_error);
        CHECK_THROWS_AS(swap(b, a), std::runtime_error);
        CHECK_THROWS_AS(swap(c, d), std::runtime_error);
        probes_throw = false;
        CHECK((a.has_value() && b.error().value == 2));
        CHECK((c->value == 3 && !d.has_value()));
    }

    TEST_CASE("emplace replaces either alternative by a new value") {
        using made_from_int = expected<explicit_from_int, std::string>;
        made_from_int e(unexpect, "too long for the small buffer of a string");
        CHECK(e.emplace(4).value == 4);
        CHECK(e.emplace(5).value == 5);
        expected<void, std::string> v(unexpect, "another text too long for the small buffer");
        v.emplace();
        CHECK(v.has_value());
    }

    TEST_CASE("and_then goes on with the value and stops at an error") {
        const auto half = [](int n) -> expected<int, std::string> {
            if (n % 2 != 0) return unexpected("odd");
            return n / 2;
        };
        expected<int, std::string> start = 12;
        CHECK(start.and_then(half).and_then(half) == 3);
        CHECK(start.and_then(half).and_then(half).and_then(half) == unexpected("odd"));
        expected<void, std::string> nothing;
        CHECK(nothing.and_then([&] { return half(4); }) == 2);
        const auto take = [](unique p) -> expected<unique, closed> { return p; };
        CHECK(**expected<unique, closed>(std::make_unique<int>(8)).and_then(take) == 8);
    }

    TEST_CASE("or_else replaces an error and keeps a value") {
        const auto recover = [](int n) -> expected<std::string, closed> {
            if (n == 0) return unexpected(closed{});
            return std::to_string(n);
        };
        CHECK(expected<std::string, int>("kept").or_else(recover) == "kept");
        CHECK(expected<std::string, int>(unexpect, 6).or_else(recover) == "6");
        CHECK(expected<std::string, int>(unexpect, 0).or_else(recover) == unexpected(closed{}));
        const expected<void, int> v(unexpect, 1);
        CHECK(v.or_else([](int) { return expected<void, closed>(); }).has_value());
    }

    TEST_CASE("transform makes its result in place, also one that cannot be moved") {
        const auto e = expected<int, closed>(4).transform([](int n) { return pinned(n * 2); });
        CHECK(e->value == 8);
        const auto f = expected<int, int>(unexpect, 4).transform_error([](int n) {
            return pinned(n * 3);
        });
        CHECK(f.error().value == 12);
        int seen = 0;
        const expected<void, closed> v =
            expected<int, closed>(5).transform([&](int n) { seen = n; });
        CHECK((v.has_value() && seen == 5));
        CHECK(v.transform([] { return 6; }) == 6);
        CHECK(expected<void, int>().transform_error([](int) { return closed{}; }).has_value());
    }

    TEST_CASE("expecteds compare by alternative, then by content") {
        using e = expected<int, std::string>;
        CHECK(e(1) == e(1));
        CHECK(e(1) != e(2));
        CHECK(e(1) != e(unexpect, "1"));
        CHECK(e(unexpect, "a") == expected<long, const char*>(unexpect, "a"));
        CHECK(e(1) == 1L);
        CHECK(2 != e(1));
        CHECK(e(unexpect, "a") == unexpected("a"));
        CHECK(e(1) != unexpected("a"));
        CHECK(expected<void, int>() == expected<void, long>());
        CHECK(expected<void, int>(unexpect, 1) != expected<void, long>(unexpect, 2));
        CHECK(unexpected(1) == unexpected(1L));
    }
}
