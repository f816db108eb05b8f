// expect: weir::take
// compilers: WEIR_AGGREGATE_TEMPORARIES_BREAK
#include <string>
#include <utility>

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/task.hpp>

struct get_cmd {
    std::string key;
    weir::oneshot::sender<int> reply;
};

weir::task<> ask(weir::mpsc::sender<get_cmd> tx, std::string key) {
    auto [resp_tx, resp_rx] = weir::oneshot::channel<int>();
    auto sent = co_await tx.send(get_cmd{key, std::move(resp_tx)});
}
