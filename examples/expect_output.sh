#!/bin/sh
# expect_output.sh PROGRAM FILE: PROGRAM must print what FILE holds, and return 0.
set -u

printed=$(mktemp)
trap 'rm -f "$printed"' EXIT
"$1" >"$printed"
result=$?
diff -u "$2" "$printed" || exit 1
[ $result -eq 0 ] && exit 0
echo "$1 returned $result"
exit 1
