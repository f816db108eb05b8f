#pragma once
// Who has taken a lock, for dumps alone.

#include <weir/detail/core/owner.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Who locked last, kept under the primitive's own lock. It says who locked, not who holds the guard
/// now, and may be gone: it is compared and never followed.
class lock_holder {
public:
#if WEIR_INSPECT
    void set(const owner* o) noexcept { who_ = o; }
    /// Of the calling thread's task, where an operation does not wait.
    void set_here() noexcept {
        execution* const e = execution::here();
        who_ = nullptr;
        if (e != nullptr) who_ = e->current;
    }
    [[nodiscard]] const owner* get() const noexcept { return who_; }

private:
    const owner* who_ = nullptr;
#else
    void set(const owner*) noexcept {}
    void set_here() noexcept {}
    [[nodiscard]] const owner* get() const noexcept { return nullptr; }
#endif
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
