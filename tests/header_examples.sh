#!/bin/sh
# header_examples.sh [--list]: each public header shows how to use it, and each example in its
# comments stands, line by line, in a file of header_examples, where it is compiled. --list prints
# the examples.
#
# An example is a paragraph of a comment that is indented by four spaces and has a line that ends
# with one of `;{}`; other such paragraphs are tables.
set -eu
cd "$(dirname "$0")/.."

# These only include others, or hold a number.
no_example='weir.hpp net.hpp test.hpp version.hpp'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat tests/header_examples/*.cpp | sed 's/^ *//; s/ *$//' >"$work/compiled"

find include/weir -path include/weir/detail -prune -o -name '*.hpp' -print | LC_ALL=C sort |
    xargs awk -v list="${1-}" -v no_example="$no_example" '
        function end_block(    i, k, found) {
            if (lines && is_code) {
                ++shown[FILENAME]
                if (list != "") {
                    print "== " FILENAME
                    for (i = 1; i <= lines; ++i) print block[i]
                }
                for (k = 1; k + lines - 1 <= compiled && !found; ++k) {
                    found = 1
                    for (i = 1; i <= lines && found; ++i)
                        if (have[k + i - 1] != stripped(block[i])) found = 0
                }
                if (!found && list == "") {
                    print FILENAME ":" first ": this example is in no file of tests/header_examples"
                    for (i = 1; i <= lines; ++i) print "    " block[i]
                    bad = 1
                }
            }
            lines = is_code = 0
        }
        function stripped(s) {
            sub(/^ */, "", s)
            sub(/ *$/, "", s)
            return s
        }
        FILENAME == ARGV[1] { have[++compiled] = $0; next }
        FNR == 1 { headers[FILENAME] }
        !/^ *\/\/\/?( |$)/ { end_block(); next }
        {
            text = $0
            sub(/^ *\/\/\/? ?/, "", text)
        }
        text !~ /^    / { end_block(); next }
        {
            if (!lines) first = FNR
            block[++lines] = substr(text, 5)
            if (text ~ /[;{}]( *\/\/.*)?$/) is_code = 1
        }
        END {
            end_block()
            for (h in headers) {
                name = h
                sub(/.*\//, "", name)
                if (!(h in shown) && index(" " no_example " ", " " name " ") == 0) {
                    print h ": shows no example"
                    bad = 1
                }
            }
            exit bad
        }
    ' "$work/compiled"
