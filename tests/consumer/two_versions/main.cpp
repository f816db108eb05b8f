#include <cstdio>
#include <cstring>
#include <typeinfo>

#include <weir/weir.hpp>

int part_answer();
extern const char* const part_task_type;

namespace {
weir::task<int> answer() { co_return WEIR_VERSION_MINOR; }
}  // namespace

int main() {
    const int here = weir::block_on(answer());
    const int there = part_answer();
    const char* const task_type = typeid(weir::task<int>).name();
    std::printf("minor version %d: %s\nminor version %d: %s\n", here, task_type, there,
                part_task_type);
    return here == WEIR_VERSION_MINOR && there == 999 && std::strcmp(task_type, part_task_type) != 0
               ? 0
               : 1;
}
