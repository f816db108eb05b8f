#pragma once
// What the tests of broadcast share.

#include <doctest/doctest.h>

#include <string>
#include <weir/broadcast.hpp>

namespace weir_test {

// A value that is kept as a word.
class plain {
public:
    explicit plain(int v) : value_(v) {}
    explicit operator int() const { return value_; }

private:
    int value_;
};

// A value that is kept with a count of who has not seen it.
class boxed {
public:
    explicit boxed(int v) : text_(std::to_string(v)) {}
    explicit operator int() const { return std::stoi(text_); }

private:
    std::string text_;
};

// What a receive found, in a word.
template <class T>
std::string show(const weir::broadcast::recv_result<T>& r) {
    if (r.is_closed()) return "closed";
    if (r.is_empty()) return "empty";
    if (r.is_lagged()) return "lagged " + std::to_string(r.lagged());
    return std::to_string(static_cast<int>(*r));
}

}  // namespace weir_test

TYPE_TO_STRING_AS("kept as a word", weir_test::plain);
TYPE_TO_STRING_AS("kept with a count", weir_test::boxed);

// Both ways in which a channel keeps its values.
#define WEIR_ELEMENTS weir_test::plain, weir_test::boxed
