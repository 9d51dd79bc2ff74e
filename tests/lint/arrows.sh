#!/bin/bash
# core <- policy, audit <- estate <- module, ceremony: what each folder may include. Arguments: the files.
set -uo pipefail
awk '
BEGIN {
    may["core"] = " core "
    may["policy"] = " core policy "
    may["audit"] = " core audit "
    may["estate"] = " core policy audit estate "
    may["module"] = " core policy audit estate module "
    may["ceremony"] = " core policy audit estate ceremony "
}
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split(FILENAME, from, "/")
    if (!(from[1] in may))
        next
    split($0, quoted, "\"")
    if (split(quoted[2], to, "/") != 2) {
        printf "%s:%d: \"%s\" must be named by its folder\n", FILENAME, FNR, quoted[2]
        bad = 1
    } else if (index(may[from[1]], " " to[1] " ") == 0) {
        printf "%s:%d: %s/ may not include %s\n", FILENAME, FNR, from[1], quoted[2]
        bad = 1
    }
}
END { exit bad }' "$@"
