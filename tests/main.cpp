// doctest's main for every test program. A program that ran no test case fails: a filter that
// matches nothing must not look like success.

#define DOCTEST_CONFIG_IMPLEMENT
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <doctest/doctest.h>
#include <string_view>
#include <vector>

#include <weir/weir.hpp>  // here and in the tests: a function that is not inline fails to link

#include "common/runtimes.hpp"

namespace {

unsigned cases_selected = 0;

struct count_cases : doctest::IReporter {
    explicit count_cases(const doctest::ContextOptions&) {}
    void test_run_end(const doctest::TestRunStats& stats) override {
        cases_selected = stats.numTestCasesPassingFilters;
    }
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_case_start(const doctest::TestCaseData&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

REGISTER_LISTENER("count_cases", 0, count_cases);

// Whether the caller has chosen test cases by name.
bool names_cases(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word.starts_with("-tc=") || word.starts_with("--test-case=")) return true;
    }
    return false;
}

// The numbers in a variable such as "2,16".
std::vector<std::size_t> numbers_in(const char* variable) {
    std::vector<std::size_t> numbers;
    const char* at = std::getenv(variable);
    if (at == nullptr) return numbers;
    for (const char* const end = at + std::strlen(at); at < end; ++at)
        at = std::from_chars(at, end, numbers.emplace_back()).ptr;
    return numbers;
}

}  // namespace

// All tests with one worker, then those whose runtime leaves the number open with two and with four.
// Or what the environment says: WEIR_STRESS_WORKERS=2,16 runs the latter alone, with each of these
// numbers, and WEIR_STRESS_ROUNDS=1000 repeats all that until something fails.
int main(int argc, char** argv) {
    const auto wanted = numbers_in("WEIR_STRESS_WORKERS");
    const auto rounds = numbers_in("WEIR_STRESS_ROUNDS");
    bool failed = false;
    unsigned selected = 0;
    for (std::size_t round = 0; !failed && round < (rounds.empty() ? 1 : rounds.front()); ++round) {
        for (const std::size_t workers : wanted.empty() ? std::vector<std::size_t>{1, 2, 4} : wanted) {
            weir_test::workers = workers;
            doctest::Context context(argc, argv);
            if ((workers != 1 || !wanted.empty()) && !names_cases(argc, argv))
                context.addFilter("test-case", "*<multi_thread>*");
            failed |= context.run() != 0;
            if (context.shouldExit()) return failed;  // --help, --list-test-cases and the like
            selected += cases_selected;
        }
    }
    return failed || selected == 0;
}
