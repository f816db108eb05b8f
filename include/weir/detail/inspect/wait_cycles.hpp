#pragma once
// Finds cycles among the waits of tasks for each other.

#include <cstddef>
#include <unordered_map>
#include <utility>
#include <vector>

#include <weir/detail/core/task_header.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail {

/// Each edge says that its `task` waits until `waits_for` goes on. `still_waits(id)` is asked before a
/// cycle is reported: what was seen at different times may not have been at one time.
template <class Edge, class StillWaits>
std::vector<std::vector<Edge>> find_cycles(const std::vector<Edge>& edges, StillWaits still_waits) {
    std::unordered_map<task_id, std::vector<const Edge*>> from;
    for (const Edge& e : edges) from[e.task].push_back(&e);

    enum class colour : unsigned char { unseen, on_path, done };
    std::unordered_map<task_id, colour> colours;
    std::vector<std::vector<Edge>> cycles;
    struct step {
        task_id task;
        std::size_t next;  // of its edges
    };
    for (const Edge& start : edges) {
        if (colours[start.task] != colour::unseen) continue;
        std::vector<step> path{{start.task, 0}};
        colours[start.task] = colour::on_path;
        while (!path.empty()) {
            auto const found = from.find(path.back().task);
            if (found == from.end() || path.back().next == found->second.size()) {
                colours[path.back().task] = colour::done;
                path.pop_back();
                continue;
            }
            const task_id to = found->second[path.back().next++]->waits_for;
            colour& c = colours[to];
            if (c == colour::unseen) {
                c = colour::on_path;
                path.push_back({to, 0});
            } else if (c == colour::on_path) {
                std::size_t first = path.size() - 1;
                while (path[first].task != to) --first;
                std::vector<Edge> cycle;
                bool waits = true;
                for (std::size_t i = first; i < path.size(); ++i) {
                    cycle.push_back(*from.at(path[i].task)[path[i].next - 1]);
                    waits = waits && still_waits(path[i].task);
                }
                if (waits) cycles.push_back(std::move(cycle));
            }
        }
    }
    return cycles;
}

}  // namespace detail
WEIR_ABI_END }  // namespace weir
