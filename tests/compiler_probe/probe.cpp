// The compiler probe: runs each way of writing a co_await that some compiler has got wrong, and
// prints what this one does. It fails where a form that weir relies on is wrong, and where
// WEIR_AGGREGATE_TEMPORARIES_BREAK is not what was measured.

#include "probe.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include <weir/detail/core/config.hpp>

namespace {

using probe::form;
using probe::rule;

enum class outcome { right, wrong, crashed };

bool is_right(const form& f) {
    bool good_value = false;
    {
        auto t = f.start();
        const auto value = t.run();
        good_value = value && *value > 0;
    }
    return good_value && probe::tracked::live == 0 && probe::tracked::strays == 0;
}

// In a child process: a wrong form may free memory twice or never come back.
outcome measure(const form& f) {
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child == 0) {
        alarm(10);
        if (!std::freopen("/dev/null", "w", stderr)) _exit(3);
        _exit(is_right(f) ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        std::perror("fork");
        std::exit(2);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1) return outcome::crashed;
    return WEXITSTATUS(status) == 0 ? outcome::right : outcome::wrong;
}

struct tally {
    int forms = 0;
    int known_bugs = 0;
    int failures = 0;
    int broken_aggregates = 0;
};

void report(std::span<const form> forms, tally& sum) {
    for (const form& f : forms) {
        const outcome got = measure(f);
        const bool right = got == outcome::right;
        const bool fails = !right && f.needed == rule::relied_on;
        const char* const words = right                    ? "ok"
                                  : fails                  ? "WRONG, and relied on"
                                  : got == outcome::wrong ? "known bug: wrong"
                                                           : "known bug: crashes";
        std::printf("  %-20s  %s\n", words, f.source);
        ++sum.forms;
        sum.failures += fails;
        sum.known_bugs += !right && !fails;
        sum.broken_aggregates += !right && f.needed == rule::aggregates;
    }
}

}  // namespace

int main() {
#if WEIR_CLANG
    std::printf("clang %d\n", WEIR_CLANG);
#else
    std::printf("g++ %d\n", WEIR_GCC);
#endif
    tally sum;
    std::puts("values and closures as arguments");
    report(probe::argument_forms(), sum);
    std::puts("co_await in expressions and statements");
    report(probe::expression_forms(), sum);
    std::puts("where the awaiter lives");
    report(probe::awaiter_forms(), sum);
    std::puts("values passed to an awaited operation");
    report(probe::send_forms(), sum);

    std::printf("%d forms, %d known compiler bugs, %d failures\n", sum.forms, sum.known_bugs,
                sum.failures);
    const bool breaks = sum.broken_aggregates > 0;
    if (breaks != bool{WEIR_AGGREGATE_TEMPORARIES_BREAK}) {
        std::printf("config.hpp: WEIR_AGGREGATE_TEMPORARIES_BREAK is %d, and this compiler %s\n",
                    WEIR_AGGREGATE_TEMPORARIES_BREAK,
                    breaks ? "destroys aggregate temporaries twice" : "gets them right");
        return 1;
    }
    return sum.failures == 0 ? 0 : 1;
}
