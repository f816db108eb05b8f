#pragma once
// Element types that count what happens to them.

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <utility>

namespace weir_test {

// What happened to the values of one test. A value is dropped when the object that holds it (and
// not one that it was moved out of) is destroyed: anything but once is a leak or a double free.
struct ledger {
    std::atomic<int> made{0};
    std::atomic<int> copies{0};
    std::atomic<int> moves{0};
    std::atomic<int> dropped{0};
    std::atomic<int> objects{0};  // with those that were moved out of

    int live() const { return made.load() + copies.load() - dropped.load(); }
};

// A copyable value that reports to a ledger.
class counted {
public:
    explicit counted(ledger& l, int v = 0) : value(v), ledger_(&l) {
        ++l.made;
        ++l.objects;
    }
    counted(const counted& o) : value(o.value), ledger_(o.ledger_), owner_(o.owner_) {
        if (owner_) ++ledger_->copies;
        ++ledger_->objects;
    }
    counted(counted&& o) noexcept
        : value(o.value), ledger_(o.ledger_), owner_(std::exchange(o.owner_, false)) {
        ++ledger_->moves;
        ++ledger_->objects;
    }
    counted& operator=(counted o) noexcept {
        std::swap(value, o.value);
        std::swap(ledger_, o.ledger_);
        std::swap(owner_, o.owner_);
        return *this;
    }
    ~counted() {
        if (owner_) ++ledger_->dropped;
        --ledger_->objects;
    }

    int value;

private:
    ledger* ledger_;
    bool owner_ = true;
};

// The same without copies.
class counted_move_only : public counted {
public:
    using counted::counted;
    counted_move_only(const counted_move_only&) = delete;
    counted_move_only(counted_move_only&&) noexcept = default;
    counted_move_only& operator=(const counted_move_only&) = delete;
    counted_move_only& operator=(counted_move_only&&) noexcept = default;
    ~counted_move_only() = default;
};

// A value that must lie on a boundary of 64 bytes and notices when it does not.
class alignas(64) over_aligned {
public:
    explicit over_aligned(int v = 0) : value(v) {}
    bool aligned() const { return reinterpret_cast<std::uintptr_t>(this) % 64 == 0; }
    int value;
};

// A value whose move constructor throws when the shared countdown reaches zero.
class throws_on_move {
public:
    throws_on_move(ledger& l, int& countdown, int v = 0) : inner(l, v), countdown_(&countdown) {}
    throws_on_move(throws_on_move&& o)
        : inner((tick(*o.countdown_), std::move(o.inner))), countdown_(o.countdown_) {}
    throws_on_move& operator=(throws_on_move&&) = delete;

    counted inner;

private:
    static void tick(int& countdown) {
        if (--countdown == 0) throw std::runtime_error("this move throws");
    }
    int* countdown_;
};

}  // namespace weir_test
