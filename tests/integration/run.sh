#!/bin/bash
# Runs the integration tests on real SoftHSM tokens: all of them with what is shipped, the main flow with the sanitized
# tree. Prints "ok NAME" or "FAIL NAME" for each case; the rest lies in build/integration. Arguments: files to run
# instead of all. Ends with 1 where anything failed.
set -uo pipefail
cd "$(dirname "$0")/../.."
umask 022
export LC_ALL=C

# shellcheck disable=SC2317 # xargs calls it
one() {
    local rc=0
    bash "$1" || rc=$?
    case $rc in
    0) return 0 ;;
    3) return 1 ;; # its cases said so
    esac
    echo "FAIL $1 ended with $rc before its last case"
    return 1
}
export -f one

# Makes $WORK anew: for what is shipped in memory where there is room and programs may run, for on a disk the syncs would take half of
# the time; otherwise on the disk, so that both are tried.
work_make() {
    local free memory
    work_clear
    mkdir -p build/integration
    free=$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)
    if [ "$TREE" = build ] && [ "${free:-0}" -ge 1048576 ] && memory=$(mktemp -d /dev/shm/quorate-integration-XXXXXX); then
        chmod 755 "$memory"
        printf '#!/bin/sh\n' >"$memory/program"
        chmod 700 "$memory/program"
        if "$memory/program" 2>/dev/null; then
            ln -s "$memory" "$WORK"
            return
        fi
        rm -rf "$memory"
    fi
    mkdir "$WORK"
}

work_clear() {
    [ ! -L "$WORK" ] || rm -rf "$(readlink "$WORK")"
    rm -rf "$WORK"
}

# $1: the tree, then the files.
tree() {
    export TREE=$1 WORK=build/integration/${1//\//-}
    shift
    work_make
    (
        # shellcheck source=tests/integration/lib.sh
        . tests/integration/lib.sh
        set -e
        D=$WORK/bare
        prepare_bare
        D=$WORK/ready
        estate_copy "$WORK/bare"
        prepare_ready
    ) >"$WORK/prepare.log" 2>&1 </dev/null
    if [ $? != 0 ]; then
        echo "FAIL making an estate with $TREE"
        tail -n 20 "$WORK/prepare.log" | sed 's/^/     /'
        return 1
    fi
    # Two at a time: each case has an estate of its own.
    # shellcheck disable=SC2016
    printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 bash -c 'one "$1"' one || return 1
    work_clear
}

if [ $# -gt 0 ]; then
    tree "${TREE:-build}" "$@"
    exit
fi
# What takes longest begins first, so that nothing long is left alone at the end.
slow='transcript cosign withhold crash courier carried failover life far ceremony'
mapfile -t rest < <(printf '%s\n' tests/integration/test_*.sh | grep -vE "/test_(${slow// /|})\.sh$")
rc=0
# shellcheck disable=SC2086,SC2046
tree build $(printf 'tests/integration/test_%s.sh\n' $slow) "${rest[@]}" || rc=1
tree build/asan tests/integration/test_birth.sh tests/integration/test_kinds.sh tests/integration/test_approvals.sh || rc=1
exit "$rc"
