// expect: reserve
#include <weir/cancellation_token.hpp>
#include <weir/mpsc.hpp>
#include <weir/task.hpp>

weir::task<> stops(weir::cancellation_token t, weir::mpsc::sender<int>& tx) {
    auto sent = co_await t.run_until_cancelled(tx.send(1));
}
