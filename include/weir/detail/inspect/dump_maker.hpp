#pragma once
// Makes a dump out of what a runtime shows of its tasks.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/detail/inspect/wait_cycles.hpp>
#include <weir/detail/inspect/waits.hpp>
#include <weir/inspect.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class dump_maker final : private task_inspector, private wait_visitor {
public:
    explicit dump_maker(runtime_core& core) : core_(&core) {}

    [[nodiscard]] runtime_dump make() {
        now_ = core_->idle_clock();
        dump_.complete = core_->inspect(*this);
        resolve();
        dump_.deadlocks = find_cycles(edges_, [this](task_id id) {
            const task_info* const t = dump_.find(id);
            return t != nullptr &&
                   core_->has_not_run_since(id, static_cast<std::uint32_t>(t->resumes));
        });
        dump_.metrics = core_->measure();
        return std::move(dump_);
    }

private:
    // -- task_inspector --------------------------------------------------------------------------

    void suspended(task_header& t, bool can_run) override {
        task_info& info = add(&t, t.id(), t.site());
        info.resumes = t.turns();
        info.state = can_run || (WEIR_INSPECT && info.resumes == 0) ? task_state::ready : task_state::waiting;
        if (info.state == task_state::waiting && t.idle_since() != 0)
            info.idle_for = std::chrono::milliseconds(
                std::max<std::int32_t>(0, static_cast<std::int32_t>(now_ - t.idle_since())));
        if (std::uint64_t lower = t.spawner()) {
            const auto mine = static_cast<std::uint64_t>(t.id());
            constexpr std::uint64_t wrap = std::uint64_t{1} << 32;
            lower += mine / wrap * wrap;
            info.spawned_by = task_id{lower > mine ? lower - wrap : lower};
        }
        joiners_.push_back(t.joined_by());
        walk(std::coroutine_handle<>::from_address(t.frame()));
    }
    void busy(const busy_task& t) override {
        task_info& info = add(t.who, t.id, t.site);
        info.kind = t.kind;
        info.state = t.runs ? task_state::running : task_state::ready;
        joiners_.push_back(nullptr);
    }
    task_info& add(const owner* o, task_id id, std::source_location site) {
        tasks_of_[o] = id;
        task_info& info = dump_.tasks.emplace_back();
        info.id = id;
        info.name = core_->name_of(id);
        info.spawned_at = site;
        return info;
    }

    // -- wait_visitor: one task, on its turn -------------------------------------------------------

    /// Goes down a chain of coroutines without recursion, which is for branches.
    void walk(std::coroutine_handle<> h) {
        const unsigned depth = depth_;
        const unsigned composites = std::exchange(walk_starts_in_, composites_);
        while (h) {
            const await_mark& mark = await_mark::of(h);
            h = nullptr;
            if (!mark.is_marked()) break;
            site_ = mark.site();
            next_ = nullptr;
            mark.show_awaiter(*this);
            if (site_.line() != 0) note("something that is not weir's");
            h = std::exchange(next_, nullptr);
        }
        depth_ = depth;
        walk_starts_in_ = composites;
    }
    void operation(const wait_node& n) override {
        const wait_text found = describe_wait(n);
        const std::size_t index = note(found.text);
        if (found.object != nullptr) looks_.push_back({dump_.tasks.size() - 1, index, found.object, n.kind});
        if (found.joined) add_edge(index, nullptr, *found.joined);
        switch (n.kind) {
            case wait_kind::mutex_lock: {
                look_at(static_cast<const raw_mutex::waiter&>(n).lock());
                break;
            }
            case wait_kind::rwlock_lock: {
                look_at(static_cast<const raw_rwlock::waiter&>(n).lock());
                break;
            }
            case wait_kind::channel_send:
            case wait_kind::channel_recv:
            case wait_kind::channel_closed:
                look_at(static_cast<const channel::channel_wait&>(n).channel());
                break;
            case wait_kind::join_set_next:
                if (const task_set* const s = static_cast<const task_set::next_awaiter&>(n).set())
                    nested(*s);
                break;
            case wait_kind::group_slot:
                show_group(static_cast<const group_branches::slot_awaiter&>(n).group());
                break;
            case wait_kind::group_end:
                show_group(static_cast<const group_branches::end_awaiter&>(n).group());
                break;
            default: break;
        }
    }
    void coroutine(std::coroutine_handle<> h) override {
        if (composites_ != walk_starts_in_) {  // a branch
            if (await_mark::of(h).is_marked()) walk(h);
            return;
        }
        note("task");
        ++depth_;
        next_ = h;
    }
    void enter(const char* what, bool ends_with_all) override {
        note(std::string(what) + " of");
        ++depth_;
        ++composites_;
        ends_with_one_.push_back(!ends_with_all);
    }
    void leave() override {
        --depth_;
        --composites_;
        ends_with_one_.pop_back();
    }
    void nested(const owner& inner) override { tasks_of_[&inner] = dump_.tasks.back().id; }

    void show_group(const group_branches& g) {
        ++depth_;
        ++composites_;
        ends_with_one_.push_back(true);  // or with all: which of them is not known here
        g.show(*this);
        ends_with_one_.pop_back();
        --depth_;
        --composites_;
    }
    /// Adds a step, at the site where there is one; returns its index.
    std::size_t note(std::string what) {
        auto& waits = dump_.tasks.back().waits;
        const auto site = std::exchange(site_, std::source_location());
        // Of a very long chain the middle is left out.
        if (waits.size() >= longest_chain && depth_ > waits.back().depth) waits.pop_back();
        waits.push_back({site, std::move(what), depth_});
        return waits.size() - 1;
    }

    // -- what is waited for ----------------------------------------------------------------------

    struct raw_lock {
        lock_info info;
        const owner* holder = nullptr;
        std::vector<const owner*> waiters;
    };
    struct look {
        std::size_t task, wait;
        const void* object;
        wait_kind kind;
    };

    void look_at(const raw_mutex& m) {
        if (!is_new(&m)) return add_lock_edge(&m);
        raw_lock& l = new_lock(&m, "mutex");
        collect(l, [&](auto f) {
            m.look([&](bool held, const owner* holder, const wait_list& waiters) {
                l.info.writing = held;
                l.holder = holder;
                f(waiters);
            });
        });
        add_lock_edge(&m);
    }
    void look_at(const raw_rwlock& m) {
        if (!is_new(&m)) return add_lock_edge(&m);
        raw_lock& l = new_lock(&m, "rwlock");
        collect(l, [&](auto f) {
            m.look([&](bool writing, std::uint32_t readers, const owner* holder,
                       const wait_list& waiters) {
                l.info.writing = writing;
                l.info.readers = readers;
                l.holder = holder;
                f(waiters);
            });
        });
        add_lock_edge(&m);
    }
    void look_at(const channel::handle_counts& c) {
        if (!is_new(&c)) return;
        const channel::channel_look found = c.look();
        channel_info& to = dump_.channels.emplace_back();
        to.address = &c;
        to.kind = c.kind_name();
        to.size = found.size;
        if (found.bounded) to.capacity = found.capacity;
        to.high_water = found.high_water;
        to.senders = c.strong_count();
        to.receivers = c.receiver_count();
        to.waiting_senders = found.waiting_senders;
        to.waiting_receivers = found.waiting_receivers;
        to.closed = found.closed;
    }
    /// Calls `look(f)`, which calls `f` with the list of who waits for a lock, until there is room for
    /// all of them: nothing is allocated with the lock held.
    template <class Look>
    static void collect(raw_lock& l, Look look) {
        for (std::size_t room = 8;; room *= 2) {
            l.waiters.reserve(room);
            bool all = true;
            l.waiters.clear();
            look([&](const wait_list& waiters) {
                for (const wait_node* n = waiters.front(); n != nullptr && all; n = n->next) {
                    all = l.waiters.size() < l.waiters.capacity();
                    if (all) l.waiters.push_back(n->who);
                }
            });
            if (all) return;
        }
    }
    bool is_new(const void* object) { return objects_.emplace(object, locks_.size()).second; }
    raw_lock& new_lock(const void* address, const char* kind) {
        raw_lock& l = locks_.emplace_back();
        l.info.address = address;
        l.info.kind = kind;
        return l;
    }
    void add_lock_edge(const void* lock) {
        const raw_lock& l = locks_[objects_.at(lock)];
        if (l.holder != nullptr && (l.info.writing || l.info.readers == 1))
            add_edge(dump_.tasks.back().waits.size() - 1, l.holder, {});
    }
    /// The task that is shown waits for another one, unless something else could end the wait.
    void add_edge(std::size_t wait, const owner* to, task_id known) {
        if (std::find(ends_with_one_.begin(), ends_with_one_.end(), true) != ends_with_one_.end()) return;
        raw_edges_.push_back({dump_.tasks.size() - 1, wait, to, known});
    }

    // -- when all tasks are known ------------------------------------------------------------------

    [[nodiscard]] std::optional<task_id> task_of(const owner* o) const {
        auto const found = tasks_of_.find(o);
        if (o == nullptr || found == tasks_of_.end()) return std::nullopt;
        return found->second;
    }
    [[nodiscard]] std::string title_of(task_id id) const {
        std::string text = "task " + std::to_string(static_cast<std::uint64_t>(id));
        const std::string name = core_->name_of(id);
        if (!name.empty()) text += " \"" + name + '"';
        return text;
    }

    void resolve() {
        for (std::size_t i = 0; i < joiners_.size(); ++i)
            dump_.tasks[i].joined_by = task_of(joiners_[i]);
        for (raw_lock& l : locks_) {
            l.info.holder = task_of(l.holder);
            if (!l.info.writing && l.info.readers != 1) l.info.holder.reset();
            for (const owner* w : l.waiters) l.info.waiters.push_back(task_of(w));
            dump_.locks.push_back(l.info);
        }
        for (const look& k : looks_)
            if (k.kind == wait_kind::mutex_lock || k.kind == wait_kind::rwlock_lock)
                dump_.tasks[k.task].waits[k.wait].what += held_by(dump_.locks[objects_.at(k.object)]);
        for (const raw_edge& e : raw_edges_) {
            const std::optional<task_id> to = e.to != nullptr ? task_of(e.to) : e.known;
            if (!to) continue;
            const task_info& from = dump_.tasks[e.task];
            const wait_info& wait = from.waits[e.wait];
            std::size_t at = e.wait;  // the site is that of the nearest step which has one
            while (at > 0 && from.waits[at].site.line() == 0) --at;
            edges_.push_back({from.id, from.waits[at].site, wait.what, *to});
        }
        std::sort(dump_.tasks.begin(), dump_.tasks.end(),
                  [](const task_info& a, const task_info& b) { return a.id < b.id; });
    }
    [[nodiscard]] std::string held_by(const lock_info& l) const {
        std::string text;
        if (l.holder)
            text = ", held by " + title_of(*l.holder);
        else if (l.writing)
            text = ", held by what is not a task of this runtime";
        else if (l.readers != 0)
            text = ", held by " + std::to_string(l.readers) + (l.readers == 1 ? " reader" : " readers");
        return text + ", " + std::to_string(l.waiters.size()) + " waiting";
    }

    struct raw_edge {
        std::size_t task, wait;
        const owner* to;
        task_id known;
    };
    static constexpr std::size_t longest_chain = 64;

    runtime_core* core_;
    runtime_dump dump_;
    std::uint32_t now_ = 0;
    std::unordered_map<const owner*, task_id> tasks_of_;  // also of owners that stand for a task
    std::vector<const owner*> joiners_;                   // of dump_.tasks, as long as it is not sorted
    std::unordered_map<const void*, std::size_t> objects_;  // that were looked at; where a lock is
    std::vector<raw_lock> locks_;
    std::vector<look> looks_;
    std::vector<raw_edge> raw_edges_;
    std::vector<wait_edge> edges_;

    // Of the task that is shown.
    std::source_location site_;  // of the co_await that is shown next
    std::coroutine_handle<> next_;
    unsigned depth_ = 0;
    unsigned composites_ = 0;      // how many enter() is in
    unsigned walk_starts_in_ = 0;  // composites_ where the chain began
    std::vector<bool> ends_with_one_;
};

}  // namespace detail

inline const task_info* runtime_dump::find(task_id id) const noexcept {
    for (const task_info& t : tasks)
        if (t.id == id) return &t;
    return nullptr;
}

inline runtime_dump runtime_handle::dump() const { return detail::dump_maker(*core_).make(); }
inline runtime_dump current_thread_runtime::dump() const { return handle().dump(); }
inline runtime_dump multi_thread_runtime::dump() const { return handle().dump(); }

namespace detail {

template <class F>
void report_deadlocks(runtime_core& core, F& handler) {
    const runtime_dump d = dump_maker(core).make();
    if (!d.deadlocks.empty()) handler(d);
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
