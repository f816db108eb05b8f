#pragma once
// Latencies, counted by size: memory that does not grow, percentiles within three per cent.

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace redis {

/// Counts of durations in microseconds. Each power of two is cut into 32 equal parts.
class histogram {
public:
    using microseconds = std::chrono::microseconds;

    void add(microseconds latency) noexcept {
        const auto us = static_cast<std::uint64_t>(latency.count() < 0 ? 0 : latency.count());
        ++counts_[bucket_of(us)];
        ++total_;
    }

    void add(const histogram& other) noexcept {
        for (std::size_t b = 0; b < counts_.size(); ++b) counts_[b] += other.counts_[b];
        total_ += other.total_;
    }

    std::uint64_t total() const noexcept { return total_; }

    /// What `share` of the latencies, from 0 to 1, does not exceed.
    microseconds percentile(double share) const noexcept {
        const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t b = 0; b < counts_.size(); ++b) {
            seen += counts_[b];
            if (seen > wanted || (seen == total_ && seen != 0)) return end_of(b);
        }
        return microseconds(0);
    }

    /// How many latencies are in [2^power, 2^(power+1)) microseconds; the first row has 0 as well.
    std::uint64_t in_power(std::size_t power) const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t b = 0; b < counts_.size(); ++b) {
            const auto last = static_cast<std::uint64_t>(end_of(b).count());
            if (static_cast<std::size_t>(std::bit_width(last | 1)) == power + 1) sum += counts_[b];
        }
        return sum;
    }
    static constexpr std::size_t powers = 40;

private:
    static constexpr std::size_t parts = 32;

    static std::size_t bucket_of(std::uint64_t us) noexcept {
        if (us < parts) return us;
        const auto shift = static_cast<std::size_t>(std::bit_width(us)) - 6;  // us >> shift: 32..63
        const std::size_t bucket = (shift + 1) * parts + ((us >> shift) - parts);
        return bucket < buckets ? bucket : buckets - 1;
    }
    // The largest duration of a bucket.
    static microseconds end_of(std::size_t bucket) noexcept {
        if (bucket < parts) return microseconds(bucket);
        const std::size_t shift = bucket / parts - 1;
        const std::uint64_t first = std::uint64_t{parts + bucket % parts} << shift;
        return microseconds(first + (std::uint64_t{1} << shift) - 1);
    }

    static constexpr std::size_t buckets = (powers - 4) * parts;
    std::array<std::uint64_t, buckets> counts_{};
    std::uint64_t total_ = 0;
};

}  // namespace redis
