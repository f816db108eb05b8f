// expect: co_await key.scope
#include <weir/task.hpp>
#include <weir/task_local.hpp>

weir::task_local<int> key;
weir::task<> coroutine();

void use() { key.sync_scope(1, [] { return coroutine(); }); }
