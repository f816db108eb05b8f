#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>
#include <vector>
#include <weir/detail/runtime/timer_wheel.hpp>

namespace {

using weir::detail::timer_entry;
using weir::detail::timer_wheel;

constexpr std::int64_t near_grain = std::int64_t{1} << 16;
constexpr std::int64_t far_grain = std::int64_t{1} << 20;
constexpr std::int64_t ms = 1'000'000, second = 1000 * ms, year = 365 * 86'400 * second;
constexpr std::int64_t forever = std::numeric_limits<std::int64_t>::max();

struct timer : timer_entry {
    std::int64_t inserted_at = 0;
    std::uint64_t sequence = 0;
};

std::vector<timer*> drain(timer_wheel& wheel, std::int64_t now) {
    std::vector<timer*> out;
    while (timer_entry* entry = wheel.pop_expired(now)) out.push_back(static_cast<timer*>(entry));
    return out;
}

// Deadlines of every magnitude: some equal, some on a slot's edge, some already past.
std::int64_t random_deadline(std::mt19937_64& random, std::int64_t now) {
    const auto magnitude = random() % 50;
    std::int64_t delta = static_cast<std::int64_t>(random() >> (63 - magnitude));
    if (random() % 4 == 0) delta &= ~(far_grain - 1);
    if (random() % 16 == 0) delta = -delta;
    if (random() % 8 == 0) return (now + delta) & ~(near_grain - 1);
    return now + delta;
}

// A wheel and what it must do: every entry by deadline and by order of insertion.
class pair_of_models {
public:
    explicit pair_of_models(std::uint64_t seed) : random_(seed), timers_(200) {}

    void step() {
        timer& chosen = timers_[random_() % timers_.size()];
        switch (random_() % 4) {
            case 0:
                now_ += static_cast<std::int64_t>(random_() >> (63 - random_() % 45));
                [[fallthrough]];
            case 1:
                expire();
                break;
            default:
                CHECK(chosen.linked() == remove(chosen));
                wheel_.erase(chosen);
                if (random_() % 8 != 0) insert(chosen);
        }
        check_outlook();
    }

    void finish() {
        while (!wheel_.empty()) {
            REQUIRE(wheel_.next_expiry());
            now_ = std::max(now_ + 1, *wheel_.next_expiry());
            expire();
        }
        CHECK(expected_.empty());
        for (timer& each : timers_) CHECK(!each.linked());
    }

private:
    void insert(timer& chosen) {
        chosen.inserted_at = now_;
        chosen.sequence = ++sequence_;
        wheel_.insert(chosen, random_deadline(random_, now_), now_);
        expected_.emplace(chosen.deadline, &chosen);
    }

    bool remove(const timer& chosen) {
        for (auto [at, end] = expected_.equal_range(chosen.deadline); at != end; ++at)
            if (at->second == &chosen) return expected_.erase(at), true;
        return false;
    }

    void expire() {
        const bool exact = random_() % 3 == 0;
        const timer* previous = nullptr;
        while (timer_entry* entry = exact ? wheel_.pop_exact(now_) : wheel_.pop_expired(now_)) {
            auto& fired = static_cast<timer&>(*entry);
            CHECK(!fired.linked());
            CHECK(fired.deadline <= now_);
            CHECK(remove(fired));
            if (exact && previous && previous->inserted_at < previous->deadline &&
                fired.inserted_at < fired.deadline) {
                CHECK(previous->deadline <= fired.deadline);
                if (previous->deadline == fired.deadline)
                    CHECK(previous->sequence < fired.sequence);
            }
            previous = &fired;
        }
        if (expected_.empty()) return;
        const auto& first = *expected_.begin();
        if (exact) CHECK(first.first > now_);
        for (auto at = expected_.begin(); at != expected_.end() && at->first <= now_; ++at) {
            const bool near = at->first - at->second->inserted_at < 15 * ms;
            CHECK(now_ - at->first < (near ? near_grain : far_grain));
        }
    }

    void check_outlook() {
        CHECK(wheel_.empty() == expected_.empty());
        CHECK(wheel_.next_expiry().has_value() == !expected_.empty());
        if (expected_.empty()) return;
        CHECK(wheel_.earliest_deadline() == expected_.begin()->first);
        CHECK(*wheel_.next_expiry() <= std::max(now_, expected_.begin()->first) + far_grain);
    }

