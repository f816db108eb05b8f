#!/bin/sh
# check.sh FILE COMPILER [FLAGS...]
#
# FILE must not compile, and what the compiler says must match the regex in its first line:
#     // expect: REGEX
# A second line `// compilers: CONDITION`, of macros in config.hpp, says which compilers reject FILE;
# every other one must accept it.
# A file ok_*.cpp must compile: the positive control of the files beside it.
set -eu

file=$1
shift

meets() {  # CONDITION COMPILER...
    condition=$1
    shift
    printf '#include <weir/detail/core/config.hpp>\n#if !(%s)\n#error\n#endif\n' "$condition" |
        "$@" -x c++ -E - >/dev/null 2>&1
}

must_compile=no
case $(basename "$file") in ok_*) must_compile=yes ;; esac
compilers=$(sed -n '2s|^// compilers: ||p' "$file")
if [ -n "$compilers" ] && ! meets "$compilers" "$@"; then must_compile=yes; fi

if output=$(LC_ALL=C "$@" -fsyntax-only "$file" 2>&1); then
    [ $must_compile = yes ] && exit 0
    echo "$file compiled, and must not"
    exit 1
fi
printf '%s\n' "$output"
if [ $must_compile = yes ]; then
    echo "$file must compile"
    exit 1
fi

expected=$(sed -n '1s|^// expect: ||p' "$file")
if [ -z "$expected" ]; then
    echo "$file: the first line must be '// expect: REGEX'"
    exit 1
fi
printf '%s\n' "$output" | grep -Eq -- "$expected" && exit 0
echo "$file: the compiler said something else than: $expected"
exit 1
