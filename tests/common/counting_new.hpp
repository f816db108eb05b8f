#pragma once
// Counts what operator new gives out. Replaces it for the whole program: for the one source file of
// a program of its own.

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <malloc.h>  // malloc_usable_size
#include <new>

namespace weir_test {

inline std::atomic<long> allocations{0};
inline std::atomic<long> allocated_bytes{0};
inline std::atomic<long> live_bytes{0};

inline void* counted_malloc(std::size_t size, std::size_t alignment) {
    const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
    void* p = alignment <= alignof(std::max_align_t)
                  ? std::malloc(size == 0 ? 1 : size)
                  : std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
    if (!p) throw std::bad_alloc();
    allocations.fetch_add(1, std::memory_order_relaxed);
    allocated_bytes.fetch_add(static_cast<long>(size), std::memory_order_relaxed);
    live_bytes.fetch_add(static_cast<long>(malloc_usable_size(p)), std::memory_order_relaxed);
    return p;
}
inline void counted_free(void* p) {
    live_bytes.fetch_sub(static_cast<long>(malloc_usable_size(p)), std::memory_order_relaxed);
    std::free(p);
}

// Allocations since it was made.
class allocation_count {
public:
    long get() const { return allocations.load() - start_; }
    long bytes() const { return allocated_bytes.load() - start_bytes_; }
    // What was allocated since and not freed, and was freed since and allocated before.
    long live() const { return live_bytes.load() - start_live_; }

private:
    long start_ = allocations.load();
    long start_bytes_ = allocated_bytes.load();
    long start_live_ = live_bytes.load();
};

}  // namespace weir_test

void* operator new(std::size_t n) {
    return weir_test::counted_malloc(n, alignof(std::max_align_t));
}
void* operator new[](std::size_t n) {
    return weir_test::counted_malloc(n, alignof(std::max_align_t));
}
void* operator new(std::size_t n, std::align_val_t a) {
    return weir_test::counted_malloc(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
    return weir_test::counted_malloc(n, static_cast<std::size_t>(a));
}
void operator delete(void* p) noexcept { weir_test::counted_free(p); }
void operator delete[](void* p) noexcept { weir_test::counted_free(p); }
void operator delete(void* p, std::size_t) noexcept { weir_test::counted_free(p); }
void operator delete[](void* p, std::size_t) noexcept { weir_test::counted_free(p); }
void operator delete(void* p, std::align_val_t) noexcept { weir_test::counted_free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { weir_test::counted_free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { weir_test::counted_free(p); }
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
    weir_test::counted_free(p);
}
