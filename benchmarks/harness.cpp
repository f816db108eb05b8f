// weir-bench: the program around the workloads. README.md says what a figure means.

#include "harness.hpp"

#include <spawn.h>  // posix_spawn: a child process per memory figure
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>

namespace bench {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t runs = 5;
constexpr auto long_enough_to_scale = 50ms;
constexpr auto target = 650ms;  // what a run aims at; it must reach `minimum`
constexpr auto minimum = 500ms;
constexpr u64 quick_count = 1000;

bool quick = false;

u64 scaled(u64 count, std::chrono::nanoseconds took) {
    const double factor = std::chrono::duration<double>(target) / took;
    return static_cast<u64>(static_cast<double>(count) * factor) + 1;
}

u64 calibrate(const std::function<sample(u64)>& run) {
    for (u64 count = 1000;; count *= 4) {
        const sample s = run(count);
        if (s.time > long_enough_to_scale) return scaled(count, s.time);
    }
}

double per_op(const sample& s) {
    return static_cast<double>(s.time.count()) / static_cast<double>(s.ops);
}

std::string output_of_child(std::string_view name, u64 count) {
    int ends[2];
    check(pipe(ends) == 0, "no pipe for the child process");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string words[] = {"weir-bench", "--child", std::string(name), std::to_string(count)};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
    pid_t pid = 0;
    const int error = posix_spawn(&pid, "/proc/self/exe", &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    check(error == 0, "the child process does not start");
    std::string out;
    char buffer[256];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        out.append(buffer, static_cast<std::size_t>(n));
    close(ends[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child process failed");
    return out;
}

std::vector<workload> all_workloads() {
    std::vector<workload> all;
    for (auto* group : {oneshot_workloads, mpsc_workloads, mpmc_workloads, reqresp_workloads,
                        lock_workloads, broadcast_workloads, watch_workloads, event_workloads,
                        task_workloads, memory_workloads}) {
        for (const workload& w : group()) all.push_back(w);
    }
    return all;
}

int run_child(std::string_view name, const char* count) {
    for (const workload& w : all_workloads()) {
        if (w.name != name || !w.child) continue;
        w.child(std::strtoull(count, nullptr, 10));
        return 0;
    }
    return 2;
}

int usage() {
    std::fputs(
        "usage: weir-bench [--quick] [--growth] [filter | --list]\n"
        "  filter   a workload's name, or a part of the names of several\n"
        "  --list   print the names\n"
        "  --quick  one short run of each: shows that it works, not how fast it is\n"
        "  --growth how the cost of an operation grows with the number of producers and so on\n",
        stderr);
    return 2;
}

}  // namespace

void measure(std::string_view name, std::string_view tag, const std::function<sample(u64)>& run) {
    if (quick) return report(name, tag, {per_op(run(quick_count))}, "ns");
    u64 count = calibrate(run);
    if (const sample warm_up = run(count); warm_up.time < minimum)
        count = scaled(count, warm_up.time);
    std::vector<double> values;
    while (values.size() < runs) {
        const sample s = run(count);
        if (s.time < minimum) {
            count += count / 3;
        } else {
            values.push_back(per_op(s));
        }
    }
    report(name, tag, std::move(values), "ns");
}

std::vector<std::vector<double>> measure_in_children(std::string_view name, u64 full,
                                                     u64 quick_full) {
    std::vector<std::vector<double>> rows;
    for (std::size_t i = 0; i < (quick ? 1 : runs); ++i) {
        std::istringstream words(output_of_child(name, quick ? quick_full : full));
        std::vector<double> row;
        for (double value; words >> value;) row.push_back(value);
        check(!row.empty(), "the child process printed nothing");
        rows.push_back(std::move(row));
    }
    return rows;
}

void report(std::string_view name, std::string_view tag, std::vector<double> values,
            std::string_view unit) {
    std::sort(values.begin(), values.end());
    std::printf("%.*s\tweir%.*s\t%.2f\t%.2f\t%.2f\t%.*s\n", static_cast<int>(name.size()),
                name.data(), static_cast<int>(tag.size()), tag.data(), values.front(),
                values[values.size() / 2], values.back(), static_cast<int>(unit.size()),
                unit.data());
    std::fflush(stdout);
}

void fail(const char* what) {
    std::fprintf(stderr, "weir-bench: wrong: %s\n", what);
    std::abort();
}

int run_program(int argc, char** argv) {
    std::vector<std::string_view> words(argv + 1, argv + argc);
    if (words.size() == 3 && words[0] == "--child") return run_child(words[1], argv[3]);
    quick = std::erase(words, "--quick") > 0;
    const bool growth = std::erase(words, "--growth") > 0;
    if (words.size() > 1) return usage();
    const std::string_view filter = words.empty() ? "" : words[0];
    if (filter.starts_with("-") && filter != "--list") return usage();
    if (growth) return print_growth(filter, quick) ? 0 : 1;
    const std::vector<workload> all = all_workloads();
    const auto has_this_name = [&](const workload& w) { return w.name == filter; };
    const bool exact = std::any_of(all.begin(), all.end(), has_this_name);
    bool found = false;
    for (const workload& w : all) {
        if (filter == "--list") {
            std::printf("%.*s\n", static_cast<int>(w.name.size()), w.name.data());
        } else if (exact ? w.name == filter : w.name.find(filter) != std::string_view::npos) {
            w.run(w.name);
        } else {
            continue;
        }
        found = true;
    }
    if (!found)
        std::fprintf(stderr, "weir-bench: no workload has '%s' in its name\n", argv[argc - 1]);
    return found ? 0 : 1;
}

}  // namespace bench

int main(int argc, char** argv) {
    return bench::run_program(argc, argv);
}
