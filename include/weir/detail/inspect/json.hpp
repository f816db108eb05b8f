#pragma once
// A dump as JSON. Ids are strings: they have more digits than a JSON number is sure to keep.

#include <cstdio>
#include <string>
#include <string_view>
#include <type_traits>

#include <weir/inspect.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

class dump_json {
public:
    [[nodiscard]] std::string make(const runtime_dump& d) {
        begin('{');
        field("complete", d.complete);
        list("tasks", d.tasks);
        list("locks", d.locks);
        list("channels", d.channels);
        list("deadlocks", d.deadlocks);
        key("metrics");
        value(d.metrics);
        end('}');
        return std::move(text_);
    }

private:
    void value(bool b) { text_ += b ? "true" : "false"; }
    template <class N>
        requires(std::is_integral_v<N> && !std::is_same_v<N, bool>)
    void value(N n) {
        text_ += std::to_string(n);
    }
    void value(std::string_view s) {
        text_ += '"';
        for (const char c : s) {
            if (c == '"' || c == '\\') {
                text_ += '\\';
                text_ += c;
            } else if (static_cast<unsigned char>(c) < 0x20) {
                char code[8];
                std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned>(c));
                text_ += code;
            } else {
                text_ += c;
            }
        }
        text_ += '"';
    }
    void value(const char* s) { value(std::string_view(s)); }
    void value(task_id id) { value(std::to_string(static_cast<std::uint64_t>(id))); }
    template <class T>
    void value(const std::optional<T>& v) {
        if (v)
            value(*v);
        else
            text_ += "null";
    }
    void value(const void* p) {
        char text[32];
        std::snprintf(text, sizeof text, "%p", p);
        value(text);
    }
    void value(const std::source_location& at) {
        if (at.line() == 0) {
            text_ += "null";
            return;
        }
        begin('{');
        field("file", at.file_name());
        field("line", at.line());
        field("function", at.function_name());
        end('}');
    }
    void value(const wait_info& w) {
        begin('{');
        field("site", w.site);
        field("what", w.what);
        field("depth", w.depth);
        end('}');
    }
    void value(const task_info& t) {
        begin('{');
        field("id", t.id);
        field("name", t.name);
        field("kind", t.kind == task_kind::blocking ? "blocking" : "task");
        field("state", t.state == task_state::waiting ? "waiting"
                       : t.state == task_state::ready ? "ready"
                                                      : "running");
        field("spawned_at", t.spawned_at);
        field("spawned_by", t.spawned_by);
        field("joined_by", t.joined_by);
        field("idle_ms", t.idle_for.count());
        field("resumes", t.resumes);
        list("waits", t.waits);
        end('}');
    }
    void value(const lock_info& l) {
        begin('{');
        field("address", l.address);
        field("kind", l.kind);
        field("writing", l.writing);
        field("readers", l.readers);
        field("holder", l.holder);
        list("waiters", l.waiters);
        end('}');
    }
    void value(const channel_info& c) {
        begin('{');
        field("address", c.address);
        field("kind", c.kind);
        field("size", c.size);
        field("capacity", c.capacity);
        field("high_water", c.high_water);
        field("senders", c.senders);
        field("receivers", c.receivers);
        field("waiting_senders", c.waiting_senders);
        field("waiting_receivers", c.waiting_receivers);
        field("closed", c.closed);
        end('}');
    }
    void value(const wait_edge& e) {
        begin('{');
        field("task", e.task);
        field("site", e.site);
        field("what", e.what);
        field("waits_for", e.waits_for);
        end('}');
    }
    template <class T>
    void value(const std::vector<T>& items) {
        begin('[');
        for (const T& item : items) {
            separate();
            value(item);
        }
        end(']');
    }
    void value(const worker_metrics& w) {
        begin('{');
        field("busy_ns", w.busy_duration.count());
        field("parks", w.park_count);
        field("asleep", w.park_unpark_count % 2 == 1);
        field("polls", w.polls);
        field("steals", w.steals);
        field("local_schedules", w.local_schedules);
        field("overflows", w.overflows);
        field("queue", w.local_queue_depth);
        end('}');
    }
    void value(const runtime_metrics& m) {
        begin('{');
        list("workers", m.workers);
        field("alive_tasks", m.alive_tasks);
        field("spawned_tasks", m.spawned_tasks);
        field("global_queue", m.global_queue_depth);
        field("remote_schedules", m.remote_schedules);
        field("budget_forced_yields", m.budget_forced_yields);
        field("blocking_threads", m.blocking_threads);
        field("idle_blocking_threads", m.idle_blocking_threads);
        field("blocking_queue", m.blocking_queue_depth);
        end('}');
    }

    template <class T>
    void field(std::string_view name, const T& v) {
        key(name);
        value(v);
    }
    template <class T>
    void list(std::string_view name, const std::vector<T>& items) {
        field(name, items);
    }
    void key(std::string_view name) {
        separate();
        value(name);
        text_ += ':';
    }
    void separate() {
        if (text_.back() != '{' && text_.back() != '[') text_ += ',';
    }
    void begin(char c) { text_ += c; }
    void end(char c) { text_ += c; }

    std::string text_;
};

}  // namespace detail

inline std::string runtime_dump::to_json() const { return detail::dump_json().make(*this); }

WEIR_ABI_END }  // namespace weir
