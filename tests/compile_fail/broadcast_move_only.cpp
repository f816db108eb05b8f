// expect: copies its value to each receiver.*std::shared_ptr
#include <memory>

#include <weir/broadcast.hpp>

auto make() { return weir::broadcast::channel<std::unique_ptr<int>>(2); }
