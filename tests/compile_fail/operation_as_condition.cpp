// expect: co_await it: only what it yields can be tested
#include <weir/mpsc.hpp>

int forgets(weir::mpsc::receiver<int>& rx) {
    int received = 0;
    while (auto value = rx.recv()) ++received;
    return received;
}
