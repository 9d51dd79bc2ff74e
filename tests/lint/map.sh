#!/bin/bash
# docs/MAP.md names every file of every room, and nothing that is not there. Prints what differs; ends with 1 where something does.
# A room's section is "## ROOM"; a name in backquotes in its list stands for the files of that stem, "*" for any ending.
set -uo pipefail
status=0

# $1: room. The names at the beginning of an item, after a comma and after a semicolon.
# shellcheck disable=SC2016
patterns() {
    sed -n "/^## $1\$/,/^## /p" docs/MAP.md | grep '^- ' | grep -oE '(^- |, |; )`[^`]+`' | grep -oE '`[^`]+`' | tr -d '`'
}

for room in core policy audit estate module ceremony tests; do
    mapfile -t known < <(patterns "$room")
    # In a room of code the stem names the file; of the tests, the first part of the path.
    if [ "$room" = tests ]; then
        mapfile -t here < <(git ls-files --cached --others --exclude-standard tests | cut -d/ -f2 | sort -u)
    else
        mapfile -t here < <(git ls-files --cached --others --exclude-standard "$room/*.c" "$room/*.h" |
            sed 's|.*/||; s|\.[ch]$||' | sort -u)
    fi
    for name in "${here[@]}"; do
        for pattern in "${known[@]}"; do
            # A pattern is one.
            # shellcheck disable=SC2053
            [[ $name == $pattern ]] && continue 2
        done
        echo "docs/MAP.md does not name $room/$name"
        status=1
    done
    for pattern in "${known[@]}"; do
        for name in "${here[@]}"; do
            # shellcheck disable=SC2053
            [[ $name == $pattern ]] && continue 2
        done
        echo "docs/MAP.md names $room/$pattern, which is not there"
        status=1
    done
done
exit "$status"
