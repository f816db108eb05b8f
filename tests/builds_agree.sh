#!/bin/sh
# builds_agree.sh [--write]: CMakeLists.txt and meson.build list every test file there is, and the
# changelog knows the version of version.hpp. --write fills both lists from the folders.
set -eu
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# FOLDER: the names of the folder's test files, one a line
on_disk() {
    find "$1" -maxdepth 1 -name '*.cpp' ! -name main.cpp -exec basename {} .cpp \; 2>/dev/null |
        LC_ALL=C sort
}

# FILE HEAD TAIL NAMES: FILE with the lines between the line HEAD and the next line TAIL from NAMES
fill() {
    awk -v head="$2" -v tail="$3" -v names="$4" '
        inside && $0 == tail { inside = 0 }
        !inside { print }
        $0 == head { inside = 1; while ((getline line < names) > 0) print line }
    ' "$1"
}

check() {  # FILE EXPECTED WRITE
    cmp -s "$1" "$2" && return
    if [ "$3" = --write ]; then
        cat "$2" >"$1"
    else
        diff -u "$1" "$2" || echo "FAILED: tests/$1; tests/builds_agree.sh --write mends the lists"
        failed=1
    fi
}

cp CMakeLists.txt "$work/cmake"
cp meson.build "$work/meson"
for list in unit_tests:. alloc_tests:alloc interop_tests:interop model_tests:model \
    compile_fail_tests:compile_fail; do
    name=${list%%:*}
    on_disk "${list##*:}" >"$work/names"
    sed 's/^/    /' "$work/names" >"$work/lines"
    fill "$work/cmake" "set($name" ")" "$work/lines" >"$work/filled" && mv "$work/filled" "$work/cmake"
    sed "s/.*/  '&',/" "$work/names" >"$work/lines"
    fill "$work/meson" "$name = [" "]" "$work/lines" >"$work/filled" && mv "$work/filled" "$work/meson"
done
check CMakeLists.txt "$work/cmake" "${1-}"
check meson.build "$work/meson" "${1-}"

parts=$(sed -n 's/^#define WEIR_VERSION_M[A-Z]* //p; s/^#define WEIR_VERSION_PATCH //p' \
    ../include/weir/version.hpp | paste -sd.)
if ! grep -q "^#define WEIR_VERSION \"$parts\"" ../include/weir/version.hpp; then
    echo "FAILED: version.hpp states two versions, one of them $parts"
    failed=1
fi
if ! grep -q "^## $parts " ../CHANGELOG.md; then
    echo "FAILED: CHANGELOG.md says nothing of version $parts"
    failed=1
fi
exit $failed
