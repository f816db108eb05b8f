// expect: (deleted|private|conversion|no viable|cannot convert)
#include <weir/task.hpp>

weir::task<int> child() { co_return 1; }

// A task is no value: it must be awaited.
int plain() { return child(); }
