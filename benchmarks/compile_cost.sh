#!/usr/bin/env bash
# compile_cost.sh [COMPILER]: the CPU time that including weir costs at -O2, as a multiple of what
# <mutex>, <chrono> and <vector> cost, and the size of a hello program. A multiple above its bound is
# an error. The programs take turns, and the least of several times counts: other work on the machine
# makes all of them slower, and the multiple stays. With another compiler than g++ 12, whose standard
# library costs something else, the figures are printed and not checked.
set -euo pipefail
root=$(dirname "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)")
cxx=${1:-${CXX:-g++}}
turns=3
at_most_task=1.4
at_most_all=4.0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '#include <%s>\n' mutex chrono vector >"$work/base.cpp"
printf '#include <%s>\n' weir/task.hpp >"$work/task.cpp"
printf '#include <%s>\n' weir/weir.hpp >"$work/all.cpp"
cat >"$work/hello.cpp" <<'EOF'
#include <cstdio>
#include <weir/weir.hpp>
weir::task<> hello() {
    std::puts("hello");
    co_return;
}
int main() { weir::block_on(hello()); }
EOF

checked=no
if $cxx --version | head -n 1 | grep -qE '^[^ ]*g\+\+' &&
    [ "$($cxx -dumpversion | cut -d . -f 1)" = 12 ]; then
    checked=yes
fi
compile() { CCACHE_DISABLE=1 $cxx -std=c++20 -O2 -I "$root/include" "$@"; }

# user_time FILE: appends the CPU seconds of compiling it
TIMEFORMAT=%U
user_time() {
    { time compile -c "$work/$1.cpp" -o "$work/$1.o"; } 2>>"$work/$1.times" || {
        cat "$work/$1.times" >&2
        exit 1
    }
}
for ((turn = 0; turn < turns; ++turn)); do
    for file in base task all; do user_time $file; done
done
least() { sort -n "$work/$1.times" | head -n 1; }

compile -pthread "$work/hello.cpp" -o "$work/hello"
strip "$work/hello"

awk -v base="$(least base)" -v task="$(least task)" -v all="$(least all)" -v checked=$checked \
    -v at_most_task=$at_most_task -v at_most_all=$at_most_all -v size="$(stat -c %s "$work/hello")" '
    function row(name, time, bound,    over) {
        over = checked == "yes" && time > bound * base
        printf "%-24s %.2f s  %.2f times, at most %s%s\n", name, time, time / base, bound,
               over ? "  <- TOO SLOW" : ""
        return over
    }
    BEGIN {
        printf "%-24s %.2f s\n", "<mutex><chrono><vector>", base
        bad = row("<weir/task.hpp>", task, at_most_task)
        bad += row("<weir/weir.hpp>", all, at_most_all)
        printf "%-24s %d bytes, stripped\n", "hello program", size
        exit bad != 0
    }'
