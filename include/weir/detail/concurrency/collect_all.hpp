#pragma once
// join_all of a join_set and of a join_queue.

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/detail/core/awaitable.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

template <class T>
struct collected {
    using type = std::vector<T>;
};
template <class T>
    requires std::is_void_v<T>
struct collected<T> {
    using type = void;
};
template <class T>
using collected_t = typename collected<T>::type;

/// The first task that leaves no value ends all of them.
template <class Set, class T = typename Set::value_type>
task<collected_t<T>> collect_all(Set* self) {
    std::exception_ptr failure;
    stored_result_t<collected_t<T>> all;
    if constexpr (!std::is_void_v<T>) all.reserve(self->size());
    while (auto ended = co_await self->join_next()) {
        if (!*ended) {
            failure = ended->error().is_cancelled() ? std::make_exception_ptr(task_cancelled())
                                                    : ended->error().exception();
            break;
        }
        if constexpr (!std::is_void_v<T>) all.push_back(**std::move(ended));
    }
    if (failure) {
        *self = Set();
        std::rethrow_exception(std::move(failure));
    }
    if constexpr (!std::is_void_v<T>) co_return all;
}

/// Aborts every task and waits until all of them are destroyed.
template <class Set>
task<> abort_and_drain(Set* self) {
    self->abort_all();
    while (auto ended = co_await self->join_next()) {
    }
}

/// Awaits collect_all: what it had collected is lost with it.
template <class T>
class collect_operation : public awaitable_base {
public:
    explicit collect_operation(task<collected_t<T>> t) noexcept : collecting_(std::move(t)) {}

private:
    friend struct awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_data;
    static constexpr bool awaitable_as_lvalue = false;

    class awaiter : public native_awaiter_t<task<collected_t<T>>> {
    public:
        awaiter(collect_operation& op, owner& o)
            : native_awaiter_t<task<collected_t<T>>>(op.collecting_, o) {}
    };

    task<collected_t<T>> collecting_;
};

}  // namespace detail
WEIR_ABI_END }  // namespace weir
