#pragma once
// A function that can be resumed like a coroutine.
//
// The branches of select, join and timeout are awaiters inside the parent's frame, not coroutines
// of their own: what they call when they are done is this object, which looks to them like a
// suspended coroutine. It relies on one fact that g++ and clang document for debuggers and keep
// stable: a coroutine frame begins with its resume and its destroy function.

#include <coroutine>

#include <weir/detail/core/config.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Base of an object whose `Derived::resumed()` runs when its handle is resumed.
template <class Derived>
class resume_hook {
public:
    resume_hook() = default;
    resume_hook(const resume_hook&) = delete;
    resume_hook& operator=(const resume_hook&) = delete;

    /// The handle is valid as long as the object; it is never destroyed through.
    [[nodiscard]] std::coroutine_handle<> handle() noexcept {
        return std::coroutine_handle<>::from_address(&frame_);
    }

private:
    struct frame {
        void (*resume)(frame*);
        void (*destroy)(frame*);
        resume_hook* self;
    };

    static void on_resume(frame* f) { static_cast<Derived*>(f->self)->resumed(); }
    static void on_destroy(frame*) noexcept {}

    alignas(16) frame frame_{&on_resume, &on_destroy, this};
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
