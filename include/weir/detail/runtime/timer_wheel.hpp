#pragma once
// A hierarchical timing wheel: which deadline comes next, in O(1) per insertion and removal.
//
// It is a data structure only: it reads no clock, owns no thread and takes no lock. Times are
// nanoseconds of a monotonic clock that starts at or above zero.
//
// State: two wheels of intrusive lists.
//   near   256 slots of 2^16 ns each, one turn: what is due within about 16 ms
//   far    level 0 of 1024 slots of 2^20 ns each, about a second, so that most timers stay where they
//          were put; 6 levels of 64 slots, of level k 2^(24 + 6k) ns wide: everything else
//   due    one list, in deadline order: expired, not handed out yet
// A slot with index i holds the deadlines in (i * width, (i + 1) * width], so a slot whose end has
// been reached holds nothing that would fire early. Far entries stay far: they fire at the end of
// their slot of 2^20 ns, and the many timers of one such slot share a wake-up.
// Invariants, with `far_` the far tick (a slot of level 0) that the last known time lies in:
//   - an entry of level k > 0 agrees with far_ in every digit above k and is greater in digit k, so
//     lower levels always expire first, and the slots of one level in index order;
//   - an entry of level 0 agrees in all digits above the last, which is not less than that of far_;
//   - near entries lie within 256 ticks of near_;
//   - a head is meaningful only while its bit is set: making a wheel clears 27 words, not 13 KiB.
// Entries of equal deadline fire in the order of their insertion: the far one was there first.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

// One timer, embedded in whatever waits for it. It must be erased before it is destroyed.
struct timer_entry {
    timer_entry() noexcept = default;
    timer_entry(const timer_entry&) = delete;
    timer_entry& operator=(const timer_entry&) = delete;

    bool linked() const noexcept { return slot != unlinked; }

    static constexpr std::uint16_t unlinked = 0xffff;

    timer_entry* prev = nullptr;  // of the first entry of a slot: the last
    timer_entry* next = nullptr;  // of the last entry: null
    std::int64_t deadline = 0;
    std::uint16_t slot = unlinked;
};

static_assert(sizeof(timer_entry) <= 32, "a timer lives in every sleeping frame");

class timer_wheel {
public:
    timer_wheel() noexcept {}
    timer_wheel(const timer_wheel&) = delete;
    timer_wheel& operator=(const timer_wheel&) = delete;

    bool empty() const noexcept { return occupied_ == 0; }

    // Files an unlinked entry. `now` says how near the deadline is; it may lie before or after the
    // last time the wheel was told. An entry that is due already is the last of the due ones.
    void insert(timer_entry& entry, std::int64_t deadline, std::int64_t now) noexcept;

    // Takes an entry out, whichever list it is in; does nothing to one that is not linked.
    void erase(timer_entry& entry) noexcept;

    // The time at which pop_expired should be called next: never later than the first entry fires,
    // and earlier only where a far slot has to be spread over finer ones first.
    std::optional<std::int64_t> next_expiry() const noexcept;

    // The first deadline itself, for a clock that jumps from one to the next. Walks one slot of
    // each wheel.
    std::optional<std::int64_t> earliest_deadline() const noexcept;

    // Unlinks and returns the next entry that has expired at `now`, or null when none is left. One at
    // a time, in the order of the deadlines, so that whoever is called for one entry may
    // erase and insert others. At most 2^16 ns late for a near entry and 2^20 ns for a far one.
    timer_entry* pop_expired(std::int64_t now) noexcept { return pop(now, false); }

    // As pop_expired, with no lateness at all: for a paused clock. Costs a walk over two slots.
    timer_entry* pop_exact(std::int64_t now) noexcept { return pop(now, true); }

private:
    // Slots are numbered through: near, far level by level, due. The word of a slot's bit is its
    // number divided by 64, in both wheels.
    static constexpr unsigned near_slots = 256, near_shift = 16, far_shift = 20;
    static constexpr unsigned wide_bits = 10, digit_bits = 6;  // of level 0, of those above
    static constexpr unsigned far_levels = 7;
    static constexpr unsigned far_base = near_slots, upper_base = far_base + (1u << wide_bits);
    static constexpr unsigned due_slot = upper_base + ((far_levels - 1) << digit_bits);
    static constexpr unsigned near_words = near_slots / 64, wide_words = (1u << wide_bits) / 64;
    static constexpr unsigned words = due_slot / 64 + 1;
    static_assert(words <= 32 && far_shift + wide_bits + (far_levels - 1) * digit_bits >= 63);

