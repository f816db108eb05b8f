#!/usr/bin/env bash
# compile_cost.sh [COMPILER]: what including weir costs at -O2, as a multiple of what <mutex>, <chrono>
# and <vector> cost, and the size of a hello program.
#
# CPU time is the least of two turns, and its bound is wide: other work on the machine changes even
# the multiple. The memory that the compiler allocates grows with its work and never varies, so that
# its bound is tight. With another compiler than g++ 12, whose standard library costs something else, the
# times are printed and not checked.
set -euo pipefail
root=$(dirname "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)")
cxx=${1:-${CXX:-g++}}
turns=2
# Multiples: CPU time, memory.
at_most_task="1.8 1.45"
at_most_all="7.0 4.75"

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

# memory FILE: the MB that the compiler allocates for it
memory() {
    compile -ftime-report -c "$work/$1.cpp" -o "$work/$1.o" 2>&1 |
        awk '$1 == "TOTAL" { n = $NF + 0; if ($NF ~ /k$/) n /= 1000; print n }'
}

compile -pthread "$work/hello.cpp" -o "$work/hello"
strip "$work/hello"
base_memory=0 task_memory=0 all_memory=0
if [ $checked = yes ]; then
    base_memory=$(memory base)
    task_memory=$(memory task)
    all_memory=$(memory all)
fi

awk -v checked=$checked -v size="$(stat -c %s "$work/hello")" \
    -v base="$(least base) $base_memory" -v task="$(least task) $task_memory $at_most_task" \
    -v all="$(least all) $all_memory $at_most_all" '
    function row(name, figures,    f, over) {
        split(figures, f, " ")
        printf "%-24s %.2f s, %.2f times", name, f[1], f[1] / b[1]
        if (checked == "yes") {
            over = f[1] > f[3] * b[1] || f[2] > f[4] * b[2]
            printf " (at most %.1f); %d MB, %.2f times (at most %.2f)%s", f[3], f[2], f[2] / b[2],
                   f[4], over ? "  <- TOO MUCH" : ""
        }
        print ""
        return over
    }
    BEGIN {
        split(base, b, " ")
        printf "%-24s %.2f s\n", "<mutex><chrono><vector>", b[1]
        bad = row("<weir/task.hpp>", task)
        bad += row("<weir/weir.hpp>", all)
        printf "%-24s %d bytes, stripped\n", "hello program", size
        exit bad != 0
    }'
