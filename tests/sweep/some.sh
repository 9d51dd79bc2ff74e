#!/bin/bash
# The sweeps (tests/sweep/sweep.h), as much of them as make check has time for; all of it with the argument "all".
set -uo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C
umask 022

# $1: which sweep; $2: of how many positions one is taken, where not all; then the operations.
sweep() {
    local which=$1 every=$2
    shift 2
    [ "$all" = no ] || every=1
    build/tests/sweep "$which" --every "$every" "$@" || [ $? = 1 ] || echo "FAIL the sweep $which did not run to its end"
}

all=no
[ "${1:-}" != all ] || all=yes
sweep crash 4 append append-tile append-torn change-log-key publish create
sweep crash 40 birth destroy modify import sign promote retire drill move enrol-ask enrol
sweep fault 60
sweep race 45 birth destroy
sweep crowd 10
