#pragma once
// task_local: a value that everything inside of one awaitable can see.

#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <weir/detail/concurrency/nested_owner.hpp>
#include <weir/detail/core/misuse.hpp>
#include <weir/detail/core/value_check.hpp>

namespace weir { WEIR_ABI_BEGIN

/// A task_local was read where no value is bound to it.
class unbound_task_local_error : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

namespace detail {

/// A value bound to a task_local, for as long as the calling thread is inside of its scope. The
/// thread keeps a list of them, which no suspension crosses: each resumption of what is inside
/// puts the binding on, and takes it off again.
class local_binding {
public:
    void put_on(const void* key, void* value) noexcept {
        key_ = key;
        value_ = value;
        task_ = current_task();
        outer_ = newest::get();
        newest::set(this);
    }
    void take_off() noexcept { newest::set(outer_); }

    /// The innermost value bound to the key; null: none is. What a thread has bound is not seen by
    /// the tasks that it drives.
    static void* find(const void* key) noexcept {
        const void* const task = current_task();
        for (local_binding* b = newest::get(); b != nullptr && b->task_ == task; b = b->outer_)
            if (b->key_ == key) return b->value_;
        return nullptr;
    }

private:
    using newest = sync::thread_slot<local_binding, struct newest_local_binding>;

    static const void* current_task() noexcept {
        execution* const here = execution::here();
        return here == nullptr ? nullptr : here->current;
    }

    const void* key_ = nullptr;
    void* value_ = nullptr;
    const void* task_ = nullptr;
    local_binding* outer_ = nullptr;
};

template <class T>
class with_binding {
public:
    with_binding(const void* key, T&& value) : key_(key), value_(std::move(value)) {}

    void enter(owner& inner, owner& outer) noexcept {
        on_outer_budget::enter(inner, outer);
        binding_.put_on(key_, &value_);
    }
    void leave(owner& inner, owner& outer) noexcept {
        binding_.take_off();
        on_outer_budget::leave(inner, outer);
    }
    template <class F>
    void destroy(F f) noexcept {
        binding_.put_on(key_, &value_);
        f();
        binding_.take_off();
    }

private:
    const void* key_;
    T value_;
    local_binding binding_;
};

}  // namespace detail

/// A key with a value of its own for each scope: a request's id, a deadline, a tenant.
///
///     inline weir::task_local<std::string> request_id;
///
///     weir::task<> serve(request r) { co_await request_id.scope(r.id, handle(r)); }
///     void log(std::string_view line) { std::cout << request_id.get() << ' ' << line; }
///
/// A scope ends with the awaitable that it was given: the value is there on both sides of each
/// co_await inside, in the branches of join, select and task_group that are made inside, and in
/// destructors, also where the awaitable is cancelled. A spawned task does not inherit it. Scopes
/// of the same key shadow each other.
/// Lifetime       The key is found by its address: a variable of static storage, as a rule.
/// Thread safety  Any thread; the value itself is only reached from inside its scope.
template <class T>
class task_local {
    static_assert(std::is_object_v<T> && !std::is_const_v<T>, "weir::task_local keeps an object");

public:
    constexpr task_local() noexcept = default;
    task_local(const task_local&) = delete;
    task_local& operator=(const task_local&) = delete;

    /// Awaits `a` with the value bound; yields what `co_await a` yields. Allocates nothing.
    /// Cancel safety  As `a`.
    template <class U = T, awaitable A>
        requires detail::value_for<U, T>
    [[nodiscard("co_await it")]] auto scope(U&& value, A&& a) {
        return detail::nested_operation<detail::with_binding<T>, A>(
            std::forward<A>(a), this, detail::as_value<T>(std::forward<U>(value)));
    }

    /// Calls `f` with the value bound, on any thread. Not for a coroutine: its scope would be over
    /// at its first suspension.
    template <class F>
    decltype(auto) sync_scope(T value, F&& f) {
        static_assert(!awaitable<std::invoke_result_t<F>>,
                      "the value is bound until the call returns, and what it returns has not run "
                      "yet: co_await key.scope(value, f()) instead");
        bound const here(this, value);
        return std::forward<F>(f)();
    }

    /// Calls `f` with a reference to the innermost value, which must not outlive the scope.
    /// Errors  Throws unbound_task_local_error outside of any scope.
    template <class F>
    decltype(auto) with(F&& f) const {
        return std::forward<F>(f)(innermost());
    }
    /// A copy of the innermost value. Errors  As `with`.
    [[nodiscard]] T get() const { return innermost(); }
    /// A copy of the innermost value; nullopt outside of any scope.
    [[nodiscard]] std::optional<T> try_get() const {
        T* const value = find();
        return value == nullptr ? std::nullopt : std::optional<T>(*value);
    }
    [[nodiscard]] bool is_bound() const noexcept { return find() != nullptr; }

private:
    class bound {
    public:
        bound(const task_local* key, T& value) noexcept { binding_.put_on(key, &value); }
        bound(const bound&) = delete;
        bound& operator=(const bound&) = delete;
        ~bound() { binding_.take_off(); }

    private:
        detail::local_binding binding_;
    };

    T* find() const noexcept { return static_cast<T*>(detail::local_binding::find(this)); }
    T& innermost() const {
        T* const value = find();
        if (value == nullptr)
            detail::fail<unbound_task_local_error>(
                "this weir::task_local has no value here: run the code inside of its scope, or use "
                "try_get");
        return *value;
    }
};

WEIR_ABI_END }  // namespace weir
