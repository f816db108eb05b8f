#!/usr/bin/env bash
# instructions.sh [--write] [COMPILER]: how many instructions the hot paths of instructions.cpp take,
# compared with instructions.tsv. A count that is more than 3 % off is an error, in either direction:
# what has become cheaper is recorded too. --write records what is measured.
#
# Times are noisy, counts are not; but a count belongs to its compiler. With another one than g++ 12
# on x86-64, or without valgrind, this exits with 77: skipped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
record=$here/instructions.tsv
tolerance=3
rounds=1000  # as in instructions.cpp

write=0
[ "${1-}" != --write ] || { write=1; shift; }
cxx=${1:-${CXX:-g++}}

skip() {
    echo "skipped: $*"
    exit 77
}
command -v valgrind >/dev/null || skip "there is no valgrind"
[ "$(uname -m)" = x86_64 ] || skip "the counts are those of x86-64"
# shellcheck disable=SC2086  # the compiler may be "ccache g++"
{ $cxx --version | head -n 1 | grep -qE '^[^ ]*g\+\+' &&
    [ "$($cxx -dumpversion | cut -d . -f 1)" = 12 ]; } || skip "the counts are those of g++ 12"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The flags of weir-bench, whatever the build type is.
# shellcheck disable=SC2086
$cxx -std=c++20 -O3 -DNDEBUG -march=x86-64-v2 -pthread -I "$here/../include" \
    "$here/instructions.cpp" -o "$work/instructions"
valgrind --tool=callgrind --dump-before=weir_mark --callgrind-out-file="$work/out" \
    "$work/instructions" >"$work/names" 2>"$work/log" || {
    cat "$work/log" >&2
    exit 1
}

# The dumps out.1, out.2, ... end at the marks: those with an even number are what was measured.
n=0
while read -r name; do
    n=$((n + 2))
    summary=$(sed -n 's/^summary: //p' "$work/out.$n")
    printf '%s\t%s\n' "$name" "$(((summary + rounds / 2) / rounds))"
done <"$work/names" | tail -n +2 >"$work/counts"  # the first path only warms up

if [ $write = 1 ]; then
    { printf '# Instructions of one operation, g++ 12 -O3; benchmarks/instructions.sh --write\n'
      cat "$work/counts"; } >"$record"
    cat "$record"
    exit
fi
awk -F '\t' -v tolerance=$tolerance '
    /^#/ { next }
    FNR == NR { recorded[$1] = $2; next }
    !($1 in recorded) { printf "%-20s %6d  not recorded\n", $1, $2; bad = 1; next }
    {
        change = 100 * ($2 - recorded[$1]) / recorded[$1]
        off = change > tolerance || change < -tolerance
        bad += off
        printf "%-20s %6d  recorded %6d  %+.1f %%%s\n", $1, $2, recorded[$1], change,
               off ? "  <- more than " tolerance " % off" : ""
        delete recorded[$1]
    }
    END {
        for (name in recorded) { printf "%-20s        recorded, and gone\n", name; bad = 1 }
        if (bad) print "if that is right: benchmarks/instructions.sh --write"
        exit bad != 0
    }' "$record" "$work/counts"