    struct list {
        timer_entry* first = nullptr;
        timer_entry* last = nullptr;  // meaningful while first is not null

        void append(timer_entry* from, timer_entry* to) noexcept {
            (first ? last->next : first) = from;
            last = to;
        }
    };

    // A slot of the far wheel, and the tick at which it begins.
    struct far_position {
        unsigned level, slot;
        std::uint64_t begin;
    };

    static std::uint64_t tick(std::int64_t time, unsigned shift) noexcept {
        return time > 0 ? static_cast<std::uint64_t>(time) >> shift : 0;
    }
    // When a slot of the given tick may fire; saturates, since the last far slot ends at 2^63.
    static std::int64_t begin_of(std::uint64_t at, unsigned shift) noexcept {
        constexpr auto limit = std::numeric_limits<std::int64_t>::max();
        const bool overflows = at > static_cast<std::uint64_t>(limit) >> shift;
        return overflows ? limit : static_cast<std::int64_t>(at << shift);
    }

    bool has(unsigned slot) const noexcept { return bits_[slot / 64] >> (slot % 64) & 1; }
    unsigned far_slot_of(std::uint64_t at) const noexcept;
    std::optional<unsigned> first_near() const noexcept;
    std::optional<far_position> first_far() const noexcept;

    void link(timer_entry& entry, unsigned slot) noexcept;
    timer_entry* take(unsigned slot) noexcept;
    timer_entry* pop(std::int64_t now, bool exact) noexcept;
    list collect_near(std::uint64_t until) noexcept;
    list collect_far(std::uint64_t until) noexcept;
    list take_reached(unsigned slot, std::int64_t now) noexcept;
    void move_to_due(timer_entry* ordered) noexcept;

    static list sorted_slot(timer_entry* first) noexcept;
    static list sorted(timer_entry* first) noexcept;
    static timer_entry* merge(timer_entry* a, timer_entry* b) noexcept;

    std::uint64_t near_ = 0;
    std::uint64_t far_ = 0;
    std::uint32_t occupied_ = 0;  // bit w: bits_[w] is not zero
    std::array<std::uint64_t, words> bits_{};
    std::array<timer_entry*, due_slot + 1> heads_;  // left as it is: see Invariants
};

inline unsigned timer_wheel::far_slot_of(std::uint64_t at) const noexcept {
    const auto differing = static_cast<unsigned>(std::bit_width(at ^ far_));
    if (differing <= wide_bits)
        return far_base + static_cast<unsigned>(at & ((1u << wide_bits) - 1));
    const unsigned upper = (differing - 1 - wide_bits) / digit_bits;  // 0: level 1
    const auto digit = static_cast<unsigned>(at >> (wide_bits + upper * digit_bits)) &
                       ((1u << digit_bits) - 1);
    return upper_base + (upper << digit_bits) + digit;
}

// A head is read only while its bit is set, which g++ cannot see.
#if WEIR_GCC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
inline void timer_wheel::link(timer_entry& entry, unsigned slot) noexcept {
    timer_entry*& head = heads_[slot];
    entry.next = nullptr;
    entry.slot = static_cast<std::uint16_t>(slot);
    if (has(slot)) {
        entry.prev = head->prev;
        head->prev->next = &entry;
        head->prev = &entry;
        return;
    }
    entry.prev = head = &entry;
    bits_[slot / 64] |= std::uint64_t{1} << (slot % 64);
    occupied_ |= std::uint32_t{1} << (slot / 64);
}
#if WEIR_GCC
#pragma GCC diagnostic pop
#endif

inline void timer_wheel::insert(timer_entry& entry, std::int64_t deadline,
                                std::int64_t now) noexcept {
    constexpr std::uint32_t near_mask = (1u << near_words) - 1, due_mask = 1u << (words - 1);
    // An empty wheel stands at any time: a runtime without timers need not tell it the time.
    if ((occupied_ & near_mask) == 0) near_ = std::max(near_, tick(now, near_shift));
    if ((occupied_ & ~(near_mask | due_mask)) == 0) far_ = std::max(far_, tick(now, far_shift));

    entry.deadline = deadline;
    if (deadline <= now || deadline <= begin_of(near_, near_shift) ||
        deadline <= begin_of(far_, far_shift))
        return link(entry, due_slot);
    const std::uint64_t near_tick = tick(deadline - 1, near_shift);
    if (near_tick - near_ < near_slots)
        link(entry, static_cast<unsigned>(near_tick % near_slots));
    else
        link(entry, far_slot_of(tick(deadline - 1, far_shift)));
}

