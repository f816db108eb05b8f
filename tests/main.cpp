// doctest's main for every test program. A program that ran no test case fails: a filter that
// matches nothing must not look like success.

#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <weir/weir.hpp>  // here and in the tests: a function that is not inline fails to link

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

}  // namespace

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    const int result = context.run();
    if (context.shouldExit()) return result;  // --help, --list-test-cases and the like
    return result == 0 && cases_selected == 0 ? 1 : result;
}
