// What -fsanitize=thread makes the compiler call: the models are compiled with that option and
// linked without it, so that every access to memory comes here.

#include <cstring>
#include <unordered_map>

#include "state.hpp"

namespace model {

namespace {

void note(const void* at, std::size_t size, bool write, const void* code) noexcept {
    if (the.active && !the.inside) the.access(at, size, write, code);
}

// Atomics that are not weir's, such as the counts of std::shared_ptr: each one acquires and
// releases, and is no point at which another thread may go on.
void synchronize(const void* at) noexcept {
    static std::unordered_map<const void*, vector_clock> clocks;
    static std::uint32_t execution = 0;
    if (!the.active || the.inside) return;
    inside_guard const in;
    if (execution != the.execution) clocks.clear();
    execution = the.execution;
    vector_clock& c = clocks[at];
    the.access(at, 1, false, nullptr);
    the.me().known.join(c);
    c.join(the.me().known);
    ++the.me().known.at[the.current];
}

}  // namespace

}  // namespace model

using model::note;
using model::synchronize;

#define HERE __builtin_return_address(0)
#define ACCESS(name, size, write) \
    void name(void* p) { note(p, size, write, HERE); }
#define ACCESSES(size)                                 \
    ACCESS(__tsan_read##size, size, false)             \
    ACCESS(__tsan_write##size, size, true)             \
    ACCESS(__tsan_unaligned_read##size, size, false)   \
    ACCESS(__tsan_unaligned_write##size, size, true)

// `exchange` is made of a loop, since not each operation has a builtin for each size.
#define ATOMIC_UPDATE(type, bits, name, expression)                          \
    type __tsan_atomic##bits##_##name(volatile type* a, type v, int) {       \
        synchronize(const_cast<type*>(a));                                   \
        const type before = *a;                                              \
        *a = static_cast<type>(expression);                                  \
        return before;                                                       \
    }
#define ATOMIC(type, bits)                                                                     \
    type __tsan_atomic##bits##_load(const volatile type* a, int) {                             \
        synchronize(const_cast<const type*>(a));                                               \
        return *a;                                                                             \
    }                                                                                          \
    void __tsan_atomic##bits##_store(volatile type* a, type v, int) {                          \
        synchronize(const_cast<type*>(a));                                                     \
        *a = v;                                                                                \
    }                                                                                          \
    ATOMIC_UPDATE(type, bits, exchange, v)                                                     \
    ATOMIC_UPDATE(type, bits, fetch_add, before + v)                                           \
    ATOMIC_UPDATE(type, bits, fetch_sub, before - v)                                           \
    ATOMIC_UPDATE(type, bits, fetch_and, before & v)                                           \
    ATOMIC_UPDATE(type, bits, fetch_or, before | v)                                            \
    ATOMIC_UPDATE(type, bits, fetch_xor, before ^ v)                                           \
    int __tsan_atomic##bits##_compare_exchange_strong(volatile type* a, type* expected, type v, \
                                                      int, int) {                              \
        synchronize(const_cast<type*>(a));                                                     \
        const type before = *a;                                                                \
        if (before == *expected) {                                                             \
            *a = v;                                                                            \
            return 1;                                                                          \
        }                                                                                      \
        *expected = before;                                                                    \
        return 0;                                                                              \
    }                                                                                          \
    int __tsan_atomic##bits##_compare_exchange_weak(volatile type* a, type* expected, type v,  \
                                                    int success, int failure) {                \
        return __tsan_atomic##bits##_compare_exchange_strong(a, expected, v, success, failure); \
    }                                                                                          \
    type __tsan_atomic##bits##_compare_exchange_val(volatile type* a, type expected, type v,   \
                                                    int success, int failure) {                \
        __tsan_atomic##bits##_compare_exchange_strong(a, &expected, v, success, failure);      \
        return expected;                                                                       \
    }

extern "C" {
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)
ATOMIC(unsigned char, 8)
ATOMIC(unsigned short, 16)
ATOMIC(unsigned int, 32)
ATOMIC(unsigned long, 64)

void __tsan_read_range(void* p, unsigned long size) { note(p, size, false, HERE); }
void __tsan_write_range(void* p, unsigned long size) { note(p, size, true, HERE); }
void __tsan_vptr_read(void** p) { note(p, sizeof *p, false, HERE); }
void __tsan_vptr_update(void** p, void* value) {
    if (*p != value) note(p, sizeof *p, true, HERE);
}
void* __tsan_memcpy(void* to, const void* from, unsigned long size) {
    note(from, size, false, HERE);
    note(to, size, true, HERE);
    return std::memcpy(to, from, size);
}
void* __tsan_memmove(void* to, const void* from, unsigned long size) {
    note(from, size, false, HERE);
    note(to, size, true, HERE);
    return std::memmove(to, from, size);
}
void* __tsan_memset(void* to, int value, unsigned long size) {
    note(to, size, true, HERE);
    return std::memset(to, value, size);
}
void __tsan_atomic_thread_fence(int) { model::fail("a stand-alone fence, which the checker cannot model"); }
void __tsan_atomic_signal_fence(int) {}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
}
