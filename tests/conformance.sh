#!/bin/sh
# conformance.sh: every test case that CONFORMANCE.md names is in the file that it names.
set -eu
cd "$(dirname "$0")"

named=$(grep -c '^  - ' CONFORMANCE.md)
missing=$(sed -n 's/^  - `\([^`]*\)`: \(.*\)$/\1\t\2/p' CONFORMANCE.md | {
    tab=$(printf '\t')
    while IFS="$tab" read -r file name; do
        grep 'TEST_CASE' "$file" 2>/dev/null | grep -qF "(\"$name\"" || echo "$file has no test case \"$name\""
    done
})
if [ -n "$missing" ]; then
    printf '%s\n' "$missing"
    exit 1
fi

# What has no behaviour above it, or another form, would not have been looked at.
malformed=$(grep '^  - ' CONFORMANCE.md | grep -cv '^  - `[^`]*\.cpp`: .' || true)
if [ "$malformed" -ne 0 ] || [ "$named" -eq 0 ]; then
    echo "CONFORMANCE.md: $malformed of $named lines name no test case"
    exit 1
fi
