#include <weir/bytes.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using weir::byte_buffer;
using weir::bytes;

static_assert(sizeof(bytes) <= 32);
static_assert(std::is_nothrow_copy_constructible_v<bytes>);
static_assert(std::is_nothrow_move_assignable_v<bytes>);
static_assert(std::is_convertible_v<bytes, std::string_view>);
static_assert(!std::is_convertible_v<std::string, bytes>);
static_assert(!std::is_copy_constructible_v<byte_buffer>);

constinit bytes static_reply = bytes::from_static("+OK\r\n");

byte_buffer buffer_with(std::string_view text) {
    byte_buffer buffer;
    buffer.append(text);
    return buffer;
}

}  // namespace

TEST_SUITE("bytes") {
    TEST_CASE("a copy shows the same storage and counts as one more handle") {
        const bytes a = bytes::copy_of("hello");
        CHECK(a.use_count() == 1);
        {
            const bytes b = a;
            CHECK(b.data() == a.data());
            CHECK(b == a);
            CHECK(a.use_count() == 2);
        }
        CHECK(a.use_count() == 1);
    }

    TEST_CASE("static bytes show the literal itself and count nothing") {
        static constexpr char text[] = "river";
        const bytes a = bytes::from_static(text);
        const bytes b = a.slice(1, 2);
        CHECK(static_cast<const void*>(a.data()) == text);
        CHECK(b == "iv");
        CHECK(a.use_count() == 0);
        CHECK(static_reply == "+OK\r\n");
    }

    TEST_CASE("strings and vectors are taken over without copying what they hold") {
        std::string text(100, 'x');
        const char* const storage = text.data();
        const bytes from_string(std::move(text));
        CHECK(static_cast<const void*>(from_string.data()) == storage);
        CHECK(from_string.size() == 100);

        std::vector<std::byte> raw(3, std::byte{0x41});
        const void* const raw_storage = raw.data();
        const bytes from_vector(std::move(raw));
        CHECK(static_cast<const void*>(from_vector.data()) == raw_storage);
        CHECK(from_vector == "AAA");
        CHECK(bytes(std::vector<unsigned char>{0x42}) == "B");
        CHECK(bytes(std::vector<char>{'C'}) == "C");
        CHECK(bytes(std::string("short")) == "short");
        CHECK(bytes(std::string()).use_count() == 0);
    }

    TEST_CASE("copy_of takes every contiguous range of bytes") {
        const std::array<std::byte, 2> array{std::byte{0x61}, std::byte{0x62}};
        const std::vector<unsigned char> vector{0x63};
        const char chars[] = {'d', 'e'};
        CHECK(bytes::copy_of(array) == "ab");
        CHECK(bytes::copy_of(std::span<const std::byte>(array)) == "ab");
        CHECK(bytes::copy_of(vector) == "c");
        CHECK(bytes::copy_of(std::span<const char>(chars)) == "de");
        CHECK(bytes::copy_of(std::string("f")) == "f");
        CHECK(bytes::copy_of("").empty());
    }

    TEST_CASE("slices and splits share the storage") {
        bytes all = bytes::copy_of("one two three");
        const char* const storage = all.data();
        const bytes two = all.slice(4, 3);
        CHECK(two == "two");
        CHECK(static_cast<const void*>(two.data()) == storage + 4);
        CHECK(all.slice(8) == "three");
        CHECK(all.slice_of(all.view().substr(4, 3)) == two);

        const bytes one = all.split_to(3);
        CHECK((one == "one" && all == " two three"));
        const bytes three = all.split_off(5);
        CHECK((three == "three" && all == " two "));
        all.advance(1);
        all.truncate(3);
        all.truncate(99);
        CHECK(all == two);
        CHECK(static_cast<const void*>(three.data()) == storage + 8);
        CHECK(all.use_count() == 4);
    }

    TEST_CASE("splitting at either end hands over the one handle") {
        bytes a = bytes::copy_of("all");
        const bytes whole = a.split_to(3);
        CHECK((a.empty() && whole == "all" && whole.use_count() == 1));
        bytes b = whole;
        const bytes rest = b.split_off(0);
        CHECK((b.empty() && rest == whole));
        CHECK(b.split_to(0).empty());
        CHECK(rest.slice(3).use_count() == 0);
    }

    TEST_CASE("a range past the end throws out_of_range and changes nothing") {
        bytes b = bytes::copy_of("abc");
        CHECK_THROWS_AS(static_cast<void>(b.slice(4)), std::out_of_range);
        CHECK_THROWS_AS(static_cast<void>(b.slice(2, 2)), std::out_of_range);
        CHECK_THROWS_AS(static_cast<void>(b.slice_of("abc")), std::out_of_range);
        CHECK_THROWS_AS(b.split_to(4), std::out_of_range);
        CHECK_THROWS_AS(b.split_off(4), std::out_of_range);
        CHECK_THROWS_WITH_AS(
            b.advance(4), "weir::bytes::advance: more than there is; compare it with size() first",
            std::out_of_range);
        CHECK((b == "abc" && b.use_count() == 1));
    }

    TEST_CASE("bytes compare, hash and print by content") {
        const bytes a = bytes::copy_of("a"), b = bytes::from_static("b");
        CHECK(a < b);
        CHECK(a <= "a");
        CHECK("b" == b);
        CHECK(a != std::string("b"));
        CHECK(bytes::from_static("\xff") > bytes::from_static("\x01"));
        CHECK(std::hash<bytes>{}(a) == std::hash<std::string_view>{}("a"));
        std::unordered_map<bytes, int> counts;
        counts[bytes::copy_of("b")] = 2;
        CHECK(counts.at(b) == 2);
        std::ostringstream out;
        out << a << b;
        CHECK(out.str() == "ab");
        CHECK((b.to_string() == "b" && b[0] == 'b' && *b.begin() == 'b'));
    }

    TEST_CASE("assignment and move leave the right counts behind") {
        bytes a = bytes::copy_of("first"), b = bytes::copy_of("second");
        const bytes keep = a;
        a = b;
        CHECK((keep.use_count() == 1 && b.use_count() == 2));
        const bytes& same = a;
        a = same;
        CHECK((a == "second" && b.use_count() == 2));
        a = std::move(b);
        CHECK((a == "second" && a.use_count() == 1));
        a.clear();
        CHECK((a.empty() && a.use_count() == 0));
    }

    TEST_CASE("copies dropped by many threads free the storage once") {
        bytes shared(std::string(1000, 'w'));
        std::vector<std::size_t> sums(4);
        std::vector<std::thread> threads;
        for (std::size_t t = 0; t < sums.size(); ++t) {
            threads.emplace_back([handle = shared, &sum = sums[t]]() mutable {
                for (int round = 0; round < 500; ++round) {
                    const bytes copy = handle;
                    bytes rest = copy;
                    const bytes head = rest.split_to(500);
                    sum += head.size() + rest.slice(100).size() + (head[0] == 'w' ? 1u : 0u);
                }
                handle.clear();
            });
        }
        shared.clear();  // the last handle goes on one of the threads
        for (std::thread& t : threads) t.join();
        for (const std::size_t sum : sums) CHECK(sum == 500 * 901);
    }
}