inline void timer_wheel::erase(timer_entry& entry) noexcept {
    if (!entry.linked()) return;
    const unsigned slot = entry.slot;
    timer_entry*& head = heads_[slot];
    if (entry.next)
        entry.next->prev = entry.prev;
    else
        head->prev = entry.prev;
    if (&entry != head)
        entry.prev->next = entry.next;
    else if (entry.next)
        head = entry.next;
    else
        take(slot);
    entry.slot = timer_entry::unlinked;
}

// Empties a slot and returns what it held.
inline timer_entry* timer_wheel::take(unsigned slot) noexcept {
    std::uint64_t& word = bits_[slot / 64];
    word &= ~(std::uint64_t{1} << (slot % 64));
    if (word == 0) occupied_ &= ~(std::uint32_t{1} << (slot / 64));
    return heads_[slot];
}

// The distance from near_ to the first occupied near slot.
inline std::optional<unsigned> timer_wheel::first_near() const noexcept {
    const auto from = static_cast<unsigned>(near_ % near_slots);
    for (unsigned i = 0; i <= near_words; ++i) {
        const unsigned word = (from / 64 + i) % near_words;
        std::uint64_t found = bits_[word];
        if (i == 0) found &= ~std::uint64_t{0} << (from % 64);
        if (found == 0) continue;
        const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(found));
        return (slot - from) % near_slots;
    }
    return std::nullopt;
}

inline std::optional<timer_wheel::far_position> timer_wheel::first_far() const noexcept {
    constexpr std::uint32_t near_mask = (1u << near_words) - 1, due_mask = 1u << (words - 1);
    const std::uint32_t occupied = occupied_ & ~(near_mask | due_mask);
    if (occupied == 0) return std::nullopt;
    const auto word = static_cast<unsigned>(std::countr_zero(occupied));
    const unsigned slot = word * 64 + static_cast<unsigned>(std::countr_zero(bits_[word]));
    if (word < near_words + wide_words)
        return far_position{0, slot, far_ >> wide_bits << wide_bits | (slot - far_base)};
    const unsigned upper = word - near_words - wide_words;
    const unsigned shift = wide_bits + upper * digit_bits;
    const std::uint64_t above = far_ >> (shift + digit_bits) << digit_bits;
    return far_position{upper + 1, slot, (above | slot % 64) << shift};
}

inline std::optional<std::int64_t> timer_wheel::next_expiry() const noexcept {
    if (occupied_ == 0) return std::nullopt;
    if (has(due_slot)) return heads_[due_slot]->deadline;
    std::optional<std::int64_t> result;
    if (const auto distance = first_near()) result = begin_of(near_ + *distance + 1, near_shift);
    if (const auto at = first_far()) {
        const std::int64_t time = begin_of(at->level == 0 ? at->begin + 1 : at->begin, far_shift);
        if (!result || time < *result) result = time;
    }
    return result;
}

inline std::optional<std::int64_t> timer_wheel::earliest_deadline() const noexcept {
    std::optional<std::int64_t> result;
    const auto look_at = [&](unsigned slot) {
        for (const timer_entry* entry = heads_[slot]; entry; entry = entry->next)
            if (!result || entry->deadline < *result) result = entry->deadline;
    };
    if (has(due_slot)) look_at(due_slot);
    if (const auto distance = first_near())
        look_at(static_cast<unsigned>((near_ + *distance) % near_slots));
    if (const auto at = first_far()) look_at(at->slot);
    return result;
}

inline timer_entry* timer_wheel::pop(std::int64_t now, bool exact) noexcept {
    if (occupied_ == 0) return nullptr;
    if (!has(due_slot)) {
        list far = collect_far(tick(now, far_shift));
        list near = collect_near(tick(now, near_shift));
        if (exact) {
            const list far_rest = take_reached(far_slot_of(far_), now);
            const list near_rest = take_reached(static_cast<unsigned>(near_ % near_slots), now);
            if (far_rest.first) far.append(far_rest.first, far_rest.last);
            if (near_rest.first) near.append(near_rest.first, near_rest.last);
        }
        move_to_due(merge(far.first, near.first));
        if (!has(due_slot)) return nullptr;
    }
    timer_entry* first = heads_[due_slot];
    erase(*first);
    return first;
}

// Takes the near slots that have ended and moves the wheel to the tick `until`.
inline timer_wheel::list timer_wheel::collect_near(std::uint64_t until) noexcept {
    list result;
    if (until <= near_) return result;
    while (const auto distance = first_near()) {
        if (near_ + *distance >= until) break;
        near_ += *distance;
        const list slot = sorted_slot(take(static_cast<unsigned>(near_ % near_slots)));
        result.append(slot.first, slot.last);
    }
    near_ = until;
    return result;
}

