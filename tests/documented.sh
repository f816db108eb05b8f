#!/bin/sh
# documented.sh: lists what of the public headers has no documentation, and fails if there is some.
#
# Documented must be each type, function and concept of namespace weir, and each operation that is to
# be awaited. Declarations without an empty line between them share the comment above the first.
set -eu
cd "$(dirname "$0")/../include"

find weir -path weir/detail -prune -o -name '*.hpp' -print | LC_ALL=C sort | xargs awk '
    function lacks(where, what) {
        print where ": no documentation: " what
        bad = 1
    }
    # `head` is what a paragraph at namespace scope declares, up to its first brace or semicolon.
    # Forward declarations, bodies of members and specialisations are documented elsewhere.
    function end_paragraph() {
        gsub(/"[^"]*"|std::[a-z_:]+| : public .*/, "", head)
        if (head ~ /[{(]|^(class|struct)/ && !commented && !in_detail &&
            head !~ /[a-z_>]::~?[a-z_]+([ (]|$)|\) -> |template <>|^(class|struct) [a-z_]+;|^static_assert/)
            lacks(FILENAME ":" first, head)
        head = ""
        commented = complete = 0
    }
    FNR == 1 { in_detail = 0 }
    /namespace detail \{/ { in_detail = 1 }
    /^\}  \/\/ namespace detail/ { end_paragraph(); in_detail = 0 }
    /^(namespace|public:|private:|protected:|#|\}|\/\/ )/ { next }
    /^$/ { end_paragraph(); above = 0; next }
    /^\/\/\// && head == "" { commented = 1 }
    /^[^ \/]/ || (head != "" && !complete) {
        if (head == "") first = FNR
        if (!complete) head = head $0 " "
        if (/[{;]/) complete = 1
    }
    # `above` says whether the lines above a member are its comment or another member.
    /^    .*\[\[nodiscard\("co_await it/ && !in_detail && !above { lacks(FILENAME ":" FNR, $0) }
    { above = above || !/^ *(template|requires)/ && !/:$/ }
    END { exit bad }
'
