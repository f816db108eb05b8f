#include "tasks.hpp"

#include <doctest/doctest.h>

#include <weir/bytes.hpp>

using model::drop;

TEST_SUITE("bytes") {
    TEST_CASE("the last share frees the block, after the others have read it") {
        model::check("bytes: three shares are read and dropped", [] {
            weir::bytes a = weir::bytes::copy_of("0123456789012345678901234567890123456789");
            weir::bytes b = a, c = a;
            const auto read_and_drop = [](weir::bytes& s) {
                model::expect(s[0] == '0', "another value");
                drop(s);
            };
            model::thread one([&] { read_and_drop(b); });
            model::thread two([&] { read_and_drop(c); });
            read_and_drop(a);
            one.join();
            two.join();
        });
    }
}
