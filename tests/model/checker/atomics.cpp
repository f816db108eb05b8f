// Atomics as the memory model has them: each keeps every value it had, and a load may see any of
// them that coherence and happens-before do not rule out.

#include <cstdio>
#include <cstring>

#include "state.hpp"

namespace model {

namespace {

bool acquires(std::memory_order o) noexcept {
    return o == std::memory_order_acquire || o == std::memory_order_consume ||
           o == std::memory_order_acq_rel || o == std::memory_order_seq_cst;
}
bool releases(std::memory_order o) noexcept {
    return o == std::memory_order_release || o == std::memory_order_acq_rel ||
           o == std::memory_order_seq_cst;
}
bool is_sc(std::memory_order o) noexcept { return o == std::memory_order_seq_cst; }

constexpr const char* order_names[] = {"relaxed", "consume", "acquire", "release", "acq_rel", "seq_cst"};
constexpr const char* operation_names[] = {"load", "store", "exchange", "add", "subtract", "compare"};

const char* name_of(std::memory_order o) noexcept { return order_names[static_cast<int>(o)]; }
const char* name_of(operation o) noexcept { return operation_names[static_cast<int>(o)]; }

/// Another thread may go on first, if the atomic is one that several use. So it is looked at before
/// and after; it must have been constructed visibly, and must not be destroyed before this.
atomic_record& reach(const atomic_word& word) noexcept {
    const bool new_here = word.execution != the.execution;
    the.access(&word, 1, false, nullptr);
    atomic_record& before = the.record_of(word);
    if (new_here) {
        before.first_user = the.current;
        before.place = the.place_of(&word);
        before.shared = !the.choices.explores() || the.shared_places.count(before.place) != 0;
    } else if (before.first_user != the.current && !before.shared) {
        before.shared = the.found_shared = true;
        the.shared_places.insert(before.place);
    }
    if (!before.shared) {
        the.step();
        return before;
    }
    the.point();
    the.access(&word, 1, false, nullptr);
    return the.record_of(word);
}

}  // namespace

atomic_record& engine::record_of(const atomic_word& word) noexcept {
    if (word.execution == execution) return atomics[word.record];
    word.execution = execution;
    word.record = static_cast<std::uint32_t>(atomic_count);
    if (atomic_count == atomics.size()) atomics.emplace_back();
    atomic_record& a = atomics[atomic_count++];
    a.word = &word;
    a.stores.clear();
    a.stores.push_back({word.initial, {}, 0, 0});
    a.reads.clear();
    a.sc_floor = 0;
    a.shared = false;
    a.first_user = current;
    return a;
}

/// The oldest store that the current thread may still see.
std::size_t engine::floor_of(const atomic_record& a, bool seq_cst) noexcept {
    const vector_clock& known = me().known;
    std::size_t floor = seq_cst ? a.sc_floor : 0;
    for (std::size_t i = a.stores.size(); i-- > floor;) {
        if (known.covers(a.stores[i].thread, a.stores[i].time)) {
            floor = i;
            break;
        }
    }
    for (const read_mark& r : a.reads)
        if (r.index > floor && known.covers(r.thread, r.time)) floor = r.index;
    return floor;
}

void engine::read(atomic_record& a, std::size_t index, std::memory_order order) noexcept {
    thread_state& t = me();
    bool news = true;
    for (const read_mark& r : a.reads) news &= r.thread != current || r.index < index;
    if (news)
        a.reads.push_back({static_cast<std::uint32_t>(index), t.known.at[current],
                           static_cast<std::uint8_t>(current)});
    if (acquires(order)) t.known.join(a.stores[index].released);
    if (is_sc(order) && index > a.sc_floor) a.sc_floor = index;
    t.last_used = a.word->record;
    t.last_seen = index;
}

void engine::append(atomic_record& a, std::uint64_t value, std::memory_order order,
                    bool update) noexcept {
    vector_clock& known = me().known;
    vector_clock released;
    if (update) released = a.stores.back().released;  // an update goes on with a release sequence
    const bool changes = value != a.stores.back().value;
    const std::uint16_t written_at = ++known.at[current];
    if (releases(order)) released.join(known);
    a.stores.push_back({value, released, written_at, static_cast<std::uint8_t>(current)});
    if (is_sc(order)) a.sc_floor = a.stores.size() - 1;
    ++known.at[current];  // what follows is not released
    me().last_used = a.word->record;
    me().last_seen = a.stores.size() - 1;
    if (changes) wake_spinning();
}

void engine::log_operation(const atomic_record& a, const char* what, std::memory_order order,
                           std::uint64_t value, std::source_location at) noexcept {
    const char* const slash = std::strrchr(at.file_name(), '/');
    std::printf("%5u %u  %-9s %-24s %-8s %#llx  %s:%u\n", steps, current, what,
                describe(a.word).c_str(), name_of(order), static_cast<unsigned long long>(value),
                slash ? slash + 1 : at.file_name(), static_cast<unsigned>(at.line()));
}

std::uint64_t load(const atomic_word& word, std::memory_order order, std::source_location at) noexcept {
    if (!the.active) return word.initial;
    inside_guard const in;
    order = order_at(order, 's', operation::load, at);
    atomic_record& a = reach(word);
    const std::size_t newest = a.stores.size() - 1;
    std::size_t index = newest;
    if (newest != 0 && the.oddities_left > 0) {
        const std::size_t older = newest - the.floor_of(a, is_sc(order));
        if (older != 0)
            index -= the.choices.pick(static_cast<unsigned>(older + 1), choice_path::kind::other);
        if (index != newest) --the.oddities_left;
    }
    the.read(a, index, order);
    if (the.log)
        the.log_operation(a, index == newest ? "load" : "load old", order, a.stores[index].value, at);
    return a.stores[index].value;
}

void store(atomic_word& word, std::uint64_t value, std::memory_order order,
           std::source_location at) noexcept {
    if (!the.active) {
        word.initial = value;
        return;
    }
    inside_guard const in;
    order = order_at(order, 's', operation::store, at);
    atomic_record& a = reach(word);
    the.append(a, value, order, false);
    if (the.log) the.log_operation(a, "store", order, value, at);
}

std::uint64_t update(atomic_word& word, operation what,
                     std::uint64_t (*next)(std::uint64_t, std::uint64_t), std::uint64_t operand,
                     std::memory_order order, std::source_location at) noexcept {
    if (!the.active) {
        const std::uint64_t before = word.initial;
        word.initial = next(before, operand);
        return before;
    }
    inside_guard const in;
    order = order_at(order, 's', what, at);
    atomic_record& a = reach(word);
    const std::uint64_t before = a.stores.back().value;
    the.read(a, a.stores.size() - 1, order);
    the.append(a, next(before, operand), order, true);
    if (the.log) the.log_operation(a, name_of(what), order, a.stores.back().value, at);
    return before;
}

bool compare_exchange(atomic_word& word, std::uint64_t& expected, std::uint64_t desired, bool weak,
                      compare_exchange_orders orders, std::source_location at) noexcept {
    if (!the.active) {
        if (word.initial != expected) {
            expected = word.initial;
            return false;
        }
        word.initial = desired;
        return true;
    }
    inside_guard const in;
    orders.success = order_at(orders.success, 's', operation::compare_exchange, at);
    orders.failure = order_at(orders.failure, 'f', operation::compare_exchange, at);
    atomic_record& a = reach(word);
    const std::size_t newest = a.stores.size() - 1;
    const bool matches = a.stores[newest].value == expected;

    // A failure is a load: it may see an older store, if that too is not what was expected.
    std::array<std::size_t, 16> seen{};
    unsigned options = 1;
    if (newest != 0 && the.oddities_left > 0)
        for (std::size_t i = the.floor_of(a, is_sc(orders.failure)); i < newest; ++i)
            if (a.stores[i].value != expected && options < seen.size()) seen[options++] = i;
    const bool may_be_spurious = weak && matches && the.oddities_left != 0;
    const unsigned choice = options + may_be_spurious == 1
                                ? 0
                                : the.choices.pick(options + may_be_spurious, choice_path::kind::other);
    const bool spurious = choice == options;
    if (choice == 0 && matches) {
        the.read(a, newest, orders.success);
        the.append(a, desired, orders.success, true);
        if (the.log) the.log_operation(a, "exchanged", orders.success, desired, at);
        return true;
    }
    const std::size_t index = choice == 0 || spurious ? newest : seen[choice];
    if (spurious || index != newest) --the.oddities_left;
    the.read(a, index, orders.failure);
    expected = a.stores[index].value;
    if (the.log)
        the.log_operation(a, spurious ? "spurious" : "compared", orders.failure, expected, at);
    return false;
}

}  // namespace model
