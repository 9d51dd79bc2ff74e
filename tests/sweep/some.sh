#!/bin/bash
# The sweeps (tests/sweep/sweep.h), as much of them as make check has time for; with the argument "all" what make check-crash has.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
umask 022
all=${1:-}
# Which share of the codes and calls: every change passes the same one, so that what fails is the change. Others for long runs at
# leisure: SWEEP_SEED=$RANDOM make check-crash. It is printed. All of them: SWEEP_TRIED=FOLDER SWEEP_CODES=20 build/tests/sweep
# fault, again and again, until it says that all have been tried.
export SWEEP_SEED=${SWEEP_SEED:-40}

# $1: which sweep; of how many positions one is taken: $2 in make check, 0: none, $3 in all; then the operations.
sweep() {
    local which=$1 every=$2
    [ "$all" != all ] || every=$3
    shift 3
    [ "$every" != 0 ] || return 0
    build/tests/sweep "$which" --every "$every" "$@" || [ $? = 1 ] || echo "FAIL the sweep $which did not run to its end"
}

sweep crash 4 1 append append-tile append-torn change-log-key publish create new-home
sweep crash 45 1 birth plain-birth destroy modify import sign promote enrol-ask enrol
sweep crash 60 3 retire drill settle-unborn settle-held settle-ended
sweep crash 60 1 move
sweep crash 90 5 replicate
sweep crash 15 1 log-move
# The stride is odd, so that the other end comes back at once after some deaths, and not before the restart after others.
sweep crash 121 31 far-birth
sweep crash 0 41 courier-birth courier-destroy far-destroy
sweep crash 0 61 courier-drill far-drill
sweep fault 90 3 birth plain-birth destroy modify import sign promote retire drill move enrol-ask enrol
sweep fault 90 5 replicate
sweep hang 0 15 birth destroy modify import sign enrol
sweep hang 0 30 drill retire replicate
sweep race 60 9 birth destroy
sweep race 0 15 replicate
sweep crowd 10 1
