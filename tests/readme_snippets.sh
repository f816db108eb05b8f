#!/bin/sh
# readme_snippets.sh [--write]: the code and the outputs that the documents show are those of the files
# they name, and every file that they link is there. --write puts the files' text into the READMEs.
#
# The line before each fence names what it shows:
#     <!-- snippet: PATH -->           the whole file
#     <!-- snippet: PATH: TEXT -->     from the first line that holds TEXT to the next `}` in column 1
#     <!-- snippet: PATH: TEXT ... END -->     to the next line that holds END
# Only fences of shell commands (```sh) need no file.
set -eu
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

splice() {  # MARKDOWN: prints it with each fence filled from its file
    awk '
        function complain(what) {
            print FILENAME ":" FNR ": " what >"/dev/stderr"
            bad = 1
        }
        # What follows `mark` in `text`, and the rest before it: cut("a: b", ": ") leaves "a" in head.
        function cut(text, mark,    at) {
            at = index(text, mark)
            head = at ? substr(text, 1, at - 1) : text
            return at ? substr(text, at + length(mark)) : ""
        }
        function show(source,    path, from, to, line, on, lines) {
            from = cut(source, ": ")
            path = head
            to = cut(from, " ... ")
            from = head
            on = (from == "")
            while ((getline line < path) > 0) {
                if (!on && index(line, from)) on = 1
                if (!on) continue
                print line
                ++lines
                if (to != "" ? index(line, to) : from != "" && line ~ /^}/) break
            }
            close(path)
            if (!lines) complain("nothing found: " source)
        }
        /^<!-- snippet: .* -->$/ {
            source = substr($0, 15, length($0) - 18)
            print
            next
        }
        /^```/ && !inside {
            inside = 1
            print
            kept = (source == "")
            if (kept && $0 != "```sh") complain("a fence that names no file")
            if (!kept) show(source)
            next
        }
        /^```$/ {
            inside = 0
            source = ""
            print
            next
        }
        !inside && source != "" { complain("a snippet line that no fence follows"); source = "" }
        !inside || kept { print }
        END { exit bad }
    ' "$1"
}

for readme in README.md examples/README.md examples/redis/README.md examples/coming_from.md \
    examples/mistakes.md cmake/README.md include/weir/detail/README.md; do
    splice "$readme" >"$work/spliced" || failed=1
    if [ "${1-}" = --write ]; then
        cat "$work/spliced" >"$readme"
    elif ! diff -u "$readme" "$work/spliced"; then
        echo "FAILED: $readme differs from the files it shows; run tests/readme_snippets.sh --write"
        failed=1
    fi

    # `](target)` outside of the fences: what is neither an address nor a place in a page is a file.
    awk '/^```/ { inside = !inside } !inside' "$readme" | grep -o '](\([^)#]*\)' | sed 's/^](//' |
        grep -v -e '://' -e '^$' | sort -u |
        while read -r target; do
            [ -e "$(dirname "$readme")/$target" ] || echo "$readme links $target, which is not there"
        done >"$work/missing"
    if [ -s "$work/missing" ]; then
        cat "$work/missing"
        failed=1
    fi
done

if [ "$(wc -l <README.md)" -gt 150 ]; then
    echo "README.md is longer than 150 lines"
    failed=1
fi
exit $failed
