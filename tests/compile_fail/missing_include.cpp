// expect: add: #include <weir/runtime.hpp>
#include <weir/task.hpp>

weir::task<int> answer();

int main() { return weir::block_on(answer()); }
