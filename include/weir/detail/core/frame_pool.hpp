#pragma once
// Memory of coroutine frames and channel states, recycled per thread.

#include <array>
#include <cstddef>
#include <new>

#include <weir/detail/core/config.hpp>
#include <weir/detail/core/sync.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Free blocks of the calling thread, one stack per size class of 16 bytes, each bounded. A block
/// that was allocated on one thread may be freed on another and stays there. Blocks above the
/// largest class, and those of a full stack, go to and from operator new. Under AddressSanitizer,
/// or with WEIR_NO_FRAME_POOL defined, all of them do, so that a use after free is seen.
class frame_pool {
public:
    [[nodiscard]] WEIR_NOINLINE static void* allocate(std::size_t size) {
        if constexpr (enabled) {
            if (size <= largest) {
                if (frame_pool* const pool = slot::get_in_leaf()) {
                    free_stack& s = pool->stacks_[class_of(size)];
                    if (s.top != nullptr) {
                        block* const b = s.top;
                        s.top = b->next;
                        ++s.room;
                        return b;
                    }
                    ++pool->from_system_;
                }
                return ::operator new((class_of(size) + 1) * step);
            }
        }
        return ::operator new(size);
    }

    WEIR_NOINLINE static void deallocate(void* p, std::size_t size) noexcept {
        if constexpr (enabled) {
            if (size <= largest) {
                frame_pool* pool = slot::get_in_leaf();
                if (pool == nullptr) pool = create();
                if (pool != nullptr) {
                    free_stack& s = pool->stacks_[class_of(size)];
                    if (s.room != 0) {
                        s.top = ::new (p) block{s.top};
                        --s.room;
                        return;
                    }
                    --pool->from_system_;
                }
                ::operator delete(p);
                return;
            }
        }
        ::operator delete(p);
    }

    /// How many more blocks the calling thread has taken than given back since the first call. For
    /// tests: blocks that threads hand to each other count on neither side. Zero without a pool.
    [[nodiscard]] static std::ptrdiff_t live_blocks() noexcept {
        if constexpr (enabled) {
            frame_pool* pool = slot::get();
            if (pool == nullptr) pool = create();
            if (pool != nullptr) {
                std::ptrdiff_t live = pool->from_system_;
                for (std::size_t i = 0; i < classes; ++i)
                    live -= static_cast<std::ptrdiff_t>(room_of(i) - pool->stacks_[i].room);
                return live;
            }
        }
        return 0;
    }

    class bypass;

private:
#if WEIR_ASAN || defined(WEIR_NO_FRAME_POOL) || defined(WEIR_MODEL)
    static constexpr bool enabled = false;
#else
    static constexpr bool enabled = true;
#endif
    static constexpr std::size_t step = 16;
    static constexpr std::size_t largest = 1024;
    static constexpr std::size_t max_bytes = 256 * 1024;  // in one class; 8 MiB a thread at most

    struct block {
        block* next;
    };
    struct free_stack {
        block* top = nullptr;
        std::size_t room = 0;  // for so many blocks more
    };
    using slot = sync::thread_slot<frame_pool, struct current_frame_pool>;

    static constexpr std::size_t classes = largest / step;
    static std::size_t class_of(std::size_t size) noexcept { return (size - 1) / step; }
    static constexpr std::size_t room_of(std::size_t size_class) noexcept {
        return max_bytes / (size_class + 1) / step;
    }

    // The pool is made by the first free of a thread and given back when the thread ends; frames
    // that are freed even later, by other thread-locals, find no pool and go to operator delete.
    WEIR_COLD static frame_pool* create() noexcept {
        struct holder {
            bool ended = false;
            ~holder() {
                ended = true;
                frame_pool* const pool = slot::get();
                slot::set(nullptr);
                delete pool;
            }
        };
        static thread_local holder at_exit;
        if (at_exit.ended) return nullptr;
        auto* const pool = new (std::nothrow) frame_pool;
        slot::set(pool);
        return pool;
    }

    frame_pool() noexcept {
        for (std::size_t i = 0; i < classes; ++i) stacks_[i].room = room_of(i);
    }
    ~frame_pool() {
        for (free_stack& s : stacks_) {
            while (block* const b = s.top) {
                s.top = b->next;
                ::operator delete(b);
            }
        }
    }

    std::array<free_stack, classes> stacks_{};
    std::ptrdiff_t from_system_ = 0;  // blocks taken from operator new less those given back
};

/// While it lives, every block of this thread comes from operator new and goes back there, so that a
/// test can make each of them fail.
class frame_pool::bypass {
public:
    bypass() noexcept : before_(slot::get()) {
        full_.stacks_.fill(free_stack{});
        slot::set(&full_);
    }
    bypass(const bypass&) = delete;
    bypass& operator=(const bypass&) = delete;
    ~bypass() { slot::set(before_); }

private:
    frame_pool full_;  // takes nothing in and has nothing to give
    frame_pool* before_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
