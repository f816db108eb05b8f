#pragma once
// The replacement of operator new that WEIR_TEST_DEFINE_OPERATOR_NEW asks for: malloc behind the
// allocation gate. For one source file of a test program.

#include <cstddef>
#include <cstdlib>
#include <new>

#include <weir/detail/test/allocation_gate.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

inline void* gated_malloc(std::size_t size, std::size_t alignment) noexcept {
    if (!allocation_gate::admits()) return nullptr;
    const std::size_t wanted = size == 0 ? 1 : size;
    const std::size_t rounded = (wanted + alignment - 1) / alignment * alignment;
    void* const p = alignment <= alignof(std::max_align_t) ? std::malloc(wanted)
                                                           : std::aligned_alloc(alignment, rounded);
    if (p != nullptr) allocation_gate::count_block(1);
    return p;
}
inline void* gated_new(std::size_t size, std::size_t alignment) {
    void* const p = gated_malloc(size, alignment);
    if (p == nullptr) {
#if WEIR_EXCEPTIONS
        throw std::bad_alloc();
#else
        std::abort();
#endif
    }
    return p;
}
inline void gated_free(void* p) noexcept {
    if (p != nullptr) allocation_gate::count_block(-1);
    std::free(p);
}
inline constexpr std::size_t default_alignment = alignof(std::max_align_t);

}  // namespace detail
WEIR_ABI_END }  // namespace weir

void* operator new(std::size_t n) {
    return weir::detail::gated_new(n, weir::detail::default_alignment);
}
void* operator new[](std::size_t n) {
    return weir::detail::gated_new(n, weir::detail::default_alignment);
}
void* operator new(std::size_t n, std::align_val_t a) {
    return weir::detail::gated_new(n, static_cast<std::size_t>(a));
}
void* operator new[](std::size_t n, std::align_val_t a) {
    return weir::detail::gated_new(n, static_cast<std::size_t>(a));
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
    return weir::detail::gated_malloc(n, weir::detail::default_alignment);
}
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept {
    return weir::detail::gated_malloc(n, weir::detail::default_alignment);
}
void operator delete(void* p) noexcept { weir::detail::gated_free(p); }
void operator delete[](void* p) noexcept { weir::detail::gated_free(p); }
void operator delete(void* p, std::size_t) noexcept { weir::detail::gated_free(p); }
void operator delete[](void* p, std::size_t) noexcept { weir::detail::gated_free(p); }
void operator delete(void* p, std::align_val_t) noexcept { weir::detail::gated_free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { weir::detail::gated_free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept {
    weir::detail::gated_free(p);
}
void operator delete[](void* p, std::size_t, std::align_val_t) noexcept {
    weir::detail::gated_free(p);
}
