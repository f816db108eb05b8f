#include <typeinfo>

#include <weir/weir.hpp>

namespace {
weir::task<int> answer() { co_return WEIR_VERSION_MINOR; }
}  // namespace

extern const char* const part_task_type;
const char* const part_task_type = typeid(weir::task<int>).name();
int part_answer() { return weir::block_on(answer()); }
