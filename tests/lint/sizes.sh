#!/bin/bash
# Functions of at most 70 lines, files of at most 450. Arguments: the files, formatted by clang-format (a body stands
# between a "{" and a "}" of their own in the first column).
set -uo pipefail
awk '
FNR == 1 { start = 0 }
FNR == 451 { printf "%s: more than 450 lines\n", FILENAME; bad = 1 }
/^{/ { start = FNR }
/^}/ && start {
    if (FNR - start - 1 > 70) {
        printf "%s:%d: a function of %d lines\n", FILENAME, start, FNR - start - 1
        bad = 1
    }
    start = 0
}
END { exit bad }' "$@"