// As collect_near; spreads the slots of the upper levels that have begun over the lower ones.
inline timer_wheel::list timer_wheel::collect_far(std::uint64_t until) noexcept {
    list result;
    if (until <= far_) return result;
    while (const auto at = first_far()) {
        if (at->begin > until || (at->level == 0 && at->begin == until)) break;
        far_ = at->begin;
        timer_entry* entry = take(at->slot);
        if (at->level == 0) {
            const list slot = sorted_slot(entry);
            result.append(slot.first, slot.last);
            continue;
        }
        while (entry) {
            timer_entry* next = entry->next;
            link(*entry, far_slot_of(tick(entry->deadline - 1, far_shift)));
            entry = next;
        }
    }
    far_ = until;
    return result;
}

// Takes from a slot that has begun and not ended what is due at `now`.
inline timer_wheel::list timer_wheel::take_reached(unsigned slot, std::int64_t now) noexcept {
    if (!has(slot)) return {};
    list reached;
    for (timer_entry* entry = take(slot); entry;) {
        timer_entry* next = entry->next;
        if (entry->deadline <= now) {
            entry->next = nullptr;
            reached.append(entry, entry);
        } else {
            link(*entry, slot);
        }
        entry = next;
    }
    return reached.first ? sorted(reached.first) : list{};
}

inline void timer_wheel::move_to_due(timer_entry* ordered) noexcept {
    while (ordered) {
        timer_entry* next = ordered->next;
        link(*ordered, due_slot);
        ordered = next;
    }
}

// Merges two lists in deadline order; on a tie what is in `a` comes first.
inline timer_entry* timer_wheel::merge(timer_entry* a, timer_entry* b) noexcept {
    timer_entry* first = nullptr;
    timer_entry** end = &first;
    while (a && b) {
        timer_entry*& lesser = b->deadline < a->deadline ? b : a;
        *end = lesser;
        end = &lesser->next;
        lesser = lesser->next;
    }
    *end = a ? a : b;
    return first;
}

// In deadline order what `take` returned. Most slots hold one entry or were filled in order: a walk
// shows it. The entries of the others are far apart in memory, and fetching them takes most of the
// time: a walk from both ends fetches two at once, and the sort itself touches none.
inline timer_wheel::list timer_wheel::sorted_slot(timer_entry* first) noexcept {
    timer_entry* last = first;
    while (last->next && last->deadline <= last->next->deadline) last = last->next;
    if (!last->next) return {first, last};

    struct place {
        std::int64_t deadline;
        std::size_t number;  // in the order of insertion
        timer_entry* entry;
    };
    std::array<place, 256> places;
    std::size_t count = 0;
    std::size_t from_end = SIZE_MAX;
    timer_entry *front = first, *back = first->prev;
    for (;;) {
        if (count + 2 > places.size()) return sorted(first);
        places[count] = {front->deadline, count, front};
        ++count;
        if (front == back) break;
        places[count] = {back->deadline, --from_end, back};
        ++count;
        if (front->next == back) break;
        front = front->next;
        back = back->prev;
    }
    const auto end = places.begin() + static_cast<std::ptrdiff_t>(count);
    std::sort(places.begin(), end, [](const place& a, const place& b) {
        return a.deadline != b.deadline ? a.deadline < b.deadline : a.number < b.number;
    });
    for (std::size_t i = 1; i < count; ++i) places[i - 1].entry->next = places[i].entry;
    last = places[count - 1].entry;
    last->next = nullptr;
    return {places[0].entry, last};
}

// A stable merge sort in place, of any number of entries.
inline timer_wheel::list timer_wheel::sorted(timer_entry* first) noexcept {
    std::array<timer_entry*, 48> runs{};  // runs[i] is empty or a sorted run of 2^i entries
    std::size_t used = 0;
    while (first) {
        timer_entry* run = first;
        first = first->next;
        run->next = nullptr;
        std::size_t i = 0;
        for (; runs[i]; ++i) {
            run = merge(runs[i], run);
            runs[i] = nullptr;
        }
        runs[i] = run;
        if (i == used) ++used;
    }
    timer_entry* all = nullptr;
    for (std::size_t i = 0; i < used; ++i) all = merge(runs[i], all);
    timer_entry* last = all;
    while (last->next) last = last->next;
    return {all, last};
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