TEST_SUITE("byte_buffer") {
    TEST_CASE("what is read goes into the buffer and comes out as shared bytes [doc]") {
        byte_buffer in;
        const std::span<char> room = in.prepare(16);
        REQUIRE(room.size() >= 16);
        std::memcpy(room.data(), "hello world", 11);
        in.commit(11);
        const char* const storage = in.data();
        const bytes hello = in.split_to(5);
        CHECK(hello == "hello");
        CHECK(static_cast<const void*>(hello.data()) == storage);
        in.consume(1);
        CHECK(in.view() == "world");
        const bytes world = std::move(in).freeze();
        CHECK(static_cast<const void*>(world.data()) == storage + 6);
        CHECK(world.use_count() == 2);
        CHECK((in.empty() && in.capacity() == 0));
    }

    TEST_CASE("what was split off does not change when the buffer goes on") {
        byte_buffer in(64);
        in.append("first ");
        const bytes first = in.split_to(6);
        in.append("second");
        CHECK((first == "first " && in.view() == "second"));
        in.append(std::string(500, 'x'));
        CHECK((first == "first " && first.use_count() == 1));
        in.clear();
        in.append("third");
        CHECK(in.view() == "third");
    }

    TEST_CASE("consumed storage is reclaimed in place when the buffer is its only owner") {
        byte_buffer in(128);
        const char* const storage = in.data();
        for (int round = 0; round < 100; ++round) {
            in.append(std::string(100, 'a'));
            in.consume(70);
            in.reserve(90);
            in.consume(in.size());
        }
        CHECK(static_cast<const void*>(in.data()) == storage);
        CHECK(in.capacity() == 128);
    }

    TEST_CASE("storage that a handle still shares is left to it") {
        byte_buffer in(64);
        in.append(std::string(60, 'a'));
        {
            const bytes held = in.split_to(50);
            in.reserve(30);
            CHECK(held == std::string(50, 'a'));
            CHECK(held.use_count() == 1);
        }
        CHECK((in.view() == std::string(10, 'a') && in.capacity() == 64));
    }

    TEST_CASE("a dropped handle makes the front of the storage free again") {
        byte_buffer in(64);
        in.append(std::string(60, 'a'));
        const char* const storage = in.data();
        bytes held = in.split_to(50);
        held.clear();
        in.reserve(40);
        CHECK(static_cast<const void*>(in.data()) == storage);
        CHECK(in.view() == std::string(10, 'a'));
    }

    TEST_CASE("a buffer that is cut off completely gives its storage away") {
        byte_buffer in(64);
        in.commit(in.prepare(64).size());
        const bytes all = in.split_to(in.size());
        CHECK((all.size() == 64 && all.use_count() == 1 && in.capacity() == 0));
        in.append("again");
        CHECK(in.view() == "again");
    }

    TEST_CASE("counts past the end throw and change nothing") {
        byte_buffer in = buffer_with("abc");
        CHECK_THROWS_AS(in.consume(4), std::out_of_range);
        CHECK_THROWS_AS(in.split_to(4), std::out_of_range);
        CHECK_THROWS_AS(in.commit(in.capacity()), std::out_of_range);
        CHECK_THROWS_AS(in.reserve(bytes::npos), std::length_error);
        CHECK_THROWS_AS(in.reserve(bytes::npos / 2), std::length_error);
        CHECK(in.view() == "abc");
        byte_buffer none;
        CHECK_THROWS_AS(none.commit(1), std::out_of_range);
        CHECK(std::move(none).freeze().empty());
    }

    TEST_CASE("random use agrees with a string") {
        std::minstd_rand random(292);
        byte_buffer in;
        std::string model;
        std::vector<std::pair<bytes, std::string>> handed_out;
        for (int step = 0; step < 20'000; ++step) {
            const std::size_t n = random() % (model.size() + 1);
            switch (random() % 5) {
                case 0:
                    in.consume(n);
                    model.erase(0, n);
                    break;
                case 1:
                    handed_out.emplace_back(in.split_to(n), model.substr(0, n));
                    model.erase(0, n);
                    break;
                case 2:
                    if (!handed_out.empty()) handed_out.erase(handed_out.begin());
                    break;
                default: {
                    const std::string more(random() % 100, static_cast<char>('a' + step % 26));
                    in.append(more);
                    model += more;
                }
            }
            REQUIRE(in.view() == model);
        }
        for (const auto& [part, copy] : handed_out) CHECK(part == copy);
    }

    TEST_CASE("a reader goes on while other threads use what it has cut off") {
        byte_buffer in(256);
        std::vector<std::thread> threads;
        std::vector<std::size_t> sums(50);
        for (std::size_t i = 0; i < sums.size(); ++i) {
            in.append(std::string(40, static_cast<char>(i)));
            threads.emplace_back([part = in.split_to(40), &sum = sums[i]]() mutable {
                const bytes mine = std::exchange(part, {});
                sum = std::accumulate(mine.begin(), mine.end(), std::size_t{0});
            });
            if (i % 8 == 7) {
                for (std::thread& t : threads) t.join();
                threads.clear();
            }
        }
        for (std::thread& t : threads) t.join();
        for (std::size_t i = 0; i < sums.size(); ++i) CHECK(sums[i] == i * 40);
    }
}
