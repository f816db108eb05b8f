#pragma once
// A dump as text.

#include <cstdio>
#include <ostream>
#include <string>
#include <unordered_map>

#include <weir/inspect.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class dump_text {
public:
    explicit dump_text(const runtime_dump& d) : dump_(&d) {
        for (const task_info& t : d.tasks)
            if (!t.name.empty()) names_.emplace(t.id, t.name);
    }

    [[nodiscard]] std::string make() {
        text_ = "weir: " + counted(dump_->tasks.size(), "task");
        if (!dump_->deadlocks.empty()) text_ += ", " + counted(dump_->deadlocks.size(), "deadlock");
        text_ += '\n';
        if (!dump_->complete)
            text_ += "(the thread that runs the tasks is in one turn for too long to show them)\n";
        for (const auto& cycle : dump_->deadlocks) add(cycle);
        for (const task_info& t : dump_->tasks) add(t);
        for (const lock_info& l : dump_->locks) add(l);
        for (const channel_info& c : dump_->channels) add(c);
        return std::move(text_);
    }

private:
    static std::string place(const std::source_location& at) {
        return std::string(at.file_name()) + ':' + std::to_string(at.line());
    }
    static std::string counted(std::size_t n, const char* what) {
        return std::to_string(n) + ' ' + what + (n == 1 ? "" : "s");
    }
    static std::string address(const void* p) {
        char text[32];
        std::snprintf(text, sizeof text, "%p", p);
        return text;
    }
    [[nodiscard]] std::string title(task_id id) const {
        std::string text = "task " + std::to_string(static_cast<std::uint64_t>(id));
        auto const name = names_.find(id);
        if (name != names_.end()) text += " \"" + name->second + '"';
        return text;
    }
    [[nodiscard]] std::string title(const std::optional<task_id>& id) const {
        return id ? title(*id) : "something else";
    }

    void add(const std::vector<wait_edge>& cycle) {
        text_ += "deadlock: " + counted(cycle.size(), "task") + " for each other\n";
        for (const wait_edge& e : cycle)
            text_ += "  " + title(e.task) + " waits at " + place(e.site) + " for " +
                     title(e.waits_for) + ": " + e.what + '\n';
    }
    void add(const task_info& t) {
        text_ += title(t.id);
        if (t.kind == task_kind::blocking) text_ += ", blocking";
        if (t.spawned_at.line() != 0) text_ += ", spawned at " + place(t.spawned_at);
        if (t.spawned_by) text_ += " by " + title(*t.spawned_by);
        if (t.joined_by) text_ += ", joined by " + title(*t.joined_by);
        switch (t.state) {
            case task_state::running: text_ += ", runs"; break;
            case task_state::ready: text_ += ", can run"; break;
            case task_state::waiting:
                text_ += ", waits for " + std::to_string(t.idle_for.count()) + " ms";
                break;
        }
        if (t.resumes != 0) text_ += ", " + counted(t.resumes, "turn");
        text_ += '\n';
        for (const wait_info& w : t.waits) {
            text_.append(2 + 2 * std::size_t{w.depth}, ' ');
            if (w.site.line() != 0) text_ += place(w.site) + ": ";
            text_ += w.what + '\n';
        }
    }
    void add(const lock_info& l) {
        text_ += l.kind + ' ' + address(l.address);
        if (l.holder)
            text_ += ", held by " + title(*l.holder);
        else if (l.writing)
            text_ += ", held";
        else if (l.readers != 0)
            text_ += ", held by " + counted(l.readers, "reader");
        text_ += ", waiting:";
        for (const auto& w : l.waiters) text_ += (&w == &l.waiters.front() ? " " : ", ") + title(w);
        text_ += '\n';
    }
    void add(const channel_info& c) {
        text_ += c.kind + " channel " + address(c.address) + ", " + std::to_string(c.size);
        if (c.capacity) text_ += " of " + std::to_string(*c.capacity);
        text_ += " full, " + counted(c.senders, "sender") + " (" + std::to_string(c.waiting_senders) +
                 " waiting), " + counted(c.receivers, "receiver") + " (" +
                 std::to_string(c.waiting_receivers) + " waiting)" + (c.closed ? ", closed\n" : "\n");
    }

    const runtime_dump* dump_;
    std::unordered_map<task_id, std::string> names_;
    std::string text_;
};

}  // namespace detail

inline std::string runtime_dump::to_string() const { return detail::dump_text(*this).make(); }
inline std::ostream& operator<<(std::ostream& out, const runtime_dump& d) {
    return out << d.to_string();
}

WEIR_ABI_END }  // namespace weir
