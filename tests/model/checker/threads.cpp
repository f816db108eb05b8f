// Threads as fibers: who goes on, who waits, and what ends an execution.

#include <cxxabi.h>

#include <cstdlib>
#include <cstring>

#include "state.hpp"

namespace model {

namespace {

using status = thread_state::status;

void run_thread() {
    thread_state& t = the.me();
    the.inside = false;
    t.entry(t.argument);
    the.inside = true;
    the.finish_thread();
}

void prepare(unsigned thread, void (*entry)(void*), void* argument) {
    thread_state& t = the.threads[thread];
    t.is = status::runnable;
    t.entry = entry;
    t.argument = argument;
    t.waits_for = nullptr;
    t.deadline = thread_state::never;
    t.last_used = UINT32_MAX;
    t.local_keys = {};
    t.locals = {};
    t.exceptions = {};
    getcontext(&t.context);
    t.context.uc_stack.ss_sp = the.stack_of(thread);
    t.context.uc_stack.ss_size = engine::stack_size;
    t.context.uc_link = nullptr;
    makecontext(&t.context, &run_thread, 0);
}

}  // namespace

void engine::run(void (*body)(void*), void* argument) {
    ++execution;
    failed = false;
    failure.clear();
    failed_at = nullptr;
    preemptions = 0;
    oddities_left = preemption_bound > 2 ? preemption_bound - 1 : 1;
    steps = 0;
    clock = 1'000'000'000;
    atomic_count = 0;
    current = 0;
    thread_count = 1;
    for (thread_state& t : threads) t.is = status::unused;
    begin_memory();
    prepare(0, body, argument);
    threads[0].known = {};
    threads[0].known.at[0] = 1;
    choices.begin_execution();
    active = inside = true;
    swapcontext(&main_context, &threads[0].context);
    active = false;
    inside = true;
    if (!failed) end_memory();
    inside = false;
}

void engine::fail(std::string what, const void* where) noexcept {
    inside = true;
    failed = true;
    failure = std::move(what);
    failed_at = where;
    active = false;
    setcontext(&main_context);  // the threads are abandoned; their memory is the arena's
    std::abort();
}

void engine::step() noexcept {
    if (++steps > step_limit) fail("livelock: more than " + std::to_string(step_limit) + " steps");
}

void engine::switch_to(unsigned thread) noexcept {
    if (thread == current) return;
    thread_state& from = me();
    void* const globals = abi::__cxa_get_globals();
    std::memcpy(from.exceptions.data(), globals, from.exceptions.size());
    current = thread;
    std::memcpy(globals, me().exceptions.data(), from.exceptions.size());
    swapcontext(&from.context, &me().context);
    inside = true;
}

void engine::point() noexcept {
    step();
    if (preemptions >= preemption_bound) return;
    std::array<unsigned, max_threads> others{};
    unsigned count = 0;
    for (unsigned i = 0; i < thread_count; ++i) {
        const thread_state& t = threads[i];
        const bool timed = t.is == status::blocked && t.deadline != thread_state::never;
        if (i != current && (t.is == status::runnable || timed)) others[count++] = i;
    }
    if (count == 0) return;
    const unsigned choice = choices.pick(count + 1, choice_path::kind::preemption);
    if (choice == 0) return;
    ++preemptions;
    thread_state& next = threads[others[choice - 1]];
    if (next.is == status::blocked && next.deadline > clock) clock = next.deadline;
    next.is = status::runnable;
    switch_to(others[choice - 1]);
}

void engine::leave() noexcept {
    step();
    std::array<unsigned, max_threads> ready{};
    unsigned count = 0;
    const auto collect = [&](auto which) {
        for (unsigned i = 0; i < thread_count; ++i)
            if (which(threads[i])) ready[count++] = i;
    };
    collect([&](const thread_state& t) {
        return t.is == status::runnable || (t.is == status::blocked && t.deadline <= clock);
    });
    if (count == 0) {  // all who spin get their turn
        collect([this](const thread_state& t) { return t.is == status::spinning && &t != &me(); });
        if (count == 0) collect([](const thread_state& t) { return t.is == status::spinning; });
    }
    if (count == 0) {
        std::int64_t earliest = thread_state::never;
        for (unsigned i = 0; i < thread_count; ++i)
            if (threads[i].is == status::blocked && threads[i].deadline < earliest)
                earliest = threads[i].deadline;
        if (earliest != thread_state::never) {
            clock = earliest;
            collect([&](const thread_state& t) {
                return t.is == status::blocked && t.deadline <= clock;
            });
        }
    }
    if (count == 0) {
        std::string who;
        for (unsigned i = 0; i < thread_count; ++i)
            if (threads[i].is == status::blocked)
                who += "; thread " + std::to_string(i) + " waits for " + describe(threads[i].waits_for);
        if (!who.empty()) fail("deadlock" + who);
        setcontext(&main_context);  // all have finished
    }
    const unsigned next = count == 1 ? ready[0] : ready[choices.pick(count, choice_path::kind::other)];
    threads[next].is = status::runnable;
    if (log) std::printf("      -- thread %u --\n", next);
    switch_to(next);
}

void engine::block(const void* on, std::int64_t until) noexcept {
    thread_state& t = me();
    t.is = status::blocked;
    t.waits_for = on;
    t.deadline = until;
    leave();
    t.waits_for = nullptr;
    t.deadline = thread_state::never;
}

void engine::wake(const void* on, unsigned limit) noexcept {
    for (unsigned i = 0; i < thread_count && limit != 0; ++i) {
        if (threads[i].is != status::blocked || threads[i].waits_for != on) continue;
        threads[i].is = status::runnable;
        --limit;
    }
}

void engine::wake_spinning() noexcept {
    for (unsigned i = 0; i < thread_count; ++i)
        if (i != current && threads[i].is == status::spinning) threads[i].is = status::runnable;
}

void engine::finish_thread() noexcept {
    thread_state& t = me();
    ++t.known.at[current];
    t.is = status::finished;
    wake(&t, max_threads);
    wake_spinning();
    leave();
}

int start_thread(void (*entry)(void*), void* argument) {
    inside_guard const in;
    if (the.thread_count == max_threads) the.fail("more threads than the checker can take");
    const unsigned id = the.thread_count++;
    thread_state& parent = the.me();
    thread_state& t = the.threads[id];
    t.known = parent.known;
    t.known.at[id] = 1;
    ++parent.known.at[the.current];
    prepare(id, entry, argument);
    return static_cast<int>(id);
}

void join_thread(int thread) noexcept {
    inside_guard const in;
    thread_state& t = the.threads[static_cast<unsigned>(thread)];
    while (t.is != status::finished) the.block(&t, thread_state::never);
    the.me().known.join(t.known);
}

void futex_wait(const atomic_word& word, std::uint64_t expected,
                std::optional<std::int64_t> timeout_ns) noexcept {
    inside_guard const in;
    the.point();
    const auto look = [&word] {  // the kernel sees the newest value
        atomic_record& a = the.record_of(word);
        the.read(a, a.stores.size() - 1, std::memory_order_relaxed);
        return a.stores.back().value;
    };
    if (look() != expected) return;
    if (the.oddities_left != 0 && the.choices.pick(2, choice_path::kind::preemption) == 1) {
        --the.oddities_left;
        return;
    }
    if (the.log) std::printf("%5u %u  sleeps on %s\n", the.steps, the.current, the.describe(&word).c_str());
    the.block(&word, timeout_ns ? the.clock + *timeout_ns : thread_state::never);
    look();
}

void futex_wake(const atomic_word& word) noexcept {
    inside_guard const in;
    the.point();
    the.wake(&word, 1);
}

void spin() noexcept {
    inside_guard const in;
    the.clock += 30'000;
    thread_state& t = the.me();
    const std::uint32_t used = t.last_used;
    const bool was_old =
        used < the.atomic_count && t.last_seen + 1 != the.atomics[used].stores.size();
    t.is = was_old ? status::runnable : status::spinning;
    the.leave();
    if (used < the.atomic_count) {  // what is written becomes visible in the end
        atomic_record& a = the.atomics[used];
        the.read(a, a.stores.size() - 1, std::memory_order_relaxed);
    }
}

std::int64_t now() noexcept { return the.clock; }

void*& thread_local_pointer(const void* key) noexcept {
    thread_state& t = the.me();  // outside of executions: that of the program's own thread
    std::size_t i = 0;
    while (t.local_keys[i] != key && t.local_keys[i] != nullptr) {
        if (++i == t.local_keys.size()) the.fail("more thread-local pointers than the checker can take");
    }
    t.local_keys[i] = key;
    return t.locals[i];
}

void fail(std::string_view what) noexcept {
    the.inside = true;
    if (!the.active) {
        std::fprintf(stderr, "model: %.*s\n", static_cast<int>(what.size()), what.data());
        std::abort();
    }
    the.fail(std::string(what));
}

}  // namespace model
