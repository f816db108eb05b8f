// The memory of executions: the threads' stacks and a heap that is never reused within one, so that
// a use after free is seen, and what is left at the end is a leak. Beside it lies a shadow that
// knows for each byte who wrote and read it last: accesses that are not ordered are data races.

#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

#include "state.hpp"

namespace model {

namespace {

constexpr std::size_t heap_size = std::size_t{4} << 20;
constexpr std::size_t stacks_size = engine::stack_size * max_threads;
constexpr std::size_t region_size = stacks_size + heap_size;

// Who has written and read 64 bytes, in chunks of four: of each byte the time of the last write, with
// the writer in the upper two bits, and the time of each thread's last read. 0: not in this execution.
struct shadow_block {
    static constexpr std::size_t bytes = 64, chunk = 4;
    std::uint32_t execution;  // of another one: stands for all zeros
    std::uint64_t freed;      // a bit for each byte
    std::array<std::uint64_t, bytes / chunk> written;
    std::array<std::array<std::uint64_t, bytes / chunk>, max_threads> read;
};
constexpr std::uint64_t each = 0x0001'0001'0001'0001;
constexpr unsigned time_bits = 14;
static_assert(max_threads <= 1 << (16 - time_bits));

struct heap_block {
    std::size_t begin, size;
    const void* allocated_at;
    bool live;
};

template <class T>
T* map(std::size_t count) noexcept {
    void* const p = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) std::abort();
    return static_cast<T*>(p);
}

std::byte* region() noexcept {
    static std::byte* const start = [] {
        auto* const p = map<std::byte>(region_size);
        for (unsigned i = 0; i < max_threads; ++i)  // a stack that overflows stops here
            ::mprotect(p + i * engine::stack_size, 4096, PROT_NONE);
        return p;
    }();
    return start;
}
shadow_block* const shadow = map<shadow_block>(region_size / shadow_block::bytes);

std::vector<heap_block> blocks;
std::size_t heap_used = 0;

std::size_t offset_of(const void* p) noexcept {
    return static_cast<std::size_t>(static_cast<const std::byte*>(p) - region());
}
bool in_heap(const void* p) noexcept {
    const std::size_t at = offset_of(p);
    return at >= stacks_size && at < region_size;
}

shadow_block& shadow_at(std::size_t offset) noexcept {
    shadow_block& s = shadow[offset / shadow_block::bytes];
    if (s.execution != the.execution) {
        s = {};
        s.execution = the.execution;
    }
    return s;
}

// In front of each block of the heap: its number.
constexpr std::size_t header = 16;

void* allocate(std::size_t size, std::size_t alignment, const void* code) noexcept {
    if (alignment < header) alignment = header;
    const std::size_t begin =
        stacks_size + (heap_used + header + alignment - 1) / alignment * alignment;
    heap_used = begin + size - stacks_size;
    if (heap_used > heap_size) the.fail("the model needs more memory than the checker has");
    blocks.push_back({begin, size, code, true});
    const std::size_t number = blocks.size() - 1;
    std::memcpy(region() + begin - header, &number, sizeof number);
    return region() + begin;
}

void deallocate(void* p, const void* code) noexcept {
    std::size_t number = 0;
    std::memcpy(&number, static_cast<std::byte*>(p) - header, sizeof number);
    if (number >= blocks.size() || blocks[number].begin != offset_of(p))
        the.fail("what is freed was never allocated: " + the.describe(p) + source_of(code), p);
    heap_block& b = blocks[number];
    if (!b.live) the.fail("freed twice: " + the.describe(p) + source_of(code), p);
    b.live = false;
    the.access(p, b.size, true, code);
    for (std::size_t i = b.begin; i < b.begin + b.size;) {
        const std::size_t first = i % shadow_block::bytes;
        const std::size_t count = std::min(shadow_block::bytes - first, b.begin + b.size - i);
        shadow_at(i).freed |= (count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1) << first;
        i += count;
    }
    std::memset(p, 0xdb, b.size);  // for those that are not instrumented
}

}  // namespace

void engine::begin_memory() noexcept {
    blocks.clear();
    heap_used = 0;
}

void engine::end_memory() noexcept {
    std::size_t count = 0;
    std::string first;
    for (const heap_block& b : blocks) {
        if (!b.live) continue;
        if (count++ == 0)
            first = std::to_string(b.size) + " bytes from" + source_of(b.allocated_at);
    }
    if (count == 0) return;
    failed = true;
    failure = "leak of " + std::to_string(count) + " blocks, the first " + first;
}

std::byte* engine::stack_of(unsigned thread) noexcept { return region() + thread * stack_size; }

std::string engine::describe(const void* at) const {
    const std::size_t offset = offset_of(at);
    if (at >= static_cast<const void*>(threads.data()) &&
        at < static_cast<const void*>(threads.data() + max_threads))
        return "the end of thread " +
               std::to_string(static_cast<const thread_state*>(at) - threads.data());
    if (offset < stacks_size)
        return "stack " + std::to_string(offset / stack_size) + "-" +
               std::to_string(stack_size - offset % stack_size);
    for (std::size_t i = 0; i < blocks.size(); ++i)
        if (offset >= blocks[i].begin && offset < blocks[i].begin + blocks[i].size)
            return "heap " + std::to_string(i) + "+" + std::to_string(offset - blocks[i].begin) +
                   " of " + std::to_string(blocks[i].size);
    return "a static object";
}

