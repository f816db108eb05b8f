// expect: must be done when it returns
#include <weir/task.hpp>
#include <weir/watch.hpp>

weir::task<> change(int& value);

void use(weir::watch::sender<int>& tx) {
    tx.send_modify([](int& v) { return change(v); });
}
