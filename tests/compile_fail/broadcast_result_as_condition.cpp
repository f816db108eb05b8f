// expect: (could not convert|no viable conversion|not contextually convertible|not convertible to|value of type)
#include <weir/broadcast.hpp>

// A lag would end this loop.
void use(weir::broadcast::receiver<int>& rx) {
    while (auto r = rx.blocking_recv()) static_cast<void>(*r);
}