/// A name for what lies there that holds in other executions too, where it may lie elsewhere: what
/// has allocated it, and the offset.
std::uint64_t engine::place_of(const void* at) const noexcept {
    const std::size_t offset = offset_of(at);
    if (offset < stacks_size || offset >= region_size) return reinterpret_cast<std::uintptr_t>(at);
    const auto after = std::upper_bound(blocks.begin(), blocks.end(), offset,
                                        [](std::size_t o, const heap_block& b) { return o < b.begin; });
    const heap_block& b = *(after - 1);
    return reinterpret_cast<std::uintptr_t>(b.allocated_at) << 20 ^ (offset - b.begin);
}

void engine::access(const void* at, std::size_t size, bool write, const void* code) noexcept {
    std::size_t offset = offset_of(at);
    if (offset >= region_size || size > region_size - offset) return;
    const auto fail_here = [&](const std::string& what) {
        inside = true;
        fail(what + ": " + (write ? "write" : "read") + " of " + std::to_string(size) +
                 " bytes at " + describe(at) + " by thread " + std::to_string(current) +
                 (code ? source_of(code) : std::string(", an atomic operation")),
             region() + offset);
    };
    if (watched != nullptr && offset <= offset_of(watched) && offset_of(watched) < offset + size) {
        inside_guard const in;
        std::printf("%5u %u  %-9s %-24s%s\n", steps, current, write ? "write" : "read",
                    describe(at).c_str(), code ? source_of(code).c_str() : " by an atomic operation");
    }
    const vector_clock& known = me().known;
    const std::uint16_t now = known.at[current];
    if (now >= 1u << time_bits) fail_here("too long an execution");
    const auto check_writes = [&](std::uint64_t chunk) {
        for (; chunk != 0; chunk >>= 16) {
            const auto writer = static_cast<unsigned>(chunk >> time_bits & 3);
            if (!known.covers(writer, chunk & ((1u << time_bits) - 1)))
                fail_here("data race with a write by thread " + std::to_string(writer));
        }
    };
    const auto check_reads = [&](std::uint64_t chunk, unsigned reader) {
        for (; chunk != 0; chunk >>= 16)
            if (!known.covers(reader, chunk & 0xffff))
                fail_here("data race with a read by thread " + std::to_string(reader));
    };
    const std::uint64_t epoch = each * (current << time_bits | now);
    for (const std::size_t end = offset + size; offset != end;) {
        shadow_block& s = shadow_at(offset);
        const std::size_t in_block = offset % shadow_block::bytes;
        const std::size_t i = in_block / shadow_block::chunk;
        const std::size_t first = in_block % shadow_block::chunk;
        const std::size_t count = std::min(shadow_block::chunk - first, end - offset);
        const std::uint64_t mask = (count == 4 ? ~std::uint64_t{0} : (std::uint64_t{1} << 16 * count) - 1)
                                   << 16 * first;
        if ((s.freed >> in_block & 1) != 0) fail_here("use after free");
        std::uint64_t& written = s.written[i];
        if ((written & mask) != (epoch & mask)) check_writes(written & mask);
        if (write) {
            for (unsigned t = 0; t < thread_count; ++t)
                if (t != current && s.read[t][i] != 0) check_reads(s.read[t][i] & mask, t);
            written = (written & ~mask) | (epoch & mask);
        } else {
            std::uint64_t& mine = s.read[current][i];
            mine = (mine & ~mask) | (each * now & mask);
        }
        offset += count;
    }
}

}  // namespace model

// -- operator new and delete of the whole program ---------------------------------------------------

namespace {

bool is_model_memory() noexcept { return model::the.active && !model::the.inside; }

void* get(std::size_t size, std::size_t alignment, const void* code) {
    if (is_model_memory()) {
        model::inside_guard const in;
        return model::allocate(size, alignment, code);
    }
    void* const p = alignment > __STDCPP_DEFAULT_NEW_ALIGNMENT__
                        ? std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment)
                        : std::malloc(size == 0 ? 1 : size);
    if (p == nullptr) std::abort();
    return p;
}

void give_back(void* p, const void* code) noexcept {
    if (p == nullptr) return;
    if (!model::in_heap(p)) return std::free(p);
    if (!is_model_memory()) return;
    model::inside_guard const in;
    model::deallocate(p, code);
}

}  // namespace

#define MODEL_HERE __builtin_return_address(0)
constexpr std::size_t usual = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

void* operator new(std::size_t n) { return get(n, usual, MODEL_HERE); }
void* operator new[](std::size_t n) { return get(n, usual, MODEL_HERE); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return get(n, usual, MODEL_HERE); }
void* operator new(std::size_t n, std::align_val_t a) {
    return get(n, static_cast<std::size_t>(a), MODEL_HERE);
}
void operator delete(void* p) noexcept { give_back(p, MODEL_HERE); }
void operator delete[](void* p) noexcept { give_back(p, MODEL_HERE); }
void operator delete(void* p, std::size_t) noexcept { give_back(p, MODEL_HERE); }
void operator delete[](void* p, std::size_t) noexcept { give_back(p, MODEL_HERE); }
void operator delete(void* p, const std::nothrow_t&) noexcept { give_back(p, MODEL_HERE); }
void operator delete(void* p, std::align_val_t) noexcept { give_back(p, MODEL_HERE); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { give_back(p, MODEL_HERE); }
