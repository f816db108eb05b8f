#!/bin/sh
# check.sh alone|together INCLUDE_DIR COMPILER [FLAGS...]
#
# alone: each header, public or not, must compile by itself and when included twice.
# together: all of them in one translation unit, in both orders; enough to try further flags.
# Neither may draw a warning.
set -eu

mode=$1
include_dir=$2
shift 2
warnings="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
headers=$(cd "$include_dir" && find weir -name '*.hpp' | LC_ALL=C sort)
[ -n "$headers" ]

compile() { "$@" $warnings -fsyntax-only -I "$include_dir" -x c++ -; }

if [ "$mode" = together ]; then
    printf '#include <%s>\n' $headers | compile "$@"
    printf '#include <%s>\n' $headers | LC_ALL=C sort -r | compile "$@"
    exit
fi
export warnings include_dir
printf '%s\n' $headers | xargs -P "$(nproc)" -I '{}' sh -c '
    header=$1
    shift
    printf "#include <%s>\n" "$header" "$header" |
        "$@" $warnings -fsyntax-only -I "$include_dir" -x c++ - || { echo "FAILED: $header"; exit 1; }
' sh '{}' "$@"
