// expect: name the predicate
// compilers: WEIR_AGGREGATE_TEMPORARIES_BREAK
#include <string>
#include <utility>

#include <weir/task.hpp>
#include <weir/watch.hpp>

weir::task<> use(weir::watch::receiver<std::string> rx, std::string wanted) {
    auto found = co_await rx.wait_for([wanted](const std::string& s) { return s == wanted; });
    static_cast<void>(found);
}
