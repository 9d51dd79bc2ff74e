#!/bin/bash
# The log against what it cannot do without (`make bench-log`): appends against a program that does the same writes, syncs and
# signature and nothing else, by turns, and the median taken of the ratios; verification against sha256sum of the same file; a proof from
# a log of ENTRIES entries.
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C
ENTRIES=${ENTRIES:-10000000}
ROUNDS=${ROUNDS:-7}
BENCH=build/tests/bench-log
D=$(mktemp -d "${DIR:-build}/bench-log.XXXXXX")
trap 'rm -rf "$D"' EXIT

median() {
    sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

appends() { # group, entries in a block of the one and then the other, blocks, what is wanted
    "$BENCH" "$D/appends" appends "$2" "$1" "$3" >"$D/times"
    # Of each round's two, which see the same disk.
    awk -v ours="$(awk '{ print $1 }' "$D/times" | median)" -v bare="$(awk '{ print $2 }' "$D/times" | median)" \
        -v ratio="$(awk '{ print $2 / $1 }' "$D/times" | median)" -v group="$1" -v want="$4" 'BEGIN {
        printf "append, %2d at once    %9.1f us an entry   bare %9.1f us   ratio %.2f (wanted: at least %s)\n",
            group, ours / 1000, bare / 1000, ratio, want }'
    rm -rf "$D/appends"
}

clock() { # nanoseconds of a command
    local start
    start=$(date +%s%N)
    "$@" >/dev/null
    echo $(($(date +%s%N) - start))
}

verification() { # entries
    local round
    "$BENCH" "$D/log" make "$1"
    : >"$D/tree"
    : >"$D/sum"
    : >"$D/full"
    for ((round = 0; round < ROUNDS; round++)); do
        taskset -c 0 "$BENCH" "$D/log" tree >>"$D/tree"
        clock taskset -c 0 sha256sum "$D/log/entries" >>"$D/sum"
    done
    "$BENCH" "$D/log" full >"$D/full"
    awk -v tree="$(median <"$D/tree")" -v sum="$(median <"$D/sum")" -v n="$1" 'BEGIN {
        printf "tree of %d entries %9.0f ms   sha256sum %9.0f ms   ratio %.2f on one core (wanted: at most 2.0, and 1.2 on two)\n",
            n, tree / 1e6, sum / 1e6, tree / sum }'
    awk -v n="$1" '{ printf "verification of all of it %9.0f ms   peak memory %.1f MiB (wanted: under 64)\n", $1 / 1e6, $2 / 1024 }' "$D/full"
    rm -rf "$D/log"
}

proof() { # entries
    "$BENCH" "$D/log" make "$1"
    "$BENCH" "$D/log" prove 2000 >"$D/prove"
    awk -v n="$1" '{ printf "proof from %d entries %9.3f ms (wanted: under 1)   opening by the caches %.1f ms\n", n, $1 / 1e6, $2 / 1e6 }' "$D/prove"
    "$BENCH" "$D/log" full >"$D/full"
    awk -v n="$1" '{ printf "verification of all of it %9.0f ms   peak memory %.1f MiB (wanted: under 64)\n", $1 / 1e6, $2 / 1024 }' "$D/full"
}

estate() { # entries
    "$BENCH" "$D/estate" estate "$1" >"$D/opened"
    awk -v n="$1" '{ printf "opening an estate of %d entries %9.1f ms by its snapshot %9.0f ms by the whole fold\n", n, $1 / 1e6, $2 / 1e6 }' "$D/opened"
    rm -rf "$D/estate"
}

appends 1 50 41 0.9
appends 64 1280 41 0.8
verification 1000000
estate 1000000
proof "$ENTRIES"
