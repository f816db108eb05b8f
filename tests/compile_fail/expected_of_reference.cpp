// expect: T must be void or an object type.*for a reference use a pointer
#include <weir/expected.hpp>

int held = 0;
weir::expected<int&, weir::closed> e(held);
