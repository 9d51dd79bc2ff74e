#!/bin/bash
# The birth protocol as a model, checked by spin: as it is it must hold in every state that deaths and losses reach, and
# with any one of its precautions taken away the checker must notice.
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 2
model=$PWD/tests/model/birth.pml
work=$PWD/build/model
failed=0

# explore NAME MACRO...: what the checker says is left in NAME.log. A search that was cut short is a failure.
explore() {
    local name=$1 here=$work/$1
    shift
    rm -rf "$here" && mkdir -p "$here" && cd "$here" || return 1
    { spin -a "$@" "$model" && gcc -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=2000 -o pan pan.c && ./pan -m1000000; } \
        > "$work/$name.log" 2>&1 || return 1
    ! grep -Eq 'not completed|depth too small|MEMLIM bound' "$work/$name.log"
}

# holds NAME WHAT MACRO...
holds() {
    local name=$1 what=$2
    shift 2
    if explore "$name" "$@" && grep -q 'errors: 0$' "$work/$name.log"; then
        echo "ok   $what: holds in all $(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/$name.log") states"
    else
        echo "FAIL $what: see build/model/$name.log"
        failed=1
    fi
}

holds pair 'two processes, two deaths, two losses'
holds alone 'one process, three deaths, three losses' -DHOSTS=1 -DDEATHS=3 -DLOSSES=3
for broken in $(grep -o 'BROKEN_[A-Z_]*[A-Z]' "$model" | sort -u); do
    explore "$broken" "-D$broken"
    if grep -q 'assertion violated' "$work/$broken.log"; then
        echo "ok   $broken is found"
    else
        echo "FAIL $broken was not found: see build/model/$broken.log"
        failed=1
    fi
done
exit $failed
