#!/bin/bash
# Part of make check-crash: every write, sync, rename and open of an append fails once, with EIO, with ENOSPC, and with the death of
# the process. Whatever happens: what was acknowledged is there, every checkpoint ever shown is a prefix, and the log goes
# on.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
A=$PWD/build/tests/appender
W=$(mktemp -d /tmp/quorate-sweep.XXXXXX)
trap 'rm -rf "$W"' EXIT
passed=0
failed=0

# $1: entries before, so that a tile is filled in some runs; $2: what strace injects, $3: at which call.
once() {
    rm -rf "$W/log"
    cp -r "$W/before-$1" "$W/log"
    : >"$W/acked"
    { strace -f -qq -o "$W/trace" -e "trace=${2%%:*}" -e "inject=$2:when=$3" \
        "$A" "$W/log" append 5 3>"$W/acked" >/dev/null 2>&1; } 2>/dev/null
    grep -q INJECTED "$W/trace" || grep -q 'killed by SIGKILL' "$W/trace" || return 1
    if "$A" "$W/log" check "$W/acked" >"$W/said" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1 entries, $2:when=$3: $(tail -n 1 "$W/said")"
    fi
}

for before in 1 250; do
    "$A" "$W/before-$before" create
    [ "$before" = 1 ] || "$A" "$W/before-$before" append 149 3>/dev/null
    for call in write pwrite64 fsync fdatasync renameat openat ftruncate; do
        for how in error=EIO error=ENOSPC signal=KILL; do
            for ((n = 1; n < 2000; n++)); do
                once "$before" "$call:$how" "$n" || break
            done
        done
    done
done
if [ "$failed" != 0 ] || [ "$passed" = 0 ]; then
    echo "FAIL a log whose disk fails: $failed of $((passed + failed)) calls"
    exit 1
fi
echo "ok   a log whose disk fails, at each of $passed calls"