    std::mt19937_64 random_;
    std::vector<timer> timers_;
    timer_wheel wheel_;
    std::multimap<std::int64_t, timer*> expected_;
    std::int64_t now_ = 0;
    std::uint64_t sequence_ = 0;
};

}  // namespace

TEST_SUITE("timer_wheel") {
    TEST_CASE("a random history agrees with an ordered map") {
        for (std::uint64_t seed = 1; seed <= 200; ++seed) {
            CAPTURE(seed);
            pair_of_models models(seed);
            for (int i = 0; i < 1000; ++i) models.step();
            models.finish();
        }
    }

    TEST_CASE("a near deadline is never early and at most 65536 ns late") {
        for (std::int64_t start : {std::int64_t{0}, 3 * second + 1, 5 * year + 77}) {
            for (std::int64_t delta = 1; delta < 15 * ms; delta += 9973) {
                timer_wheel wheel;
                timer entry;
                wheel.insert(entry, start + delta, start);
                const std::int64_t fires = wheel.next_expiry().value();
                CHECK(fires >= start + delta);
                CHECK(fires < start + delta + near_grain);
                CHECK(wheel.pop_expired(fires - 1) == nullptr);
                CHECK(wheel.pop_expired(fires) == &entry);
                CHECK(wheel.empty());
            }
        }
    }

    TEST_CASE("far deadlines share one expiry per 2^20 ns") {
        timer_wheel wheel;
        std::vector<timer> timers(1000);
        const std::int64_t begin = 100 * far_grain;
        for (std::size_t i = 0; i < timers.size(); ++i)
            wheel.insert(timers[i], begin + 1 + static_cast<std::int64_t>(i) * 1000, 0);
        CHECK(drain(wheel, begin + far_grain - 1).empty());
        CHECK(wheel.next_expiry() == begin + far_grain);
        const auto fired = drain(wheel, begin + far_grain);
        REQUIRE(fired.size() == timers.size());
        for (std::size_t i = 0; i < fired.size(); ++i) CHECK(fired[i] == &timers[i]);
    }

    TEST_CASE("following next_expiry reaches every deadline, however far, in few steps") {
        for (std::int64_t start : {std::int64_t{0}, far_grain * 63, 5 * year + 12345}) {
            for (std::int64_t delta : {60 * ms, 1 * second, 3600 * second, 1 * year, 10 * year,
                                       100 * year, 200 * year}) {
                timer_wheel wheel;
                timer entry;
                wheel.insert(entry, start + delta, start);
                std::int64_t now = start;
                int steps = 0;
                timer_entry* fired = nullptr;
                while (!fired && ++steps < 100) {
                    now = wheel.next_expiry().value();
                    fired = wheel.pop_expired(now);
                }
                CHECK(fired == &entry);
                CHECK(steps <= 9);
                CHECK(now >= start + delta);
                CHECK(now <= start + delta + far_grain);
            }
        }
    }

    TEST_CASE("the greatest deadlines do not overflow") {
        timer_wheel wheel;
        std::vector<timer> timers(4);
        wheel.insert(timers[0], forever, 0);
        wheel.insert(timers[1], forever - 1, 0);
        wheel.insert(timers[2], forever - far_grain, 0);
        wheel.insert(timers[3], 1, 0);
        CHECK(wheel.pop_expired(second) == &timers[3]);
        CHECK(wheel.pop_expired(290 * year) == nullptr);
        CHECK(wheel.earliest_deadline() == forever - far_grain);
        CHECK(wheel.pop_exact(forever - 2) == &timers[2]);
        CHECK(wheel.next_expiry() == forever);
        CHECK(wheel.pop_exact(forever - 1) == &timers[1]);
        CHECK(wheel.pop_exact(forever) == &timers[0]);
        CHECK(wheel.empty());
    }

    TEST_CASE("a paused clock that jumps from deadline to deadline meets each one exactly") {
        timer_wheel wheel;
        std::vector<timer> timers(500);
        std::mt19937_64 random(7);
        for (timer& each : timers)
            wheel.insert(each, 1 + static_cast<std::int64_t>(random() % (100 * ms)), 0);
        std::int64_t now = 0;
        std::size_t fired = 0;
        while (const auto next = wheel.earliest_deadline()) {
            CHECK(*next >= now);
            now = *next;
            timer_entry* entry = wheel.pop_exact(now);
            REQUIRE(entry != nullptr);
            CHECK(entry->deadline == now);
            ++fired;
        }
        CHECK(fired == timers.size());
    }

    TEST_CASE("equal deadlines fire in the order of insertion, near or far") {
        timer_wheel wheel;
        std::vector<timer> timers(6);
        const std::int64_t deadline = 64 * far_grain + 3;
        for (std::size_t i = 0; i < 3; ++i) wheel.insert(timers[i], deadline, 0);
        CHECK(drain(wheel, deadline - 5 * ms).empty());
        for (std::size_t i = 3; i < 6; ++i) wheel.insert(timers[i], deadline, deadline - 5 * ms);
        for (timer& each : timers) CHECK(wheel.pop_exact(deadline) == &each);
    }

    TEST_CASE("any number of entries of one slot fire in the order of deadline and insertion") {
        for (const std::int64_t after : {30 * ms, 5 * second}) {
            for (const std::size_t count : {2u, 3u, 254u, 255u, 256u, 257u, 1000u}) {
                timer_wheel wheel;
                std::vector<timer> timers(count);
                std::mt19937_64 random(count);
                const std::int64_t base = (after + far_grain - 1) & ~(far_grain - 1);
                for (std::size_t i = 0; i < count; ++i) {
                    timers[i].sequence = i;
                    wheel.insert(timers[i], base + 1 + static_cast<std::int64_t>(random() % 50), 0);
                }
                const auto fired = drain(wheel, base + far_grain);
                REQUIRE(fired.size() == count);
                CHECK(std::is_sorted(fired.begin(), fired.end(), [](const timer* a, const timer* b) {
                    return std::pair(a->deadline, a->sequence) < std::pair(b->deadline, b->sequence);
                }));
            }
        }
    }

    TEST_CASE("whoever handles one expired entry may erase and insert others") {
        timer_wheel wheel;
        std::vector<timer> timers(6);
        for (std::size_t i = 0; i < 4; ++i)
            wheel.insert(timers[i], 10 + static_cast<std::int64_t>(i), 0);
        CHECK(wheel.pop_expired(second) == &timers[0]);
        wheel.erase(timers[1]);
        wheel.erase(timers[3]);
        wheel.insert(timers[4], 1, second);
        wheel.insert(timers[5], 2 * second, second);
        CHECK(wheel.next_expiry().value() <= second);
        CHECK(wheel.pop_expired(second) == &timers[2]);
        CHECK(wheel.pop_expired(second) == &timers[4]);
        CHECK(wheel.pop_expired(second) == nullptr);
        wheel.erase(timers[5]);
        wheel.erase(timers[5]);
        CHECK(wheel.empty());
    }

    TEST_CASE("a wheel that was idle for long still treats near deadlines as near") {
        timer_wheel wheel;
        timer entry;
        const std::int64_t now = 3 * year;
        wheel.insert(entry, now + 200'000, now);
        CHECK(wheel.next_expiry().value() < now + 200'000 + near_grain);
        CHECK(wheel.pop_expired(now + 300'000) == &entry);
    }

    TEST_CASE("a hundred thousand entries expire in order within one grain of their deadlines") {
        timer_wheel wheel;
        const auto timers = std::make_unique<timer[]>(100'000);
        std::mt19937_64 random(1);
        for (std::size_t i = 0; i < 100'000; ++i)
            wheel.insert(timers[i], 1 + static_cast<std::int64_t>(random() % second), 0);
        for (std::size_t i = 0; i < 100'000; i += 2) wheel.erase(timers[i]);
        std::size_t fired = 0, rounds = 0;
        while (const auto next = wheel.next_expiry()) {
            ++rounds;
            for (const timer* each : drain(wheel, *next)) {
                ++fired;
                if (each->deadline > *next || *next - each->deadline >= far_grain)
                    FAIL("fired at ", *next, ", due at ", each->deadline);
            }
        }
        CHECK(fired == 50'000);
        CHECK(rounds < 2000);
    }
}
