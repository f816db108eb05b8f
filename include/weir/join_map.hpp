#pragma once
// join_map: a join_set whose tasks have names of their own, one task a key.

#include <cstddef>
#include <functional>
#include <optional>
#include <source_location>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/expected.hpp>
#include <weir/join_set.hpp>
#include <weir/runtime.hpp>
#include <weir/spawn.hpp>
#include <weir/task.hpp>

namespace weir { WEIR_ABI_BEGIN

/// Spawned tasks that all yield a `T`, each under a key. A second task under a key aborts and
/// replaces the first, whose result is never returned.
///
///     weir::join_map<std::string, int> downloads;
///     downloads.spawn("logo", fetch("logo.svg"));
///     while (auto ended = co_await downloads.join_next()) {
///         auto& [name, size] = *ended;
///         if (size) use(name, *size); else log(name, size.error().what());
///     }
///
/// A task stays a member, and its result is kept, until it is joined.
/// Lifetime       Destroying the map aborts its tasks; it does not wait for them: see shutdown.
/// Thread safety  One thread at a time.
template <class K, class T = void, class Hash = std::hash<K>, class Equal = std::equal_to<K>>
class join_map {
public:
    using key_type = K;
    using value_type = T;

    join_map() = default;
    join_map(join_map&&) noexcept = default;
    join_map& operator=(join_map&&) noexcept = default;

    /// Spawns on the current runtime, as weir::spawn.
    /// Errors  Throws no_runtime_error outside of a runtime; the task under the key goes on then.
    abort_handle spawn(K key, task<T> t,
                       std::source_location site = std::source_location::current()) {
        return put(std::move(key), set_.spawn(std::move(t), site));
    }
    abort_handle spawn(K key, const spawn_options& options, task<T> t) {
        return put(std::move(key), set_.spawn(options, std::move(t)));
    }
    template <detail::spawnable_callable F, class... Args>
    abort_handle spawn(K key, F f, Args... args) {
        return put(std::move(key), set_.spawn(std::move(f), std::move(args)...));
    }
    /// Spawns on another runtime: a task, or a callable with its arguments, as weir::spawn.
    template <class... Args>
    abort_handle spawn_on(const runtime_handle& runtime, K key, Args... args) {
        return put(std::move(key), set_.spawn_on(runtime, std::move(args)...));
    }

    /// Waits until a task has ended; yields std::optional<std::pair<K, expected<T, join_error>>>,
    /// in the order of their ending, and nullopt when neither a member nor a replaced task is left.
    /// Cancel safety  Safe: a wait that is cancelled takes nothing out of the map.
    [[nodiscard("co_await it")]] task<std::optional<std::pair<K, expected<T, join_error>>>>
    join_next() {
        return next(this);
    }

    /// Aborts the task under `key`, which stays a member until it is joined. False: there is none.
    bool abort(const K& key) {
        auto const it = tasks_.find(key);
        if (it == tasks_.end()) return false;
        it->second.abort();
        return true;
    }
    /// Aborts the tasks whose key `accepts(const K&)` accepts.
    template <class Pred>
    void abort_matching(Pred accepts) {
        for (auto const& [key, t] : tasks_)
            if (accepts(key)) t.abort();
    }
    /// Aborts every task. They stay in the map until they are joined.
    void abort_all() noexcept { set_.abort_all(); }
    /// Aborts every task and waits until all of them are destroyed, whatever they leave behind.
    /// Cancel safety  Safe: the tasks are aborted in any case, and stay in the map.
    [[nodiscard("co_await it")]] WEIR_COROUTINE_WRAPPER task<> shutdown() { return drain(this); }
    /// Empties the map and lets its tasks go on by themselves, as join_handle::detach.
    void detach_all() noexcept {
        set_.detach_all();
        tasks_.clear();
        keys_.clear();
    }

    [[nodiscard]] bool contains(const K& key) const { return tasks_.find(key) != tasks_.end(); }
    /// Copies of the keys, in no order.
    [[nodiscard]] std::vector<K> keys() const {
        std::vector<K> all;
        all.reserve(tasks_.size());
        for (auto const& entry : tasks_) all.push_back(entry.first);
        return all;
    }
    /// How many keys have a task that is running or not joined yet.
    [[nodiscard]] std::size_t size() const noexcept { return tasks_.size(); }
    [[nodiscard]] bool empty() const noexcept { return tasks_.empty(); }

private:
    using tasks = std::unordered_map<K, abort_handle, Hash, Equal>;
    using ended = std::pair<K, expected<T, join_error>>;

    /// A task without a key, as one is whose key was not stored or was taken over, is never
    /// returned.
    abort_handle put(K key, abort_handle spawned) {
        struct abort_unless_kept {
            ~abort_unless_kept() {
                if (task) task->abort();
            }
            abort_handle* task;
        } unkept{&spawned};
        auto const at_id = keys_.try_emplace(spawned.id(), nullptr).first;
        auto const [at, fresh] = tasks_.try_emplace(std::move(key), spawned);
        if (!fresh) {
            at->second.abort();
            keys_.erase(at->second.id());
            at->second = spawned;
        }
        at_id->second = &at->first;
        unkept.task = nullptr;
        return spawned;
    }

    static task<std::optional<ended>> next(join_map* self) {
        while (auto one = co_await self->set_.join_next_with_id()) {
            auto const at = self->keys_.find(one->first);
            if (at == self->keys_.end()) continue;
            const K* const key = at->second;
            self->keys_.erase(at);
            if (key == nullptr) continue;
            auto entry = self->tasks_.extract(*key);
            co_return ended(std::move(entry.key()), std::move(one->second));
        }
        co_return std::nullopt;
    }
    static task<> drain(join_map* self) {
        self->abort_all();
        while (auto one = co_await self->join_next()) {
        }
    }

    join_set<T> set_;
    tasks tasks_;
    std::unordered_map<task_id, const K*> keys_;  // into tasks_, whose nodes stay where they are
};

WEIR_ABI_END }  // namespace weir
