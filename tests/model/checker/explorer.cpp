// From one execution to the next, and what is said about the one that fails.

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <doctest/doctest.h>
#include <set>
#include <thread>

#include "model.hpp"
#include "state.hpp"

namespace model {

// -- choices -------------------------------------------------------------------------------------

std::uint64_t choice_path::next_random() noexcept {  // splitmix64, Vigna
    std::uint64_t z = (random_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

unsigned choice_path::pick(unsigned options, kind k) noexcept {
    const std::size_t at = position_++;
    if (at < path_.size()) {
        if (path_[at].options != options)
            the.fail("the same choices have led elsewhere: the model depends on something else");
        return path_[at].taken;
    }
    std::uint32_t key = the.steps * 8;
    if (at != 0 && path_[at - 1].key >= key) key = path_[at - 1].key + 1;
    unsigned taken = 0;
    if (mode_ == mode::random && (k == kind::other || next_random() % 8 == 0))
        taken = static_cast<unsigned>(next_random() % options);
    for (const choice& w : wanted_)
        if (w.key == key && w.taken < options) taken = w.taken;
    path_.push_back({static_cast<std::uint16_t>(taken), static_cast<std::uint16_t>(options), key});
    return taken;
}

bool choice_path::advance() noexcept {
    if (mode_ == mode::random) return true;
    path_.resize(position_);
    while (!path_.empty() && path_.back().taken + 1 == path_.back().options) path_.pop_back();
    if (path_.empty()) return false;
    ++path_.back().taken;
    return true;
}

std::string choice_path::text() const {
    std::string s;
    for (std::size_t i = 0; i < path_.size() && i < position_; ++i)
        if (path_[i].taken != 0)
            s += (s.empty() ? "" : ",") + std::to_string(path_[i].key) + ":" +
                 std::to_string(path_[i].taken);
    return s.size() < 4000 ? s : s.substr(0, 4000) + "...";
}

void choice_path::parse(const char* p) {
    mode_ = mode::replay;
    wanted_.clear();
    while (*p != '\0') {
        char* end = nullptr;
        const auto key = static_cast<std::uint32_t>(std::strtoul(p, &end, 10));
        if (*end != ':') break;
        wanted_.push_back({static_cast<std::uint16_t>(std::strtoul(end + 1, &end, 10)), 0, key});
        p = *end == ',' ? end + 1 : end;
    }
}

// -- places --------------------------------------------------------------------------------------

std::string source_of(const void* code) {
    Dl_info module{};
    if (::dladdr(code, &module) == 0) return ", ?";
    const auto offset = static_cast<const char*>(code) - static_cast<const char*>(module.dli_fbase) - 1;
    char command[512];
    std::snprintf(command, sizeof command, "addr2line -Cfpse '%s' %#lx 2>/dev/null", module.dli_fname,
                  static_cast<unsigned long>(offset));
    std::string found;
    if (FILE* const out = ::popen(command, "r")) {
        char line[1024];
        if (std::fgets(line, sizeof line, out) != nullptr) found = line;
        ::pclose(out);
    }
    while (!found.empty() && found.back() == '\n') found.pop_back();
    return ", " + (found.empty() ? std::string(module.dli_fname) : found);
}

namespace {

const char* base_name(const char* path) {
    const char* const slash = std::strrchr(path, '/');
    return slash ? slash + 1 : path;
}

struct mutation {
    std::string file;
    std::uint_least32_t line = 0, column = 0;
    char part = 's';
    int to = 0;

    [[nodiscard]] bool is_at(const std::source_location& at, char p) const noexcept {
        return at.line() == line && at.column() == column && p == part && file == base_name(at.file_name());
    }
};

// FILE:LINE:COLUMN:s|f:ORDER or FILE:LINE:COLUMN:w:MISTAKE, with the order or mistake as its number
const mutation& wanted_mutation() {
    static const mutation wanted = [] {
        mutation m;
        const char* const text = std::getenv("WEIR_MODEL_MUTATE");
        if (text == nullptr) return m;
        char file[128] = {};
        if (std::sscanf(text, "%127[^:]:%u:%u:%c:%d", file, &m.line, &m.column, &m.part, &m.to) != 5) {
            std::fprintf(stderr, "model: WEIR_MODEL_MUTATE=%s is no FILE:LINE:COLUMN:PART:TO\n", text);
            std::abort();
        }
        m.file = file;
        return m;
    }();
    return wanted;
}

// Every place that has been reached, for WEIR_MODEL_SITES.
class site_list {
public:
    ~site_list() {
        if (to_ == nullptr) return;
        if (FILE* const f = std::fopen(to_, "a")) {
            for (const std::string& s : sites_) std::fprintf(f, "%s\n", s.c_str());
            std::fclose(f);
        }
    }
    void note(const std::source_location& at, char part, int what, int order) {
        if (to_ == nullptr) return;
        const std::uint64_t place =
            std::uint64_t{at.line()} << 32 | at.column() << 8 | static_cast<unsigned>(part);
        if (!known_.insert({at.file_name(), place}).second) return;
        sites_.insert(std::string(at.file_name()) + ":" + std::to_string(at.line()) + ":" +
                      std::to_string(at.column()) + ":" + part + " " + std::to_string(what) + " " +
                      std::to_string(order));
    }

private:
    const char* to_ = std::getenv("WEIR_MODEL_SITES");
    std::set<std::string> sites_;
    std::set<std::pair<const void*, std::uint64_t>> known_;  // so that most need no string
};
site_list& sites() {
    static site_list list;
    return list;
}

}  // namespace

std::memory_order order_at(std::memory_order order, char part, operation what,
                           const std::source_location& at) noexcept {
    sites().note(at, part, static_cast<int>(what), static_cast<int>(order));
    const mutation& wanted = wanted_mutation();
    return wanted.is_at(at, part) ? static_cast<std::memory_order>(wanted.to) : order;
}

mistake mistake_at(const std::source_location& at) noexcept {
    inside_guard const in;
    sites().note(at, 'w', 6, 0);
    const mutation& wanted = wanted_mutation();
    return wanted.is_at(at, 'w') ? static_cast<mistake>(wanted.to) : mistake::none;
}

// -- exploring -----------------------------------------------------------------------------------

namespace {

const char* running_name = "";

void on_crash(int signal) {
    if (the.active) {
        std::printf("model: %s: signal %d in thread %u\nWEIR_MODEL_REPLAY='%s=%d/%s'\n", running_name,
                    signal, the.current, running_name, the.preemption_bound,
                    the.choices.text().c_str());
        std::fflush(stdout);
    }
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

// libstdc++ counts references without atomics as long as a program has never had a second thread.
void become_multi_threaded() { std::thread([] {}).join(); }

void catch_crashes() {
    static char stack[64 * 1024];
    stack_t alternative{};
    alternative.ss_sp = stack;
    alternative.ss_size = sizeof stack;
    ::sigaltstack(&alternative, nullptr);
    struct sigaction action{};
    action.sa_handler = &on_crash;
    action.sa_flags = SA_ONSTACK;
    for (const int s : {SIGSEGV, SIGBUS, SIGILL, SIGABRT}) ::sigaction(s, &action, nullptr);
}

void run_body(void* body) { (*static_cast<const std::function<void()>*>(body))(); }

}  // namespace

result explore(const std::function<void()>& body, const options& o) {
    static const bool once = (become_multi_threaded(), catch_crashes(), true);
    static_cast<void>(once);
    using mode = choice_path::mode;
    the.preemption_bound = o.preemptions;
    the.choices = {};
    the.choices.start(o.random_executions != 0 ? mode::random : mode::exhaustive, o.seed);
    the.log = o.log;
    if (!o.replay.empty()) {
        char* rest = nullptr;
        the.preemption_bound = static_cast<int>(std::strtol(o.replay.c_str(), &rest, 10));
        the.choices.parse(*rest == '/' ? rest + 1 : rest);
    }
    void* const argument = const_cast<std::function<void()>*>(&body);
    the.shared_places.clear();

    result r;
    do {
        ++r.executions;
        the.found_shared = false;
        the.run(&run_body, argument);
        if (the.failed) {
            r.passed = false;
            r.failure = the.failure;
            r.choices = std::to_string(the.preemption_bound) + "/" + the.choices.text();
            return r;
        }
        // What was taken for one thread's own has turned out to be shared: there was more to choose.
        const bool again = the.found_shared && o.random_executions == 0;
        if (again)
            the.choices.restart();
        else if (!the.choices.advance())
            break;
    } while (o.replay.empty() && r.executions != o.random_executions);
    return r;
}

void check(const char* name, const std::function<void()>& body, int preemptions) {
    options o;
    o.preemptions = preemptions;
    if (const char* const deeper = std::getenv("WEIR_MODEL_DEEPER")) o.preemptions += std::atoi(deeper);
    if (const char* const random = std::getenv("WEIR_MODEL_RANDOM")) {  // SEED,EXECUTIONS
        char* end = nullptr;
        o.seed = std::strtoull(random, &end, 10);
        if (*end == ',') o.random_executions = std::strtoull(end + 1, nullptr, 10);
        o.preemptions = 1'000'000;
    }
    if (const char* const replay = std::getenv("WEIR_MODEL_REPLAY")) {  // NAME=CHOICES
        const std::size_t length = std::strlen(name);
        if (std::strncmp(replay, name, length) != 0 || replay[length] != '=') return;
        o.replay = replay + length + 1;
        o.log = true;
    }

    running_name = name;
    const auto start = std::chrono::steady_clock::now();
    const result r = explore(body, o);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    std::printf("%-66s %9llu executions %8.0f ms\n", name, static_cast<unsigned long long>(r.executions),
                took.count());
    std::fflush(stdout);
    if (r.passed) return;
    if (o.replay.empty() && the.failed_at != nullptr) {  // once more, to see who else was there
        options again = o;
        again.replay = r.choices;
        the.watched = the.failed_at;
        std::printf("what else has happened at %s:\n", the.describe(the.watched).c_str());
        static_cast<void>(explore(body, again));
        the.watched = nullptr;
    }
    FAIL_CHECK(std::string(name) << ": " << r.failure << "\nWEIR_MODEL_REPLAY='" << std::string(name) << "=" << r.choices << "'");
}

}  // namespace model
