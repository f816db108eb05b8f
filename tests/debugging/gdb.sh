#!/usr/bin/env bash
# gdb.sh PROGRAM SCRIPT SOURCE: whether gdb shows the chain of each task of the suspended PROGRAM.
# Without gdb it is skipped, unless WEIR_REQUIRE_GDB is set.
set -euo pipefail
program=$1 script=$2 source=$3

if ! command -v gdb >/dev/null; then
    echo "gdb.sh: gdb is not installed"
    [ -z "${WEIR_REQUIRE_GDB-}" ] || exit 1
    exit 77
fi

line() { grep -n "// LINE $1\$" "$source" | cut -d: -f1; }
fail() {
    printf 'gdb.sh: %s\n%s\n' "$1" "$shown" >&2
    exit 1
}

for runtime in current multi; do
    # Sanitizers cannot trace a process that is traced; nothing is left to report here.
    shown=$(ASAN_OPTIONS=detect_leaks=0 timeout 120 gdb -nx -batch -ex "set confirm off" \
        -ex "set debuginfod enabled off" -ex "source $script" -ex "break stop_here" -ex "run $runtime" \
        -ex up -ex "weir-tasks rt" -ex kill "$program" 2>&1) || fail "gdb has failed"
    if grep -q "Operation not permitted" <<<"$shown"; then
        echo "gdb.sh: this system does not let a process be traced"
        exit 77
    fi
    has() { grep -Eq -- "$1" <<<"$shown" || fail "$runtime: there is no line like: $1"; }
    has "#0 .*outermost at .*suspended.cpp:$(line outermost): task"
    has "#1 .*middle at .*suspended.cpp:$(line middle): task"
    has "#2 .*innermost at .*suspended.cpp:$(line innermost): .*channel_recv"
    has "#0 .*locks at .*suspended.cpp:$(line locks): .*mutex_lock"
    has "#0 .*has_not_long at .*suspended.cpp:$(line has_not_long): one or all of several"
    has "^3 tasks\$"
done
